package conf

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
)

func TestKeysOfPlugins(t *testing.T) {
	t.Parallel()
	const text = `plugins:
  - name: word-filter
    deadline: 2s
    on_failure: open
    config:
      words_file: "${WORDS:/etc/words}"
      limit: ${LIMIT:5}
      quoted: "5"
      share: 0.5
      on: true
      since: 2026-01-02
      none:
      list: [a, 1]
      deep: {key: "$${x}"}
`
	c := mustLoad(t, text, map[string]string{"LIMIT": "7"})
	p := c.GetPlugins()[0]
	want := map[string]any{
		"words_file": "/etc/words", "limit": 7.0, "quoted": "5", "share": 0.5, "on": true, "since": "2026-01-02", "none": nil,
		"list": []any{"a", 1.0}, "deep": map[string]any{"key": "${x}"},
	}
	if got := p.GetConfig().AsMap(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
	if p.GetName() != "word-filter" || p.GetDeadline().AsDuration().Seconds() != 2 || p.GetOnFailure() != OnFailureOpen {
		t.Errorf("got %v", p)
	}
}

// TestAliasesWithoutEnd: a document whose keys of a plugin would have no end is refused like any other that is wrong. A
// running node reads such a one as soon as somebody writes it.
func TestAliasesWithoutEnd(t *testing.T) {
	t.Parallel()
	bomb := "plugins:\n- name: a\n  config:\n    l0: &l0 [x]\n"
	for i := range 9 {
		bomb += fmt.Sprintf("    l%d: &l%[1]d [%s]\n", i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*l%d, ", i), 10), ", "))
	}
	for text, says := range map[string]string{
		"plugins: [{name: a, config: &c {b: *c}}]":        "plugins[0].config.b.b: is an alias of what it is a part of",
		"plugins: [{name: a, config: {b: &b [1, [*b]]}}]": "plugins[0].config.b[1][0][1][0]: is an alias of what it is a part of",
		bomb: "one value too many; aliases may stand for 100000 at most",
	} {
		_, err := loadText(text, nil)
		if err == nil || strings.Count(err.Error(), says) != 1 {
			t.Errorf("%.60q: %.300v", text, err)
		}
	}
	c := mustLoad(t, "plugins: [{name: a, config: {x: &x {y: [1, 2]}, z: *x}}]", nil)
	if got := c.GetPlugins()[0].GetConfig().AsMap()["z"]; !reflect.DeepEqual(got, map[string]any{"y": []any{1.0, 2.0}}) {
		t.Errorf("an alias that has an end: %v", got)
	}
}

func TestWrongPlugins(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		"plugins: [{name: A B}]":                             `plugins[0].name: is "A B"; lower case letters`,
		"plugins: [{name: a}, {name: a}]":                    `plugins[1].name: "a" is there twice`,
		"plugins: [{name: a, sample: 1.5}]":                  `plugins[0].sample: 1.5 is no share; 0 to 1 is allowed`,
		"plugins: [{name: a, rooms: ['a*b']}]":               `plugins[0].rooms: "a*b" is neither the name of a room nor the beginning of names with a * behind it`,
		"plugins: [{name: a, sample: most}]":                 `plugins[0].sample: "most" is not a share; write it like 0.25`,
		"plugins: [{name: a, on_failure: opne}]":             `plugins[0].on_failure: "opne" is not known, did you mean open?; one of closed, open`,
		"plugins: [{name: a, deadline: 2m}]":                 `plugins[0].deadline: 2m is too large; at most 1m`,
		"plugins: [{name: a, config: 5}]":                    `plugins[0].config: must be a section, not a single value`,
		"plugins: [{name: a, config: {k: 1, k: 2}}]":         `plugins[0].config.k: is given twice`,
		"plugins: [{name: a, config: {k: '${NOBODY_SET}'}}]": `plugins[0].config.k: the environment variable NOBODY_SET is not set`,
		"plugins: [{name: a, confg: {}}]":                    `plugins[0].confg: no such key, did you mean config?`,
	} {
		l := loader{env: func(string) (string, bool) { return "", false }}
		_, err := l.load([]Document{defaults(), {Name: "test", Text: []byte(text)}}, nil)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want %s", text, err, says)
		}
	}
}

// TestKeysOfPluginsAreHidden: which of them are secret is not known.
func TestKeysOfPluginsAreHidden(t *testing.T) {
	t.Parallel()
	c := mustLoad(t, "plugins: [{name: a, config: {key: hush}}]", nil)
	m := &Merged{Config: c}
	shown, err := m.YAML()
	if err != nil || strings.Contains(string(shown), "hush") || !strings.Contains(string(shown), "config: "+Hidden) {
		t.Errorf("shown as %s, %v", shown, err)
	}
	for _, v := range m.Values() {
		if strings.Contains(v.Text, "hush") {
			t.Errorf("%s is %s", v.Path, v.Text)
		}
	}
	_, changes := blend(c, c, mustLoad(t, "plugins: [{name: a, config: {key: still}}]", nil), nil)
	if len(changes) != 1 || changes[0].Path != "plugins[0].config" || changes[0].Live || strings.Contains(changes[0].New, "still") {
		t.Errorf("changes %+v", changes)
	}
}
