package conf

import (
	"fmt"
	"slices"
	"testing"
)

// TestPluginsChangeKeyByKey, as long as the list names the same ones; keys of their own only where they are taken.
func TestPluginsChangeKeyByKey(t *testing.T) {
	t.Parallel()
	const before = "plugins: [{name: swaps, config: {key: 1}}, {name: stays, deadline: 1s, config: {key: 1}}, {name: out, process: {command: [x]}}]"
	for _, test := range []struct {
		after string
		want  []string
	}{
		{before, nil},
		{"plugins: [{name: swaps, config: {key: 2}}, {name: stays, deadline: 2s, config: {key: 2}}, {name: out, sample: 0.5, rooms: [r], process: {command: [x]}}]",
			[]string{"plugins[0].config true", "plugins[1].config false", "plugins[1].deadline true", "plugins[2].rooms false", "plugins[2].sample true"}},
		{"plugins: [{name: swaps, config: {key: 2}}, {name: stays, deadline: 1s, config: {key: 1}}, {name: out, process: {command: [y]}}]", []string{"plugins false"}},
		{"plugins: [{name: stays}, {name: swaps}]", []string{"plugins false"}},
	} {
		started, next := mustLoad(t, before, nil), mustLoad(t, test.after, nil)
		running, changes := blend(started, started, next, func(name string) bool { return name == "swaps" })
		var got []string
		for _, c := range changes {
			got = append(got, fmt.Sprint(c.Path, " ", c.Live))
		}
		if slices.Sort(got); !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", test.after, got, test.want)
		}
		if len(test.want) < 2 {
			continue
		}
		p := running.GetPlugins()
		if p[0].GetConfig().AsMap()["key"] != 2.0 || p[1].GetConfig().AsMap()["key"] != 1.0 || p[1].GetDeadline().GetSeconds() != 2 || p[2].GetSample() != 0.5 {
			t.Errorf("it runs with %v", p)
		}
		if started.GetPlugins()[0].GetConfig().AsMap()["key"] != 1.0 {
			t.Error("what it was started with has changed")
		}
	}
}

// TestWhoAsksHasItTriedAgain: what could not be done with the configuration that runs.
func TestWhoAsksHasItTriedAgain(t *testing.T) {
	t.Parallel()
	inBubble(t, "plugins: [{name: swaps, config: {key: 1}}]", func(t *testing.T, l *lives) {
		l.board.write("plugins: [{name: swaps, config: {key: 2}}]", nil)
		says(t, l.settles(), "key=plugins[0].config old=(hidden) new=(hidden)")
		l.Reload()
		l.settles()
		if len(l.applied) != 2 || l.applied[1].GetPlugins()[0].GetConfig().AsMap()["key"] != 2.0 || len(l.Waiting()) != 0 {
			t.Errorf("applied %v, waiting %q", l.applied, l.Waiting())
		}
	})
}
