package gateway_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/protocol/gateway"
	"github.com/game-im/hermod/internal/realtime/broker/cluster"
	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/node"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/realtime/transport"
	"github.com/game-im/hermod/internal/realtime/transport/transporttest"
)

// TestA5ResumeOnAnotherNode loses the connection at every possible place and comes back to another node: over
// both connections the client has every frame once or more, with the same number, whatever the format.
func TestA5ResumeOnAnotherNode(t *testing.T) {
	for name, format := range formats {
		for last := uint64(1); last <= 5; last++ {
			for _, withTicket := range []bool{true, false} {
				for _, away := range []bool{true, false} {
					t.Run(fmt.Sprintf("%s from %d, ticket %v, away %v", name, last, withTicket, away), func(t *testing.T) {
						runFleet(t, 3, config, func(t *testing.T, f *fleet) { resumeElsewhere(t, f, format, last, withTicket, away) })
					})
				}
			}
		}
	}
}

func resumeElsewhere(t *testing.T, f *fleet, format *frame.Format, last uint64, withTicket, away bool) {
	a, b := f.nodes[0], f.nodes[1]
	c := a.dial(gateway.Proto)
	id, ticket, _ := c.started(&gatewayv1.StartRequest{Openid: "7"})
	c.ask("hello", "")
	for i := 3; i <= 5; i++ {
		synctest.Wait()
		a.push("session", id, fmt.Sprint("p", i))
	}
	c.take()
	c.ack(1)
	all := []string{"2 200 welcome, 7|", "3 200 [m] p3|d", "4 200 [m] p4|d", "5 200 [m] p5|d"}
	if away {
		c.drop()
		a.push("gid", "7", "p6")
		all = append(all, "6 200 [m] p6|d")
	}
	all = append(all, fmt.Sprint(len(all)+2, " started"))
	back := b.dial(format)
	back.msgID, back.seq = c.msgID, c.seq
	again := &gatewayv1.StartRequest{Openid: "7", LastAckedSeqId: last}
	if withTicket {
		again.ResumeTicket = ticket
	}
	back.start(again)
	time.Sleep(time.Second)
	got := back.take()
	if len(got) != len(all)-int(last-1) {
		t.Fatalf("got %v", got)
	}
	for i, p := range got {
		if s := back.show(p); s != all[int(last-1)+i] {
			t.Errorf("got %q, want %q", s, all[int(last-1)+i])
		}
	}
	start := got[len(got)-1]
	if h := start.GetHeaders(); h["resumed"] != "true" || h["resync"] != "" || h["resume-ticket"] == ticket || h["resume-ticket"] == "" {
		t.Errorf("headers %v", h)
	}
	if cid := body(back, start, &gatewayv1.StartResponse{}).GetConnectionId(); cid != id {
		t.Errorf("the session is %s now", cid)
	}
	f.wantSessions(t, "7", 0, 1, 0)
	if code := c.closed(); !away && code != 4000 {
		t.Errorf("the older connection was closed with %d", code)
	}
	next := all[len(all)-1]
	var number int
	if _, err := fmt.Sscanf(next, "%d", &number); err != nil {
		t.Fatal(err)
	}
	back.ask("echo", "on") // numbers go on, and no login is needed
	back.want(fmt.Sprint(number+1, " 200 success|Echo: on"))
	b.push("session", id, "here")
	back.want(fmt.Sprint(number+2, " 200 [m] here|d"))
	if to := a.node.Moved(id); to != "node1" {
		t.Errorf("the node that had it believes it on %q", to)
	}
	// And on to a third one.
	third := f.nodes[2].dial(gateway.Proto)
	third.start(&gatewayv1.StartRequest{Openid: "7", LastAckedSeqId: uint64(number + 1), ResumeTicket: start.GetHeaders()["resume-ticket"]})
	time.Sleep(time.Second)
	third.want(fmt.Sprint(number+2, " 200 [m] here|d"), fmt.Sprint(number+3, " started"))
	f.wantSessions(t, "7", 0, 0, 1)
}

// TestA5ResyncOnAnotherNode: what cannot go on begins anew, says so, and keeps login, numbers and old name.
func TestA5ResyncOnAnotherNode(t *testing.T) {
	runFleet(t, 2, config, func(t *testing.T, f *fleet) {
		a, b := f.nodes[0], f.nodes[1]
		c := a.dial(gateway.Proto)
		id, ticket := c.login(&gatewayv1.StartRequest{Openid: "7"})
		back := b.dial(gateway.Proto)
		back.seq = c.seq
		back.start(&gatewayv1.StartRequest{Openid: "7", LastAckedSeqId: 99, ResumeTicket: ticket})
		time.Sleep(time.Second)
		p := back.one()
		next := body(back, p, &gatewayv1.StartResponse{}).GetConnectionId()
		if h := p.GetHeaders(); next == id || h["resync"] != "true" || h["resumed"] != "false" {
			t.Errorf("session %s, headers %v", next, p.GetHeaders())
		}
		if code := c.closed(); code != 4000 {
			t.Errorf("the older connection: %d", code)
		}
		f.wantSessions(t, "7", 0, 1)
		if r := b.push("session", id, "old name"); r.Err != nil {
			t.Errorf("a push to the older id: %+v", r)
		}
		back.want("2 200 [m] old name|d")
		back.ask("echo", "on")
		back.want("3 200 success|Echo: on")
	})
}

// TestA5DeadHome: of a session whose node is dead nothing is left, and its client starts anew, within two
// seconds.
func TestA5DeadHome(t *testing.T) {
	runFleet(t, 2, config, func(t *testing.T, f *fleet) {
		c := f.nodes[0].dial(gateway.Proto)
		_, ticket := c.login(&gatewayv1.StartRequest{Openid: "7"})
		f.buses[0].Mute.Store(true) // as if it were killed
		began := time.Now()
		back := f.nodes[1].dial(gateway.Proto)
		back.start(&gatewayv1.StartRequest{Openid: "7", LastAckedSeqId: 2, ResumeTicket: ticket})
		time.Sleep(3 * time.Second)
		p := back.one()
		if p.GetHeaders()["resync"] != "true" {
			t.Errorf("headers %v", p.GetHeaders())
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("took %v", took)
		}
		back.ask("echo", "x")
		back.want("2 error 401 NOT_LOGGED_IN")
	})
}

// TestA5LostAnswer: the answer that gives a session away is lost, and so is the session: it never lives twice.
func TestA5LostAnswer(t *testing.T) {
	runFleet(t, 3, config, func(t *testing.T, f *fleet) {
		c := f.nodes[0].dial(gateway.Proto)
		id, ticket := c.login(&gatewayv1.StartRequest{Openid: "7"})
		f.buses[0].Mute.Store(true)
		back := f.nodes[1].dial(gateway.Proto)
		back.start(&gatewayv1.StartRequest{Openid: "7", LastAckedSeqId: 2, ResumeTicket: ticket})
		time.Sleep(2 * time.Second)
		f.buses[0].Mute.Store(false)
		if f.nodes[0].node.Session(id) != nil {
			t.Error("it was given away and is here")
		}
		if code := c.closed(); code != 4000 {
			t.Errorf("the older connection: %d", code)
		}
		if h := back.one().GetHeaders(); h["resync"] != "true" {
			t.Errorf("headers %v", h)
		}
		f.wantSessions(t, "7", 0, 1, 0)
	})
}

// TestA5TwoClientsWithOneTicket: on two nodes at once, each of which can have the session; one has it in the end.
func TestA5TwoClientsWithOneTicket(t *testing.T) {
	for range 20 {
		runFleet(t, 3, config, func(t *testing.T, f *fleet) {
			c := f.nodes[0].dial(gateway.Proto)
			_, ticket := c.login(&gatewayv1.StartRequest{Openid: "7", DeviceId: "d"})
			c.drop()
			clients := []*client{f.nodes[1].dial(gateway.Proto), f.nodes[2].dial(gateway.Proto)}
			for _, back := range clients {
				back.start(&gatewayv1.StartRequest{Openid: "7", DeviceId: "d", LastAckedSeqId: 2, ResumeTicket: ticket})
			}
			time.Sleep(5 * time.Second)
			closed := 0
			for _, back := range clients {
				if answers := len(back.take()); answers == 0 && back.closed() == 0 {
					t.Error("a client was neither answered nor closed")
				}
				if code := back.closed(); code >= 4000 {
					closed++
				} else if code != 0 {
					t.Errorf("closed with %d, which invites to try again", code)
				}
			}
			total := 0
			for _, n := range f.sessions("7") {
				total += n
			}
			if total != 1 || closed != 1 {
				t.Errorf("%d sessions, and %d clients closed", total, closed)
			}
		})
	}
}

// TestARequestUnderWayIsNotForgotten: a session does not move away from the answer to a request; when that takes
// too long, its client starts anew and is told so.
func TestARequestUnderWayIsNotForgotten(t *testing.T) {
	runFleet(t, 2, config, func(t *testing.T, f *fleet) {
		c := f.nodes[0].dial(gateway.Proto)
		_, ticket := c.login(&gatewayv1.StartRequest{Openid: "7"})
		c.ask("sleep", "")
		synctest.Wait()
		back := f.nodes[1].dial(gateway.Proto)
		back.seq = c.seq
		back.start(&gatewayv1.StartRequest{Openid: "7", LastAckedSeqId: 2, ResumeTicket: ticket})
		time.Sleep(2 * time.Second)
		if h := back.one().GetHeaders(); h["resync"] != "true" {
			t.Errorf("headers %v", h)
		}
		back.ask("echo", "on")
		back.want("2 200 success|Echo: on")
		f.wantSessions(t, "7", 0, 1)
	})
}

// TestWhatWaitsMovesToo: what was pushed before the login waits for that on the other node, in its place, and what
// is bound to a request for the answer.
func TestWhatWaitsMovesToo(t *testing.T) {
	for name, format := range formats {
		t.Run(name, func(t *testing.T) {
			runFleet(t, 2, config, func(t *testing.T, f *fleet) {
				a, b := f.nodes[0], f.nodes[1]
				c := a.dial(format)
				id, ticket, _ := c.started(&gatewayv1.StartRequest{Openid: "7"})
				if r := a.push("session", id, "held"); r.Outcome != biz.OutcomeQueued {
					t.Fatalf("%+v", r)
				}
				bound := &biz.Push{MsgType: "m", Title: "bound", Data: []byte("d"), Bound: biz.PushBound{ClientSeq: 2, After: true}}
				a.pushes.Push(t.Context(), biz.Target{Type: "session", ID: id}, bound, biz.PushOptions{})
				c.drop()
				back := b.dial(format)
				back.start(&gatewayv1.StartRequest{Openid: "7", LastAckedSeqId: 1, ResumeTicket: ticket})
				time.Sleep(time.Second)
				back.want("2 started")
				back.ask("hello", "")
				back.want("3 200 welcome, 7|", "4 200 [m] held|d")
				back.ask("echo", "x")
				back.want("5 200 success|Echo: x", "6 200 [m] bound|d")
				f.wantSessions(t, "7", 0, 1)
			})
		})
	}
}

// TestWhatIsTooLargeStartsAnew: a session with more than a message between nodes takes does not move.
func TestWhatIsTooLargeStartsAnew(t *testing.T) {
	runFleet(t, 2, config, func(t *testing.T, f *fleet) {
		a := f.nodes[0]
		c := a.dial(gateway.Proto)
		id, ticket := c.login(&gatewayv1.StartRequest{Openid: "7"})
		c.drop()
		for range 900 {
			p := &biz.Push{MsgType: "m", Data: make([]byte, 950)}
			if r := a.pushes.Push(t.Context(), biz.Target{Type: "session", ID: id}, p, biz.PushOptions{}); r.Err != nil {
				t.Fatal(r.Err)
			}
		}
		back := f.nodes[1].dial(gateway.Proto)
		back.seq = 1
		back.start(&gatewayv1.StartRequest{Openid: "7", LastAckedSeqId: 2, ResumeTicket: ticket})
		time.Sleep(time.Second)
		if h := back.one().GetHeaders(); h["resync"] != "true" {
			t.Errorf("headers %v", h)
		}
		back.ask("echo", "on") // the login is not lost
		back.want("2 200 success|Echo: on")
	})
}

// TestA5ResumeWhereTheSessionIsOnItsWayTo: a client that comes back to the very node that takes its session over from
// one that stops, before the session is there, goes on with it.
func TestA5ResumeWhereTheSessionIsOnItsWayTo(t *testing.T) {
	runFleet(t, 2, config, func(t *testing.T, f *fleet) {
		a, b := f.nodes[0], f.nodes[1]
		c := a.dial(gateway.Proto)
		id, ticket := c.login(&gatewayv1.StartRequest{Openid: "7"})
		under := make(chan struct{})
		f.buses[0].Losing(func(m cluster.Message) bool {
			if strings.Contains(m.Subject, ".c.node:") {
				<-under
			}
			return false
		})
		go a.node.Drain(t.Context(), 0)
		synctest.Wait()
		back := b.dial(gateway.Proto)
		back.seq = c.seq
		back.start(&gatewayv1.StartRequest{Openid: "7", LastAckedSeqId: 2, ResumeTicket: ticket})
		synctest.Wait()
		close(under)
		time.Sleep(time.Second)
		p := back.one()
		if h := p.GetHeaders(); h["resumed"] != "true" || h["resync"] != "" {
			t.Errorf("headers %v", h)
		}
		if got := body(back, p, &gatewayv1.StartResponse{}).GetConnectionId(); got != id {
			t.Errorf("the session is %s now, and was %s", got, id)
		}
		f.wantSessions(t, "7", 0, 1)
	})
}

// TestA5SessionsOfOtherProtocolsStayTheirs: START may name a session of the user that speaks something else, and is on
// another node. It gets one of its own, and the other goes on where it is, also if it has frames that START does not know.
func TestA5SessionsOfOtherProtocolsStayTheirs(t *testing.T) {
	for _, last := range []uint64{0, 9} {
		runFleet(t, 2, config, func(t *testing.T, f *fleet) {
			a, b := f.nodes[0], f.nodes[1]
			conn := transporttest.NewConn()
			s := session.New(a.node.Core(), session.Options{
				ID: "other.node0", User: "7", Format: gateway.Proto, Resume: true, Protocol: other{},
			}, conn, time.Time{})
			a.node.Open(s)
			c := b.dial(gateway.Proto)
			c.start(&gatewayv1.StartRequest{Openid: "7", LastAckedSeqId: last, ResumeTicket: "other.node0." + s.Ticket()})
			time.Sleep(2 * time.Second)
			if h := c.one().GetHeaders(); h["resync"] != "true" {
				t.Errorf("headers %v", h)
			}
			if why, closed := conn.Closed(); closed {
				t.Errorf("the other connection was closed: %v", why)
			}
			if a.node.Session("other.node0") != s || s.State() != session.Active {
				t.Errorf("the other session is %v", s.State())
			}
			a.node.End(s, transport.Ended)
		})
	}
}

// other is a protocol whose sessions move, too.
type other struct{ node *node.Node }

func (other) Owns(s *session.Session) bool {
	_, owns := s.Protocol.(other)
	return owns
}

func (other) Freeze(context.Context, *session.Session) (thaw func(), quiet bool) {
	return func() {}, true
}

func (other) Part(*session.Session) []byte { return nil }
func (other) MoveBy(*protocol.Moves)       {}

func (o other) Receive(_ context.Context, c *session.Carried, _ []byte) error {
	s, subs, err := session.Restore(o.node.Core(), c, session.Arrival{Protocol: other{}})
	if err == nil {
		o.node.Receive(s, subs, c.Names)
	}
	return err
}
