package hermod

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/game-im/hermod/internal/conf"
)

// setting is a source with one key.
type setting struct{ path, value string }

func (s setting) String() string { return "test" }

func (s setting) Read(context.Context) ([]conf.Document, error) {
	depth := strings.Count(s.path, ".")
	text := strings.ReplaceAll(s.path, ".", ": {") + ": " + s.value + strings.Repeat("}", depth)
	return []conf.Document{{Name: s.String(), Text: []byte(text)}}, nil
}

func (s setting) Watch(context.Context, func()) {}

// TestWhatIsLiveIsApplied: a key that internal/conf calls live changes something that apply hands on,
// and no other key does.
func TestWhatIsLiveIsApplied(t *testing.T) {
	t.Parallel()
	handedOn := func(sources ...conf.Source) string {
		m, err := conf.Set{Sources: sources}.Load(t.Context())
		if err != nil {
			return "" // not a value of this key's kind
		}
		c := m.Config
		return fmt.Sprint(logLevel(c.GetLog()), roomRules(c), messageRules(c), pushRules(c),
			audioRules(c, urlKey("made")), transcriptRules(c), upstreamRules(c), imConfig(c), gatewayConfig(c), sessionConfig(c), registryWeight(c), retention(c),
			ephemeralRules(c), watermarkRules(c))
	}
	m, err := conf.Set{}.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	before := handedOn()
	for _, v := range m.Values() {
		changes, understood := false, false
		for _, value := range []string{"true", "false", "1m13s", "7", "1025", "66000", "warn", "json", "127.0.0.1:4711", "normal", "allow", "drop_oldest", "other", "[other]", "a-secret-that-is-as-long-as-it-has-to-be",
			`[{service: other}]`, `[{name: other}]`, `[{name: other, openids: 1-2}]`} {
			after := handedOn(setting{v.Path, value})
			understood = understood || after != ""
			changes = changes || after != "" && after != before
		}
		if changes != v.Live {
			t.Errorf("%s: live %v, and a change is handed on: %v", v.Path, v.Live, changes)
		}
		if v.Live && !understood {
			t.Errorf("%s: no value of the test is understood", v.Path)
		}
	}
}
