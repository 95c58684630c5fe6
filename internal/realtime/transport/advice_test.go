package transport_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/game-im/hermod/internal/realtime/transport"
)

func TestAdviceTravelsInTheWords(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		why   transport.Disconnect
		limit int
		words string
	}{
		{"none", transport.Shutdown, 123, transport.Shutdown.Reason},
		{"some", transport.Shutdown.After(1500 * time.Millisecond), 123, transport.Shutdown.Reason + " (retry after 1500ms)"},
		{"a long reason", transport.Shutdown.Because("%s", strings.Repeat("é", 100)).After(time.Second), 41, strings.Repeat("é", 10) + " (retry after 1000ms)"},
		{"cut between characters", transport.Shutdown.Because("%s", strings.Repeat("é", 100)).After(time.Second), 42, strings.Repeat("é", 10) + " (retry after 1000ms)"},
		{"no room but for the advice", transport.Shutdown.After(time.Second), 10, " (retry after 1000ms)"},
		{"less than a millisecond", transport.Shutdown.After(time.Microsecond), 123, transport.Shutdown.Reason},
	} {
		words := tt.why.Words(tt.limit)
		if words != tt.words {
			t.Errorf("%s: %q, want %q", tt.name, words, tt.words)
		}
		back := transport.ReadWords(tt.why.Code, words)
		if back.Code != tt.why.Code || back.Retry != tt.why.Retry || !strings.HasPrefix(tt.why.Reason, back.Reason) {
			t.Errorf("%s: read %+v, want %+v", tt.name, back, tt.why)
		}
	}
}

func FuzzReadWords(f *testing.F) {
	for _, words := range []string{"", "bye", "bye (retry after 1ms)", "(retry after ms)", " (retry after 1ms) (retry after 2ms)", " (retry after -1ms)", " (retry after 99999999999999999999ms)"} {
		f.Add(words)
	}
	f.Fuzz(func(t *testing.T, words string) {
		d := transport.ReadWords(3000, words)
		if d.Retry < 0 || !strings.HasPrefix(words, d.Reason) {
			t.Fatalf("%q is %+v", words, d)
		}
		if again := transport.ReadWords(3000, d.Words(len(words)+40)); d.Retry > 0 && again != d {
			t.Fatalf("%q is %+v, and then %+v", words, d, again)
		}
		if utf8.ValidString(words) && !utf8.ValidString(d.Words(20)) {
			t.Fatalf("%q was cut inside a character", words)
		}
	})
}

func TestSpread(t *testing.T) {
	t.Parallel()
	if got := transport.Spread(0); got != 0 {
		t.Errorf("of nothing: %v", got)
	}
	least, most := time.Hour, time.Duration(0)
	for range 10_000 {
		d := transport.Spread(time.Second)
		least, most = min(least, d), max(most, d)
	}
	if least < 500*time.Millisecond || most >= 1500*time.Millisecond {
		t.Errorf("from %v to %v", least, most)
	}
	if least > 550*time.Millisecond || most < 1450*time.Millisecond {
		t.Errorf("from %v to %v only", least, most)
	}
}
