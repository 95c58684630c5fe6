package protocol_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/node"
	"github.com/game-im/hermod/internal/realtime/presence"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/realtime/transport"
	"github.com/game-im/hermod/internal/realtime/transport/transporttest"
)

// words is a format that tells each kind of payload apart.
var words = frame.NewFormat(frame.Encoders{
	Name: "words",
	Body: func(dst []byte, payload any) ([]byte, error) {
		switch p := payload.(type) {
		case *biz.Message:
			return fmt.Appendf(dst, "message %s", p.Content), nil
		case protocol.Own:
			return fmt.Appendf(dst, "own %s as %s", p.Content, p.ClientID), nil
		case *protocol.Ack:
			dst = fmt.Appendf(dst, "ack %s at %d", p.ClientID, p.Receipt.Seq)
			if p.MsgID != 0 {
				dst = fmt.Appendf(dst, " for %d", p.MsgID)
			}
			return dst, nil
		case *protocol.Notice:
			return fmt.Appendf(dst, "notice %d of %s %v", p.Type, p.User, p.Metadata), nil
		case *protocol.Missed:
			return append(dst, "missed"...), nil
		case *biz.Ephemeral:
			return fmt.Appendf(dst, "%s of %s %v", p.Kind, p.User, p.Data), nil
		case *protocol.News:
			return append(dst, newsText(p)...), nil
		case *biz.Push:
			return fmt.Appendf(dst, "push %s", p.Title), nil
		}
		return nil, fmt.Errorf("a %T", payload)
	},
})

// bench is a node in a synctest bubble.
type bench struct {
	*node.Node
	live *protocol.Deliverer
	push *protocol.Pusher

	directory *protocol.Directory
	office    *office
	town      *townOf
	watches   *protocol.Watches
}

func newBench(n *node.Node) *bench {
	b := &bench{Node: n, live: protocol.NewDeliverer(n), push: protocol.NewPusher(n), directory: protocol.NewDirectory(n), office: newOffice(n)}
	b.town = &townOf{newTown()}
	rules := biz.NewPresences(b.live, b.town, b.town, b.town, biz.PresenceRules{MaxNamed: 3})
	b.watches = protocol.NewWatches(n, rules, b.town, slog.New(slog.DiscardHandler))
	return b
}

func run(t *testing.T, test func(t *testing.T, b *bench)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core := session.NewCore(session.Config{QueueBytes: 200, ResumeWindow: time.Minute, StallTimeout: time.Minute}, slog.New(slog.DiscardHandler))
		n := node.New(core, broker.NewMemory(), presence.New(time.Second))
		b := newBench(n)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- n.Run(ctx) }()
		test(t, b)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// pushTo pushes to one recipient.
func (b *bench) pushTo(to biz.Recipient, p *biz.Push) biz.Outcome {
	return b.push.Push(context.Background(), to, p).Outcome
}

// await pushes to one recipient for somebody who waits.
func (b *bench) await(to biz.Recipient, p *biz.Push) biz.AwaitedPush {
	return b.push.Await(context.Background(), []biz.Recipient{to}, p)[0]
}

// connect opens a session that follows nothing yet.
func (b *bench) connect(o session.Options) *recorded {
	conn := transporttest.NewConn()
	o.GID, o.Format, o.Resume, o.Replies = 7, words, true, true
	s := session.New(b.Core(), o, conn, time.Time{})
	b.Open(s)
	s.Continue(conn)
	return &recorded{Session: s, conn: conn}
}

// member opens a session on room r, which keeps nothing.
func (b *bench) member(id, user string) *recorded {
	r := b.connect(session.Options{ID: id, User: user})
	b.Subscribe(r.Session, protocol.RoomChannel("r"), nil, 0)
	return r
}

// recorded is a session with its client.
type recorded struct {
	*session.Session
	conn *transporttest.Conn
	read int // of what came, by last
}

// away loses a session's connection.
func (b *bench) away(r *recorded) {
	r.conn.Close(transport.ConnLost)
	b.Done(r.Session, r.conn, transport.ConnLost)
}

// stuff has a session's client read nothing, and its queue full. On one processor that keeps the only writer until somebody
// else has waited for a moment of the bubble's clock: that somebody is a session of its own.
func (b *bench) stuff(r *recorded) {
	r.conn.SetReading(false)
	for b.pushTo(toSession(r.ID), &biz.Push{Title: "p"}) == biz.OutcomeDelivered {
	}
	other := b.connect(session.Options{ID: "waits", User: "waits"})
	b.pushTo(toSession("waits"), &biz.Push{Title: "p"})
	time.Sleep(time.Second)
	b.End(other.Session, transport.Ended)
}

func want(t *testing.T, r *recorded, texts ...string) {
	t.Helper()
	synctest.Wait()
	if got := r.conn.Texts(); !slices.Equal(got, texts) {
		t.Errorf("got %q, want %q", got, texts)
	}
}
