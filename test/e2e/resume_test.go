package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"

	"github.com/game-im/hermod/test/proxy"
)

// resumer is a client with the capability resume that keeps account of what it was given.
type resumer struct {
	t     *testing.T
	n     *Node
	addr  string
	hello Hello
	*Stream

	seen   []string // message ids by link_seq, from 1
	acked  uint64   // the last link_seq that was acknowledged
	seq    int64    // the last of the room that was seen
	copies int      // frames that came again
}

func newResumer(t *testing.T, n *Node, addr string, h Hello) *resumer {
	t.Helper()
	r := &resumer{t: t, n: n, addr: addr, hello: h}
	r.Stream = Open(t, addr, h).Greeted()
	return r
}

// back opens the stream again, claiming to have everything up to last, and tells whether the
// session was resumed.
func (r *resumer) back(last uint64) bool {
	r.t.Helper()
	h := r.hello
	h.Session, h.Ticket, h.Last = r.Header("session-id"), r.Header("resume-ticket"), last
	r.Stream = Open(r.t, r.addr, h).Greeted()
	return r.Header("resumed") == "true"
}

// take takes one frame: the next in order, or one that came before and was not acknowledged.
func (r *resumer) take(f Frame) {
	r.t.Helper()
	switch {
	case f.Link == 0:
		r.t.Fatalf("a frame without link_seq: %v", f)
	case f.Link > uint64(len(r.seen))+1:
		r.t.Fatalf("link_seq %d after %d", f.Link, len(r.seen))
	case f.Link <= uint64(len(r.seen)):
		r.copies++
		if r.seen[f.Link-1] != f.GetMessageId() {
			r.t.Fatalf("link_seq %d was %s and is %s now", f.Link, r.seen[f.Link-1], f.GetMessageId())
		}
		return
	}
	r.seen = append(r.seen, f.GetMessageId())
	if f.GetSeq() == 0 {
		return
	}
	if r.seq > 0 && f.GetSeq() != r.seq+1 {
		r.t.Fatalf("seq %d after %d", f.GetSeq(), r.seq)
	}
	r.seq = f.GetSeq()
}

// chatter sends messages to a room until ctx ends, and returns how many.
func chatter(ctx context.Context, t *testing.T, im imv1.IMServiceClient, room, user string, pause time.Duration) int64 {
	t.Helper()
	for i := int64(0); ; i++ {
		select {
		case <-ctx.Done():
			return i
		case <-time.After(pause):
		}
		_, err := im.SendMessage(t.Context(), &imv1.SendMessageRequest{
			UserId: user, RoomId: room, Type: text, Content: fmt.Appendf(nil, "%s %d", user, i),
		})
		if err != nil {
			t.Errorf("%s: %v", user, err)
			return i
		}
	}
}

// TestA5ResumeOverCuts breaks the connection of a client again and again, in several ways, while its
// room is busy: what it gets over all of its connections is one stream without a hole.
func TestA5ResumeOverCuts(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	link := proxy.New(t, n.IM)
	im := n.Calls()
	join(t, im, "room", "first", "second")
	r := newResumer(t, n, link.Addr, Hello{User: "reader", Room: "room", Capabilities: "ack,resume,batch"})

	busy, quiet := context.WithCancel(t.Context())
	defer quiet()
	var wg sync.WaitGroup
	var sent [2]int64
	for i, user := range []string{"first", "second"} {
		wg.Go(func() { sent[i] = chatter(busy, t, im, "room", user, time.Millisecond) })
	}
	breaks := []func(){
		link.Cut,
		link.Stall,
		func() { r.Cut() },
		link.HalfClose,
	}
	rounds := 16
	if testing.Short() {
		rounds = 8
	}
	for round := range rounds {
		for range 1 + rand.IntN(60) {
			f := r.Next()
			r.take(f)
			if rand.IntN(10) == 0 {
				r.AckLink(f.Link)
				r.acked = f.Link
			}
		}
		breaks[round%len(breaks)]()
		last := r.acked // a client that remembers no more than what it acknowledged
		if round%2 == 0 {
			last = uint64(len(r.seen))
			r.acked = last
		}
		before := r.Header("resume-ticket")
		if !r.back(last) {
			t.Fatalf("round %d: not resumed", round)
		}
		if r.Header("resume-ticket") == before || r.Header("session-id") == "" {
			t.Errorf("round %d: headers %v", round, r.header)
		}
		f := r.Next()
		if f.Link != last+1 {
			t.Errorf("round %d: claims to have %d and gets %d next", round, last, f.Link)
		}
		r.take(f)
	}
	quiet()
	wg.Wait()
	for r.seq < sent[0]+sent[1] {
		r.take(r.Next())
	}
	for _, f := range r.Flush() {
		t.Errorf("beyond the last message: %v", f)
	}
	if r.copies == 0 {
		t.Error("nothing came twice, though not everything had been acknowledged: the test does not test")
	}
	if got := n.Metric("hermod_session_resumes_total", `result="resumed"`); got != float64(rounds) {
		t.Errorf("%g resumes counted, %d made", got, rounds)
	}
}

// TestA5TicketWorksOnce shows tickets that are no good: one whose successor is in use, somebody else's, a
// false claim.
func TestA5TicketWorksOnce(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	im := n.Calls()
	join(t, im, "room", "alice", "eve")
	r := newResumer(t, n, n.IM, Hello{User: "bob", Room: "room", Capabilities: "resume"})
	say(t, im, "room", "alice", "1", "2")
	r.Take(2)
	session, ticket := r.Header("session-id"), r.Header("resume-ticket")
	if session == "" || ticket == "" || r.Header("resumed") != "false" || r.Header("heartbeat-seconds") != "30" {
		t.Fatalf("headers %v", r.header)
	}
	r.Cut()
	for what, h := range map[string]Hello{
		"another user":  {User: "eve", Room: "room", Session: session, Ticket: ticket, Last: 2},
		"a guess":       {User: "bob", Room: "room", Session: session, Ticket: "guess", Last: 2},
		"no ticket":     {User: "bob", Room: "room", Session: session, Last: 2},
		"another name":  {User: "bob", Room: "room", Session: "guess", Ticket: ticket, Last: 2},
		"frames unsent": {User: "bob", Room: "room", Session: session, Ticket: ticket, Last: 99},
	} {
		h.Capabilities = "resume"
		if s := n.Connect(h); s.Header("resumed") != "false" || s.Header("session-id") == session {
			t.Errorf("%s: headers %v", what, s.header)
		} else {
			s.End()
		}
	}
	say(t, im, "room", "alice", "3")
	if !r.back(2) {
		t.Fatal("the right ticket was refused")
	}
	if f := r.Next(); string(f.GetContent()) != "3" || f.Link != 3 {
		t.Errorf("after the resume: %v", f)
	}
	// Until he is heard on the new connection, its answer may have been lost, and the ticket in it.
	r.Say("room", "heard", "he is there")
	eventually(t, "he is heard", func() bool { return info(t, im, "room", "alice").GetRoomInfo().GetMessageCount() == 4 })
	used := n.Connect(Hello{User: "bob", Room: "room", Capabilities: "resume", Session: session, Ticket: ticket, Last: 3})
	if used.Header("resumed") != "false" || used.Header("session-id") == session {
		t.Errorf("a ticket was good twice: %v", used.header)
	}
	// The session that was resumed is none the worse for it.
	say(t, im, "room", "alice", "4")
	if f := r.Next(); string(f.GetContent()) != "4" || f.Link != 4 {
		t.Errorf("after the attempts: %v", f)
	}
}

// TestA5TakenOver resumes while the older connection is still open: that one is told.
func TestA5TakenOver(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	r := newResumer(t, n, n.IM, Hello{User: "bob", Room: "room", Capabilities: "resume"})
	n.settled(2)
	older := r.Stream
	if !r.back(0) {
		t.Fatal("not resumed")
	}
	older.Disconnected("4000")
	join(t, n.Calls(), "room", "alice")
	say(t, n.Calls(), "room", "alice", "hello")
	if f := r.Next(); f.GetType() != imv1.MessageType_MESSAGE_TYPE_JOIN_ROOM || f.Link != 1 {
		t.Errorf("first frame %v", f)
	}
	if f := r.Next(); string(f.GetContent()) != "hello" || f.Link != 2 {
		t.Errorf("second frame %v", f)
	}
}

// TestA5ResumeAtOnce loses the connection right after the headers, when the node may not have
// finished opening the session, and resumes on another one: with the older one still open, or cut.
func TestA5ResumeAtOnce(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	im := n.Calls()
	join(t, im, "room", "alice")
	for round := range 40 {
		bob := fmt.Sprint("bob ", round)
		join(t, im, "room", bob)
		first := newResumer(t, n, n.IM, Hello{User: bob, Room: "room", Capabilities: "resume"})
		if round%2 == 0 {
			first.Cut()
		}
		if !first.back(0) {
			t.Errorf("round %d: not resumed", round)
		}
		content := fmt.Sprint("round ", round)
		say(t, im, "room", "alice", content)
		first.Until(content, func(f Frame) bool { return string(f.GetContent()) == content })
		first.End()
	}
}

// TestA5SendsOverAResume: what is sent right after the resume, and answered, has its place behind
// what had been missed.
func TestA5SendsOverAResume(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	im := n.Calls()
	join(t, im, "room", "alice")
	r := newResumer(t, n, n.IM, Hello{User: "bob", Room: "room", Capabilities: "ack,resume"})
	n.settled(2)
	r.Say("", "before", "before")
	if f := r.Next(); f.GetSeq() != 1 || !f.Ack(t).GetSuccess() {
		t.Fatalf("answer %v", f)
	}
	r.Cut()
	n.AwaitMetric(1, "hermod_sessions", `state="detached"`)
	say(t, im, "room", "alice", "missed")
	if !r.back(1) {
		t.Fatal("not resumed")
	}
	r.Say("", "after", "after")
	r.Say("", "before", "before")
	if f := r.Next(); string(f.GetContent()) != "missed" || f.Link != 2 || f.GetSeq() != 2 {
		t.Errorf("first %v", f)
	}
	if f := r.Next(); f.Ack(t).GetOriginalMessageId() != "after" || f.Link != 3 || f.GetSeq() != 3 {
		t.Errorf("second %v", f)
	}
	if f := r.Next(); f.Ack(t).GetOriginalMessageId() != "before" || f.Link != 4 || f.GetSeq() != 1 {
		t.Errorf("third %v", f)
	}
}

// TestA5AfterARestart: the node has forgotten the session and says so; nothing is lost.
func TestA5AfterARestart(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	im := n.Calls()
	join(t, im, "room", "alice")
	r := newResumer(t, n, n.IM, Hello{User: "bob", Room: "room", Capabilities: "resume"})
	say(t, im, "room", "alice", "1", "2", "3")
	frames := r.Take(3)
	r.AckLink(2)
	r.Flush()
	n.Restart()
	say(t, im, "room", "alice", "4")
	if r.back(3) {
		t.Fatal("resumed a session of the process before")
	}
	for i, want := range []string{"3", "4"} {
		f := r.Next()
		if string(f.GetContent()) != want || f.Link != uint64(i+1) {
			t.Errorf("frame %d of the new session is %v, want %q", i+1, f, want)
		}
		if want == "3" && f.GetMessageId() != frames[2].GetMessageId() {
			t.Error("a message has another id after the restart")
		}
	}
}

// TestA5WindowOver: who comes back too late starts anew, with everything that he missed.
func TestA5WindowOver(t *testing.T) {
	t.Parallel()
	n := Start(t, "session:\n  resume_window: 5s\n") // in which the test sees that the session is detached
	im := n.Calls()
	join(t, im, "room", "alice")
	r := newResumer(t, n, n.IM, Hello{User: "bob", Room: "room", Capabilities: "resume"})
	say(t, im, "room", "alice", "1")
	r.AckLink(r.Next().Link)
	r.Flush()
	r.Cut()
	n.AwaitMetric(1, "hermod_sessions", `state="detached"`)
	say(t, im, "room", "alice", "2")
	n.eventually("the session is over", func() bool { return n.Metric("hermod_sessions") == 0 })
	if r.back(1) {
		t.Fatal("resumed after the window")
	}
	if f := r.Next(); string(f.GetContent()) != "2" {
		t.Errorf("after the window: %v", f)
	}
}
