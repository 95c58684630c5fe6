package transport_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/game-im/hermod/internal/realtime/transport"
)

// table is every reason, with the code that clients know it by. A code is never reused.
var table = map[uint32]transport.Disconnect{
	3000: transport.Shutdown,
	3001: transport.Slow,
	3002: transport.TokenExpired,
	3003: transport.StoreGone,
	3004: transport.InternalError,
	3005: transport.NotStarted,
	3006: transport.ConnLost,
	3007: transport.Overloaded,
	4000: transport.Replaced,
	4001: transport.Kicked,
	4002: transport.BadRequest,
	4003: transport.Ended,
	4004: transport.Superseded,
}

func TestCodes(t *testing.T) {
	t.Parallel()
	for code, d := range table {
		if d.Code != code || d.Reason == "" {
			t.Errorf("%d is %+v", code, d)
		}
		if back := code < 4000; d.Reconnect() != back {
			t.Errorf("%v: come back %v, want %v", d, d.Reconnect(), back)
		}
		if back := strings.Contains(d.Reason, "reconnect"); back && !d.Reconnect() {
			t.Errorf("%v says one thing and its code another", d)
		}
		if strings.ContainsFunc(d.Reason, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("%v cannot travel in a header", d)
		}
	}
}

func TestReconnectRange(t *testing.T) {
	t.Parallel()
	for code, want := range map[uint32]bool{0: false, 2999: false, 3000: true, 3999: true, 4000: false, 4999: false, 1 << 31: false} {
		if got := (transport.Disconnect{Code: code}).Reconnect(); got != want {
			t.Errorf("%d: %v, want %v", code, got, want)
		}
	}
}

func TestBecause(t *testing.T) {
	t.Parallel()
	d := transport.Kicked.Because("by %s", "carol")
	if d.Code != transport.Kicked.Code || d.Reason != "by carol" || transport.Kicked.Reason == d.Reason {
		t.Errorf("got %+v; the original is %+v", d, transport.Kicked)
	}
	var as transport.Disconnect
	if err := fmt.Errorf("write: %w", d); !errors.As(err, &as) || as != d || !strings.Contains(err.Error(), "4001") {
		t.Errorf("as an error: %v", err)
	}
}
