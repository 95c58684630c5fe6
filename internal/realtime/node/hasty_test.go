package node_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/realtime/transport"
	"github.com/game-im/hermod/internal/realtime/transport/transporttest"
)

// hasty is a client whose acknowledgement comes before the write has returned.
type hasty struct {
	*transporttest.Conn
	ack func(out []transport.Outgoing)
}

func (h *hasty) Write(out []transport.Outgoing) error {
	err := h.Conn.Write(out)
	h.ack(out)
	return err
}

// TestAnAckThatComesBeforeTheWriteReturnsCounts: by number and by place in the room, of messages that
// require one too.
func TestAnAckThatComesBeforeTheWriteReturnsCounts(t *testing.T) {
	for name, test := range map[string]struct {
		resume bool
		ack    func(s *session.Session, out []transport.Outgoing)
	}{
		"a frame's number":  {true, func(s *session.Session, out []transport.Outgoing) { s.AckLink(out[len(out)-1].Link) }},
		"a place in a room": {false, func(s *session.Session, _ []transport.Outgoing) { s.Ack("room", 1) }},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(t *testing.T, b *bench) {
				var s *session.Session
				conn := &hasty{Conn: transporttest.NewConn()}
				conn.ack = func(out []transport.Outgoing) { test.ack(s, out) }
				s = session.New(b.Core(), session.Options{ID: "1", User: "bob", Resume: test.resume, Format: transporttest.Text}, conn, time.Time{})
				b.Open(s)
				b.Subscribe(s, "room", &reader{b.log, "bob"}, 0)
				s.Continue(conn)
				p := b.log.append("alice", "")
				p.AckRequired = true
				b.Publish(p)
				want(t, conn.Conn, "1")
				if got := b.log.position("bob"); got != 1 {
					t.Errorf("cursor %d after message 1 was acknowledged", got)
				}
				// It does not wait for a second acknowledgement: the next one moves the cursor by being heard.
				conn.ack = func([]transport.Outgoing) {}
				b.send("alice", "")
				synctest.Wait()
				if s.Heard(); !test.resume && b.log.position("bob") != 2 {
					t.Errorf("cursor %d after message 2 was heard of", b.log.position("bob"))
				}
			})
		})
	}
}
