package gateway_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol/gateway"
)

// TestResume loses the connection at every possible place: over both connections the client has every
// frame once or more, with the same number, whatever the format.
func TestResume(t *testing.T) {
	for name, f := range formats {
		for last := uint64(1); last <= 5; last++ {
			for _, withTicket := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s from %d, ticket %v", name, last, withTicket), func(t *testing.T) {
					run(t, config, biz.Builtin{}, func(t *testing.T, b *bench) {
						c := b.dial(gateway.Proto)
						id, ticket, _ := c.started(&gatewayv1.StartRequest{Openid: "7"})
						c.ask("hello", "")
						for i := 3; i <= 5; i++ {
							synctest.Wait()
							b.push("session", id, fmt.Sprint("p", i))
						}
						c.take()
						c.ack(1)
						c.drop()
						if r := b.push("gid", "7", "p6"); r.Outcome != biz.OutcomeQueued {
							t.Errorf("a push to who is away: %+v", r)
						}
						back := b.dial(f)
						back.msgID, back.seq = c.msgID, c.seq
						again := &gatewayv1.StartRequest{Openid: "7", LastAckedSeqId: last}
						if withTicket {
							again.ResumeTicket = ticket
						}
						back.start(again)
						all := []string{"2 200 welcome, 7|", "3 200 [m] p3|d", "4 200 [m] p4|d", "5 200 [m] p5|d", "6 200 [m] p6|d", "7 started"}
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
						back.ask("echo", "on") // numbers go on, and no login is needed
						back.want("8 200 success|Echo: on")
						back.drop()
						<-back.result
						<-c.result
					})
				})
			}
		}
	}
}

// TestResync: what cannot go on begins anew, says so, and keeps login, numbers and old name.
func TestResync(t *testing.T) {
	run(t, config, biz.Builtin{}, func(t *testing.T, b *bench) {
		c := b.dial(gateway.Proto)
		id, _ := c.login(&gatewayv1.StartRequest{Openid: "7"})
		back := b.dial(gateway.Proto)
		back.seq = c.seq
		next, _, headers := back.started(&gatewayv1.StartRequest{Openid: "7", LastAckedSeqId: 99})
		if next == id || headers["resync"] != "true" || headers["resumed"] != "false" {
			t.Errorf("session %s, headers %v", next, headers)
		}
		if code := c.closed(); code != 4000 {
			t.Errorf("the older connection: %d", code)
		}
		if r := b.push("session", id, "old name"); r.Err != nil {
			t.Errorf("a push to the older id: %+v", r)
		}
		b.push("gid", "7", "gid")
		back.want("2 200 [m] old name|d", "3 200 [m] gid|d")
		back.ask("echo", "on")
		back.want("4 200 success|Echo: on")

		third := b.dial(gateway.JSON)
		if _, _, h := third.started(&gatewayv1.StartRequest{Openid: "7", LastAckedSeqId: 99}); h["resync"] != "true" {
			t.Errorf("headers %v", h)
		}
		if r := b.push("session", id, "older name"); r.Err != nil {
			t.Errorf("a push to the oldest id: %+v", r)
		}
		third.want("2 200 [m] older name|d")
		third.send(stop, 0, &gatewayv1.StopRequest{})
		<-third.result
		if r := b.push("session", id, "nobody"); r.Outcome != biz.OutcomeNotFound {
			t.Errorf("after STOP: %+v", r)
		}

		gone := b.dial(gateway.Proto) // as after a restart of the node
		if _, _, h := gone.started(&gatewayv1.StartRequest{Openid: "7", LastAckedSeqId: 1}); h["resync"] != "true" {
			t.Errorf("headers %v", h)
		}
		gone.ask("echo", "x")
		gone.want("2 error 401 NOT_LOGGED_IN")
		gone.drop()
	})
}

// TestTakeover: a client that comes back while the node believes the older connection alive.
func TestTakeover(t *testing.T) {
	run(t, config, biz.Builtin{}, func(t *testing.T, b *bench) {
		c := b.dial(gateway.Proto)
		_, ticket := c.login(&gatewayv1.StartRequest{Openid: "7"})
		back := b.dial(gateway.Proto)
		back.start(&gatewayv1.StartRequest{Openid: "7", LastAckedSeqId: 2, ResumeTicket: ticket})
		back.want("3 started")
		if code := c.closed(); code != 4000 {
			t.Errorf("the older connection: %d", code)
		}
		<-c.result
		back.ack(3)
		// The ticket was used: without a session of its own for it, openid and number still find it.
		again := b.dial(gateway.Proto)
		again.start(&gatewayv1.StartRequest{Openid: "7", LastAckedSeqId: 3, ResumeTicket: ticket})
		again.want("4 started")
		other := b.dial(gateway.Proto)
		if _, _, h := other.started(&gatewayv1.StartRequest{Openid: "8", LastAckedSeqId: 3, ResumeTicket: ticket}); h["resync"] != "true" {
			t.Errorf("somebody else with the ticket: %v", h)
		}
		if code := again.closed(); code != 0 {
			t.Errorf("and the session was closed: %d", code)
		}
		// A ticket of another session than the one that is there: its numbers mean nothing here.
		stale := b.dial(gateway.Proto)
		if _, _, h := stale.started(&gatewayv1.StartRequest{Openid: "7", LastAckedSeqId: 4, ResumeTicket: "gone.secret"}); h["resync"] != "true" {
			t.Errorf("a ticket of a session that is gone: %v", h)
		}
		if code := again.closed(); code != 4000 {
			t.Errorf("the session that was there: %d", code)
		}
		stale.drop()
		other.drop()
	})
}

func TestResend(t *testing.T) {
	run(t, config, biz.Builtin{}, func(_ *testing.T, b *bench) {
		c := b.dial(gateway.Proto)
		c.started(&gatewayv1.StartRequest{Openid: "7"})
		c.ask("hello", "")
		c.want("2 200 welcome, 7|")
		c.ack(99) // beyond what was written: all of it, and no more
		time.Sleep(time.Minute)
		c.want()
		b.push("openid", "7", "a")
		b.push("openid", "7", "b")
		c.want("3 200 [m] a|d", "4 200 [m] b|d")
		time.Sleep(14 * time.Second)
		c.want()
		time.Sleep(3 * time.Second)
		c.want("3 200 [m] a|d", "4 200 [m] b|d")
		c.ack(3)
		for range 2 { // max_resends, counted anew since the client has acknowledged something
			time.Sleep(17 * time.Second)
			c.want("4 200 [m] b|d")
		}
		time.Sleep(5 * time.Minute)
		c.want()
		c.drop()
		back := b.dial(gateway.Proto)
		back.start(&gatewayv1.StartRequest{Openid: "7", LastAckedSeqId: 3})
		back.want("4 200 [m] b|d", "5 started")
		back.drop()
	})
}

func TestTheWindowEnds(t *testing.T) {
	run(t, config, biz.Builtin{}, func(t *testing.T, b *bench) {
		c := b.dial(gateway.Proto)
		id, _ := c.login(&gatewayv1.StartRequest{Openid: "7"})
		close(c.in) // a clean end of the connection is none of the session
		if err := <-c.result; err != nil {
			t.Error(err)
		}
		time.Sleep(50 * time.Second)
		if r := b.push("session", id, "x"); r.Outcome != biz.OutcomeQueued {
			t.Errorf("within the window: %+v", r)
		}
		time.Sleep(15 * time.Second)
		if r := b.push("session", id, "x"); r.Outcome != biz.OutcomeNotFound {
			t.Errorf("after it: %+v", r)
		}
	})
}
