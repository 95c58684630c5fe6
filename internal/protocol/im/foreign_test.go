package im_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/protocol/im"
	"github.com/game-im/hermod/internal/realtime/node"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/realtime/transport"
	"github.com/game-im/hermod/internal/realtime/transport/transporttest"
)

// foreign is a protocol whose sessions move, too. Its frames have the format of im.v1, so that nothing but the protocol
// is between them.
type foreign struct{ node *node.Node }

func (foreign) Owns(s *session.Session) bool {
	_, owns := s.Protocol.(foreign)
	return owns
}

func (foreign) Freeze(context.Context, *session.Session) (thaw func(), quiet bool) {
	return func() {}, true
}

func (foreign) Part(*session.Session) []byte { return nil }
func (foreign) MoveBy(*protocol.Moves)       {}

func (f foreign) Receive(_ context.Context, c *session.Carried, _ []byte) error {
	s, subs, err := session.Restore(f.node.Core(), c, session.Arrival{Protocol: foreign{}})
	if err == nil {
		f.node.Receive(s, subs, c.Names)
	}
	return err
}

// foreigner opens a session of a user that speaks it.
func (b *bench) foreigner(id, user string) (*session.Session, *transporttest.Conn) {
	conn := transporttest.NewConn()
	s := session.New(b.node.Core(), session.Options{
		ID: id, User: user, Format: im.Proto, Resume: true, Protocol: foreign{},
	}, conn, time.Time{})
	b.node.Open(s)
	return s, conn
}

// wantForeignerLeftAlone has a stream name a session of another protocol, with its ticket and all of its frames: it gets
// a session of its own, and the other goes on as if nobody had asked for it.
func wantForeignerLeftAlone(t *testing.T, at, from *bench) {
	t.Helper()
	s, conn := at.foreigner("foreign.node0", "alice")
	ticket := s.Ticket()
	c := from.open(im.Opening{Identity: biz.Identity{User: "alice"}, Room: "r", Resume: true, Session: s.ID, Ticket: ticket})
	time.Sleep(3 * time.Second)
	synctest.Wait()
	if w := <-c.welcome; w.Resumed || w.Session == s.ID || w.Session == "" {
		t.Errorf("welcome %+v", w)
	}
	if why, closed := conn.Closed(); closed {
		t.Errorf("the other connection was closed: %v", why)
	}
	if s.State() != session.Active || s.Ticket() != ticket || at.node.Session(s.ID) != s {
		t.Errorf("the other session is %v, with the ticket %q; it had %q", s.State(), s.Ticket(), ticket)
	}
	at.node.End(s, transport.Ended)
}

// TestSessionsOfOtherProtocolsAreNotResumed: neither here nor on another node.
func TestSessionsOfOtherProtocolsAreNotResumed(t *testing.T) {
	t.Run("here", func(t *testing.T) {
		run(t, config, func(t *testing.T, b *bench) { wantForeignerLeftAlone(t, b, b) })
	})
	t.Run("elsewhere", func(t *testing.T) {
		runFleet(t, 2, func(t *testing.T, f *fleet) { wantForeignerLeftAlone(t, f.nodes[0], f.nodes[1]) })
	})
}
