package hermod

import (
	"fmt"
	"testing"

	"github.com/game-im/hermod/internal/conf"
)

// TestWhatIsLiveIsApplied: a key that internal/conf calls live changes something that apply hands on,
// and no other key does.
func TestWhatIsLiveIsApplied(t *testing.T) {
	t.Parallel()
	handedOn := func(overrides ...conf.Override) string {
		c, err := conf.Load(nil, overrides...)
		if err != nil {
			return "" // not a value of this key's kind
		}
		return fmt.Sprint(logLevel(c.GetLog()), roomRules(c), messageRules(c), pushRules(c), imConfig(c), sessionConfig(c))
	}
	m, err := conf.Set{}.Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	before := handedOn()
	for _, v := range m.Values() {
		changes, understood := false, false
		for _, value := range []string{"true", "false", "1m13s", "7", "1025", "66000", "warn", "json", "127.0.0.1:4711", "normal", "other"} {
			after := handedOn(conf.Override{Path: v.Path, Value: value, From: "test"})
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
