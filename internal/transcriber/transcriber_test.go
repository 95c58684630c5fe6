package transcriber_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/transcriber"
	"github.com/game-im/hermod/plugin"
)

// scribe is a linked transcriber that says its name.
type scribe string

func (s scribe) Name() string { return string(s) }

func (s scribe) Transcribe(context.Context, plugin.Audio) (plugin.Transcript, error) {
	return plugin.Transcript{Text: string(s)}, nil
}

// other is a plugin that transcribes nothing.
type other struct{}

func (other) Name() string { return "b" }

func TestNew(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		plugins []plugin.Plugin
		chosen  string
		says    string // of the error
	}{
		"a":        {[]plugin.Plugin{scribe("a"), scribe("b")}, "a", ""},
		"b":        {[]plugin.Plugin{scribe("a"), other{}, scribe("b")}, "b", ""},
		"unknown":  {[]plugin.Plugin{scribe("z"), other{}, scribe("a")}, "c", `audio.transcriber: "c" is not known; one of a, z`},
		"the same": {[]plugin.Plugin{scribe("a"), scribe("a")}, "a", `two transcribers are named "a"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := transcriber.New(&conf.Audio{Transcriber: test.chosen}, test.plugins)
			if test.says != "" {
				if err == nil || !strings.Contains(err.Error(), test.says) {
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

func TestNone(t *testing.T) {
	t.Parallel()
	none, err := transcriber.New(&conf.Audio{}, []plugin.Plugin{scribe("")})
	if err != nil {
		t.Fatal(err)
	}
	_, err = none.Transcribe(t.Context(), plugin.Audio{})
	var refused *plugin.Error
	if !errors.As(err, &refused) || refused.Kind != plugin.KindRefused || !strings.Contains(refused.Reason, "audio.transcriber") {
		t.Errorf("got %v", err)
	}
}
