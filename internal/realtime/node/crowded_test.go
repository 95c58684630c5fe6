package node_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/overload"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/realtime/transport"
)

// TestACrowdedNodeIsHardOnThoseWhoDoNotRead: when all sessions together have queued more than the node
// has room for, those that have much are refused more, and those that read notice nothing.
func TestACrowdedNodeIsHardOnThoseWhoDoNotRead(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		const most = 8 << 20
		cfg := testConfig
		cfg.QueueBytes, cfg.Load = 1<<20, overload.Limits{QueueBytes: most}
		b.Core().SetConfig(cfg)
		_, fine := b.connect(session.Options{ID: "fine", User: "carol"}, 0)
		text := strings.Repeat("x", 10_000)
		var stopped []*session.Session
		for range 64 { // which might have 64 MiB
			s, conn := b.connect(session.Options{ID: "stopped", User: "bob"}, 0)
			synctest.Wait()
			conn.SetReading(false)
			stopped = append(stopped, s)
		}
		full := 0
		for range 120 {
			for _, s := range stopped {
				if o, wake := s.Offer(frame.New(text), false, nil); o == session.Full {
					full++
				} else if wake {
					b.Core().Writer.Wake(s)
				}
			}
		}
		if got := b.Core().Load.Queued(); got > most+most/8 || got < most/2 {
			t.Errorf("%d bytes are queued, of %d", got, most)
		}
		if full == 0 {
			t.Error("nothing was refused")
		}
		if b.PushUser("carol", frame.New("fine")) != session.Queued {
			t.Error("a client that reads is refused a push")
		}
		time.Sleep(time.Second) // on the clock of the test, for writers that nobody holds up
		want(t, fine, "fine")

		for _, s := range stopped {
			b.End(s, transport.Kicked)
		}
		if got := b.Core().Load.Queued(); got != 0 {
			t.Errorf("%d bytes are left of sessions that have ended", got)
		}
	})
}
