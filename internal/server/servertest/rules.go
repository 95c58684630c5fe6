package servertest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/metadata"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	"github.com/game-im/hermod/internal/realtime/transport"
)

// push pushes a text to a user and returns what became of it.
func (t *trial) push(user, text string) gatewayv1.PushOutcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return t.pushIn(ctx, user, text)
}

func (t *trial) pushIn(ctx context.Context, user, text string) gatewayv1.PushOutcome {
	t.Helper()
	r, err := gatewayv1.NewGatewayServiceClient(t.node.Services).PushToClient(ctx, &gatewayv1.UnicastPushRequest{
		TargetType: "openid", TargetId: user, MsgType: "test", Data: []byte(text),
	})
	if err != nil {
		t.Fatalf("push: %v", err)
	}
	return r.GetOutcome()
}

// pushAll pushes texts that have to be taken.
func (t *trial) pushAll(user string, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if o := t.push(user, text); o != gatewayv1.PushOutcome_PUSH_OUTCOME_DELIVERED && o != gatewayv1.PushOutcome_PUSH_OUTCOME_QUEUED {
			t.Fatalf("the push %q is %v", text, o)
		}
	}
}

// await waits until something holds.
func (t *trial) await(what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// numbered returns texts with numbers from the first to the last.
func numbered(first, last int) (texts []string) {
	for i := first; i <= last; i++ {
		texts = append(texts, fmt.Sprint("push ", i))
	}
	return texts
}

// handshake: a client gets a session that it can resume, and is answered.
func handshake(t *trial) {
	x := t.newcomer()
	if x.session == "" || x.ticket == "" || x.resumed {
		t.Errorf("greeted with session %q, ticket %q, resumed %v", x.session, x.ticket, x.resumed)
	}
	x.wantAnswer("ping")
	x.wantAnswer("again")
}

// refused: who is not let in is told so, and not left waiting.
func refused(t *trial) {
	x, err := t.open(t.kind, seat{user: "refused"})
	if err == nil {
		t.Fatalf("got the session %q", x.session)
	}
	if !strings.Contains(err.Error(), "not you") && !strings.Contains(err.Error(), "401") && !strings.Contains(strings.ToUpper(err.Error()), "UNAUTHENTICATED") {
		t.Errorf("was told: %v", err)
	}
}

// order: what is pushed comes in its order, numbered without a hole.
func order(t *trial) {
	x := t.newcomer()
	t.pushAll(x.user, numbered(1, 200)...)
	x.wantPushes(numbered(1, 200)...)
}

// store pushes texts to a user who is away, to be kept.
func (t *trial) store(user string, texts ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(t.Context(), "offline", "store"), patience)
	defer cancel()
	for _, text := range texts {
		if o := t.pushIn(ctx, user, text); o != gatewayv1.PushOutcome_PUSH_OUTCOME_QUEUED {
			t.Fatalf("the push %q is %v", text, o)
		}
	}
}

// kept: what was kept for somebody who was away comes when he has been let in, and whatever is pushed from
// then on behind it; and so again, until he has acknowledged it.
func kept(t *trial) {
	t.store(t.user(), numbered(1, 5)...)
	x := t.newcomer()
	t.pushAll(x.user, numbered(6, 8)...)
	x.wantPushes(numbered(1, 8)...)
	x.link.Cut()
	y := t.newcomer()
	y.wantPushes(numbered(1, 5)...)
	y.send(y.lang.request("ack", fmt.Sprint(y.last)))
	y.wantAnswer("got it")
	z := t.newcomer()
	t.pushAll(z.user, "live")
	z.wantPushes("live")
}

// resume: a client whose connection was cut gets what it missed, under its old numbers, and then live
// traffic.
func resume(t *trial) {
	x := t.newcomer()
	y := comeBack(t, x, t.kind, 0)
	y.send(y.lang.request("ack", fmt.Sprint(y.last)))
	comeBack(t, y, t.kind, 100)
}

// comeBack cuts a client and lets it come back as one of a kind, having lost some of what it was sent.
func comeBack(t *trial, x *client, as Case, from int) *client {
	t.Helper()
	texts := numbered(from+1, from+9)
	t.pushAll(x.user, texts[:3]...)
	x.wantPushes(texts[0])
	has := x.seat
	x.wantPushes(texts[1:3]...) // which the application never saw
	x.link.Cut()
	t.pushAll(x.user, texts[3:6]...)
	y := t.must(as, has)
	if !y.resumed || y.session != x.session {
		t.Fatalf("as %v: the session %s goes on as %s, resumed %v", as, x.session, y.session, y.resumed)
	}
	if y.ticket == "" || y.ticket == x.ticket {
		t.Errorf("as %v: the next ticket is %q", as, y.ticket)
	}
	y.wantPushes(texts[1:6]...)
	t.pushAll(x.user, texts[6:]...)
	y.wantPushes(texts[6:]...)
	y.wantAnswer("here")
	return y
}

// resumeElsewhere: one session goes over every transport and format that its protocol has, and back.
func resumeElsewhere(t *trial) {
	x := t.newcomer()
	for i, c := range append(t.node.cases(), t.kind) {
		if c.Protocol == t.kind.Protocol {
			x = comeBack(t, x, c, 100*i)
		}
	}
}

// taken: of two connections of a session the older one is closed, and told not to come back.
func taken(t *trial) {
	x := t.newcomer()
	y := t.must(t.kind, x.seat)
	x.wantEnd(transport.Replaced)
	t.pushAll(y.user, "for the newer one")
	y.wantPushes("for the newer one")
}

// halfOpen: a client whose network is gone without a word comes back before the node has noticed.
func halfOpen(t *trial) {
	x := t.newcomer()
	x.link.Vanish()
	t.pushAll(x.user, numbered(1, 3)...)
	y := t.must(t.kind, x.seat)
	if !y.resumed {
		t.Error("the session was not resumed")
	}
	y.wantPushes(numbered(1, 3)...)
	t.pushAll(y.user, "live")
	y.wantPushes("live")
}

// slow: for a client that does not read there is a limit; others notice nothing. It is closed, and when
// it comes back it has lost nothing of what was taken for it.
func slow(t *trial) {
	x := t.newcomer()
	fine := t.must(t.kind, seat{user: x.user + "/fine"})
	text := func(i int) string { return fmt.Sprint(i, ":", strings.Repeat("x", 60_000)) }
	var taken []string
	for len(taken) < 1000 && t.push(x.user, text(len(taken))) != gatewayv1.PushOutcome_PUSH_OUTCOME_SLOW {
		taken = append(taken, text(len(taken)))
		if len(taken)%10 == 0 {
			t.pushAll(fine.user, "fine")
			fine.wantPushes("fine")
		}
	}
	if len(taken) == 1000 {
		t.Fatal("60 MB are kept for a client that does not read")
	}
	t.await("the slow client is closed", func() bool { return !t.node.Connected(x.session) })
	got := 0
	for {
		e, err := x.recv()
		if err != nil {
			if told, ok := errors.AsType[transport.Disconnect](err); ok && told.Code != transport.Slow.Code {
				t.Errorf("it was told %v", err)
			}
			break
		}
		if e.kind != "push" || e.text != taken[got] {
			t.Fatalf("push %d is %q %.20q", got, e.kind, e.text)
		}
		got++
	}
	y := t.must(t.kind, x.seat)
	if !y.resumed {
		t.Fatal("its session is gone")
	}
	y.wantPushes(taken[got:]...)
	fine.wantAnswer("fine")
}

// malformed: a frame that is no message of the protocol is refused, and the session goes on.
func malformed(t *trial) {
	x := t.newcomer()
	garbage := []string{"\xff\xff\xff\xff", "\x0a\xff"}
	if t.kind.Format == "json" {
		garbage = []string{`{"type":`, `[]`, `{"type": {}}`}
	}
	for _, frame := range garbage {
		x.send(frame)
		if e, err := x.next("refusal"); err != nil || e.text != "MALFORMED" {
			t.Fatalf("%q: %+v, %v", frame, e, err)
		}
		x.wantAnswer("alive")
	}
}

// oversized: a frame above the limit ends the connection, and not the session.
func oversized(t *trial) {
	x := t.newcomer()
	fine := t.must(t.kind, seat{user: x.user + "/fine"})
	_ = x.link.Send(strings.Repeat("x", t.node.Frame)) // may fail: the node hangs up in the middle of it
	if err := x.end(); errors.Is(err, errSilent) {
		t.Error("the connection goes on")
	}
	t.pushAll(x.user, "kept")
	y := t.must(t.kind, x.seat)
	if !y.resumed {
		t.Error("the session was not resumed")
	}
	y.wantPushes("kept")
	fine.wantAnswer("fine")
}

// codes: whatever the reason for which the node closes a connection, its client is told, and when to
// come back.
func codes(t *trial) {
	reasons := t.node.Reasons
	if reasons == nil {
		reasons = []transport.Disconnect{
			transport.Shutdown.After(1234 * time.Millisecond), transport.Slow, transport.TokenExpired, transport.StoreGone,
			transport.InternalError, transport.Overloaded.After(time.Minute), transport.Kicked.Because("by carol"), transport.BadRequest,
			transport.Superseded, transport.Shutdown.Because("%s", strings.Repeat("x", 60)).After(time.Millisecond),
		}
	}
	for i, why := range reasons {
		x := t.must(t.kind, seat{user: fmt.Sprint(t.user(), "/", i)})
		if err := t.node.Close(x.session, why); err != nil {
			t.Fatal(err)
		}
		x.wantEnd(why)
	}
}

// leaving: a client that ends its session is offline at once.
func leaving(t *trial) {
	x := t.newcomer()
	if bye := x.lang.request("bye", ""); bye != "" {
		x.send(bye)
	} else if err := x.link.Finish(); err != nil {
		t.Fatal(err)
	}
	t.await("the session is over", func() bool {
		return t.push(x.user, "too late") == gatewayv1.PushOutcome_PUSH_OUTCOME_OFFLINE
	})
	if y := t.must(t.kind, x.seat); y.resumed {
		t.Error("a session that was ended is resumed")
	}
}
