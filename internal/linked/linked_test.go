package linked_test

import (
	"context"
	"errors"
	"testing"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/linked"
	"github.com/game-im/hermod/plugin"
)

// scribe is a transcriber that says its name.
type scribe string

func (s scribe) Name() string { return string(s) }

func (s scribe) Transcribe(context.Context, plugin.Audio) (plugin.Transcript, error) {
	return plugin.Transcript{Text: string(s)}, nil
}

// other is a plugin that transcribes nothing.
type other struct{}

func (other) Name() string { return "b" }

// TestChoice: a plugin of another capability may bear the name, and no other may.
func TestChoice(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		plugins []plugin.Plugin
		chosen  string
		says    string // of the error
	}{
		"a":        {[]plugin.Plugin{scribe("a"), scribe("b")}, "a", ""},
		"b":        {[]plugin.Plugin{scribe("a"), other{}, scribe("b")}, "b", ""},
		"unknown":  {[]plugin.Plugin{scribe("z"), other{}, scribe("a")}, "c", `audio.transcriber: "c" is not linked into this node, did you mean a?; one of a, z`},
		"the same": {[]plugin.Plugin{scribe("a"), scribe("a")}, "a", `audio.transcriber: two transcribers are named "a"; link one of them`},
		"none": {[]plugin.Plugin{other{}}, "b",
			`audio.transcriber: "b" is not linked into this node, which has no transcribers at all; those that are shipped are in hermod.Standard()`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := linked.Choose[plugin.Transcriber](test.plugins, "audio.transcriber", test.chosen, "transcribers")
			if test.says != "" {
				var problems conf.Problems
				if !errors.As(err, &problems) || problems[0].Path+": "+problems[0].Text != test.says {
					t.Errorf("got %v, want %s", err, test.says)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if text, err := got.Transcribe(t.Context(), plugin.Audio{}); err != nil || text.Text != test.chosen {
				t.Errorf("got %v, %v", text, err)
			}
		})
	}
}
