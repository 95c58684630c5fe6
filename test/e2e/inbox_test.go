package e2e

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc/metadata"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	"github.com/game-im/hermod/sdk/upstream"
)

// keep pushes to a user who is away, and has it kept.
func (n *Node) keep(user string, texts ...string) {
	n.t.Helper()
	for _, text := range texts {
		if resp := pushTo(n.t, store(n.t), n.Pushes(), user, text); resp.GetMessage() != "queued" {
			n.t.Fatalf("%s for %s: %v", text, user, resp)
		}
	}
}

// ends returns what has become of push targets that were answered queued, in sessions and in inboxes.
func (n *Node) ends() map[string]int {
	n.t.Helper()
	all := map[string]int{}
	for _, o := range []string{"delivered", "expired", "unknown", "dropped"} {
		for _, family := range []string{"hermod_session_settled_pushes_total", "hermod_store_settled_pushes_total"} {
			all[o] += int(n.Metric(family, `outcome="`+o+`"`))
		}
		if all[o] == 0 {
			delete(all, o)
		}
	}
	return all
}

func (n *Node) awaitEnds(want map[string]int) {
	n.t.Helper()
	n.eventually(fmt.Sprintf("the ends are %v", want), func() bool { return maps.Equal(n.ends(), want) })
}

// login starts a session of the gateway protocol and lets it in. It acknowledges nothing by itself.
func (n *Node) login(openid string) *Player {
	n.t.Helper()
	p := Dialed(n.t, n.IM, openid, nil)
	p.Quiet = true
	p.Begin(&gatewayv1.StartRequest{})
	p.Ask("hello", "")
	return p
}

// dataOf returns what the next frames of a session bring.
func dataOf(p *Player, count int) (all []string) {
	p.t.Helper()
	for range count {
		all = append(all, string(read(p.t, p.Next(), &gatewayv1.BusinessResponse{}).GetData()))
	}
	return all
}

// TestA7KeptUntilAcknowledged kills the node between replay and acknowledgement: what was kept comes again,
// by whichever protocol, with the same ids, until it was acknowledged; and then never.
func TestA7KeptUntilAcknowledged(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	n.keep("10001", numbers(1, 3)...)
	bob := Hello{User: "10001", Capabilities: "resume"}
	first := n.Connect(bob).Take(3)
	expect(t, "the first time", said(first), numbers(1, 3)...)
	for _, f := range first {
		if f.GetMetadata()["kept"] != "true" || f.GetSeq() != 0 || f.GetRoomId() != "" {
			t.Errorf("a kept push came as %v", f)
		}
	}
	n.Kill()
	n.Boot()
	expect(t, "by the other protocol", dataOf(n.login("10001"), 3), numbers(1, 3)...)
	n.Kill()
	n.Boot()
	s := n.Connect(bob)
	again := s.Take(3)
	for i := range first {
		if first[i].GetMessageId() != again[i].GetMessageId() || !bytes.Equal(first[i].GetContent(), again[i].GetContent()) {
			t.Errorf("%v came again as %v", first[i], again[i])
		}
	}
	s.AckLink(again[1].Link)
	n.awaitEnds(map[string]int{"delivered": 2})
	n.Kill()
	n.Boot()
	p := n.login("10001")
	expect(t, "what was not acknowledged", dataOf(p, 1), "3")
	p.Ack()
	n.awaitEnds(map[string]int{"delivered": 1})
	n.Kill()
	n.Boot()
	p = n.login("10001")
	wantData(t, p.Ask("echo", "nothing before"), "success", "Echo: nothing before")
	expect(t, "when all was acknowledged", said(n.Connect(bob).Flush()))
}

// TestA7TwoDevicesAtOnce: every session that comes before somebody has acknowledged what is kept gets all of
// it, in order and once; one that comes later gets nothing.
func TestA7TwoDevicesAtOnce(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	for round := range 10 {
		user := fmt.Sprint("user ", round)
		n.keep(user, numbers(1, 20)...)
		devices := make([]*Stream, 2)
		var coming sync.WaitGroup
		for i := range devices {
			coming.Go(func() { devices[i] = n.Begin(Hello{User: user, Device: fmt.Sprint(i), Capabilities: "resume"}) })
		}
		coming.Wait()
		var last uint64
		for i, d := range devices {
			got := d.Greeted().Take(20)
			expect(t, fmt.Sprint("device ", i), said(got), numbers(1, 20)...)
			last = got[19].Link
		}
		devices[1].AckLink(last)
		devices[1].Flush()
		third := n.Connect(Hello{User: user, Device: "third", Capabilities: "resume"})
		if resp := pushTo(t, store(t), n.Pushes(), user, "live"); resp.GetMessage() != "delivered" {
			t.Errorf("%v", resp)
		}
		for i, d := range append(devices, third) {
			expect(t, fmt.Sprint("device ", i, " afterwards"), said(d.Take(1)), "live")
		}
	}
	n.awaitEnds(map[string]int{"delivered": 200})
}

// TestA7KeptAndLive pushes while an inbox is replayed: all that comes live comes behind all that was kept.
func TestA7KeptAndLive(t *testing.T) {
	t.Parallel()
	n := Start(t, "push:\n  inbox_per_user: 10000\nsession:\n  queue_bytes: 64KiB\n")
	const kept, live = 2000, 100
	n.keepMany("bob", kept)
	bob := n.Connect(Hello{User: "bob", Capabilities: "resume"})
	var pushing sync.WaitGroup
	pushing.Go(func() {
		for _, text := range numbers(1, live) {
			if resp := pushTo(t, within(t), n.Pushes(), "bob", text); resp.GetMessage() != "delivered" {
				t.Errorf("%s: %v", text, resp)
			}
		}
	})
	var got []string
	for len(got) < kept+live {
		f := bob.Next()
		got = append(got, string(f.GetContent()))
		if len(got)%50 == 0 {
			bob.AckLink(f.Link)
		}
	}
	pushing.Wait()
	if i := slices.IndexFunc(got, func(s string) bool { return s != "kept" }); i != kept {
		t.Errorf("something live came in place %d", i)
	}
	expect(t, "behind what was kept", got[kept:], numbers(1, live)...)
}

// keepMany keeps so many pushes for a user, all the same.
func (n *Node) keepMany(user string, count int) {
	n.t.Helper()
	for count > 0 {
		req := &gatewayv1.BatchUnicastPushRequest{MsgType: "m", Data: []byte("kept")}
		for range min(count, 500) { // a call has to be over in time on a slow machine, too
			req.Targets = append(req.Targets, &gatewayv1.UnicastTarget{TargetType: "openid", TargetId: user})
		}
		resp, err := n.Pushes().BatchPushToClients(store(n.t), req)
		if err != nil || int(resp.GetSuccessCount()) != len(req.GetTargets()) {
			n.t.Fatalf("%d of %d were kept, %v", resp.GetSuccessCount(), len(req.GetTargets()), err)
		}
		count -= len(req.GetTargets())
	}
}

// TestKeptPushesWaitForTheClient: of thousands of kept pushes a session has no more in memory than its queue takes,
// however slowly the client acknowledges; and it gets all of them.
func TestKeptPushesWaitForTheClient(t *testing.T) {
	t.Parallel()
	const kept, queue = 5000, 64 << 10
	n := Start(t, fmt.Sprintf("push:\n  inbox_per_user: %d\nsession:\n  queue_bytes: %d\n  stall_timeout: 10m\n", kept, queue))
	n.keepMany("bob", kept)
	bob := n.Connect(Hello{User: "bob", Capabilities: "resume"})
	sessions := gatewayv1.NewSessionServiceClient(Dial(t, n.Gateway))
	frames := append([]Frame{bob.Next()}, bob.Flush()...)
	got, last := len(frames), frames[len(frames)-1].Link
	for got < kept {
		info, err := sessions.GetSession(within(t), &gatewayv1.GetSessionRequest{SessionId: bob.Header("session-id")})
		if err != nil || info.GetQueueBytes() > queue {
			t.Fatalf("%d bytes are queued, %v", info.GetQueueBytes(), err)
		}
		bob.AckLink(last)
		frames = append([]Frame{bob.Next()}, bob.Flush()...)
		got, last = got+len(frames), frames[len(frames)-1].Link
	}
	bob.AckLink(last)
	if rest := bob.Flush(); got != kept || len(rest) > 0 {
		t.Errorf("%d came, and then %d", got, len(rest))
	}
	n.awaitEnds(map[string]int{"delivered": kept})
}

// TestA8KeptExpires: what has expired is not replayed, and is counted as expired, also where something later
// is acknowledged; and a session that was told of it goes on.
func TestA8KeptExpires(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	c := n.Upstream()
	push := func(title string, opts ...upstream.CallOption) {
		t.Helper()
		if o, err := c.Push(t.Context(), upstream.OpenID("bob"), titled(title), append(opts, upstream.StoreOffline())...); err != nil || o.Status != upstream.Queued {
			t.Fatalf("%s: %+v, %v", title, o, err)
		}
	}
	bob := newResumer(t, n, n.IM, Hello{User: "bob", Capabilities: "resume"})
	bob.Cut()
	n.AwaitMetric(1, "hermod_sessions", `state="detached"`)
	push("brief", upstream.TTL(brief))
	over(t, brief)
	if !bob.back(0) {
		t.Fatal("not resumed")
	}
	// The session knows that there was something. It does not look for it for ever.
	if resp := pushTo(t, within(t), n.Pushes(), "bob", "live"); resp.GetMessage() != "delivered" {
		t.Errorf("%v", resp)
	}
	if f := bob.Next(); string(f.GetContent()) != "live" {
		t.Errorf("got %v", f)
	}
	bob.End()
	push("brief", upstream.TTL(brief))
	push("ample", upstream.TTL(ample))
	over(t, brief)
	s := n.Connect(Hello{User: "bob", Capabilities: "resume"})
	f := s.Next()
	if f.GetMetadata()["title"] != "ample" {
		t.Errorf("got %v", f)
	}
	s.AckLink(f.Link)
	n.awaitEnds(map[string]int{"expired": 2, "delivered": 1})
	if got, want := n.outcomes(), map[string]int{"queued": 3, "delivered": 1}; !maps.Equal(got, want) {
		t.Errorf("outcomes %v, want %v", got, want)
	}
}

// TestA8QueuedHasAnEnd: as many targets as were answered queued have an end when nothing waits any more, each
// the one that it had.
func TestA8QueuedHasAnEnd(t *testing.T) {
	t.Parallel()
	n := Start(t, "session:\n  resume_window: 10s\npush:\n  inbox_per_user: 2\n  inbox_overflow: drop_oldest\n")
	n.keep("carol", numbers(1, 3)...) // the oldest gives way
	carol := n.Connect(Hello{User: "carol"})
	expect(t, "carol", said(carol.Take(2)), "2", "3")
	carol.End()

	away := func(user string) *resumer {
		r := newResumer(t, n, n.IM, Hello{User: user, Capabilities: "resume"})
		before := n.Metric("hermod_sessions", `state="detached"`)
		r.Cut()
		n.AwaitMetric(before+1, "hermod_sessions", `state="detached"`)
		return r
	}
	queue := func(user string, pairs ...string) {
		t.Helper()
		ctx := metadata.AppendToOutgoingContext(within(t), pairs...)
		if resp := pushTo(t, ctx, n.Pushes(), user, "push"); resp.GetMessage() != "queued" {
			t.Fatalf("%s: %v", user, resp)
		}
	}
	lost, back := away("lost"), away("back")
	_ = lost // never comes back
	queue("lost")
	queue("lost", "ttl", "500ms")
	queue("back")
	if !back.back(0) {
		t.Fatal("not resumed")
	}
	back.AckLink(back.Next().Link)
	n.awaitEnds(map[string]int{"delivered": 3, "dropped": 2, "expired": 1})
	if got, want := n.outcomes(), map[string]int{"queued": 6}; !maps.Equal(got, want) {
		t.Errorf("outcomes %v, want %v", got, want)
	}
}

// TestA8KeptAfterWaiting: a caller who waits for an acknowledgement that does not come is told that the push
// is kept, and its end is that of the inbox alone.
func TestA8KeptAfterWaiting(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	bob := n.Connect(Hello{User: "bob", Capabilities: "resume"})
	ctx := metadata.AppendToOutgoingContext(context.WithoutCancel(store(t)), "wait", "acknowledged", "wait-timeout", "200ms")
	if resp := pushTo(t, ctx, n.Pushes(), "bob", "push"); resp.GetOutcome() != gatewayv1.PushOutcome_PUSH_OUTCOME_QUEUED {
		t.Fatalf("%v", resp)
	}
	frames := bob.Take(2)
	if frames[0].GetMessageId() != frames[1].GetMessageId() {
		t.Errorf("%v came again as %v", frames[0], frames[1])
	}
	bob.AckLink(frames[1].Link)
	n.awaitEnds(map[string]int{"delivered": 1})
}

// TestInboxIsShown: how much is kept is told by gRPC, REST and hermodctl, and to the SDK.
func TestInboxIsShown(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	c := n.Upstream()
	if got, err := c.Inbox(t.Context(), "bob"); err != nil || got != (upstream.InboxInfo{OpenID: "bob"}) {
		t.Errorf("nothing is kept: %+v, %v", got, err)
	}
	n.keep("bob", "12", "345")
	got, err := c.Inbox(t.Context(), "bob")
	if err != nil || got.Pushes != 2 || got.Bytes != int64(len("m12m345")) || got.Oldest.IsZero() {
		t.Errorf("%+v, %v", got, err)
	}
	if status, body := n.Page("/v1/inboxes/bob"); status != 200 || !strings.Contains(body, `"pushes":2`) || !strings.Contains(body, `"bytes":"7"`) {
		t.Errorf("REST: %d %s", status, body)
	}
	out, err := hermodctl(t, "inbox", "bob", "carol", "--addr", n.Gateway)
	if err != nil || !strings.Contains(out, "bob     2       7") || !strings.Contains(out, "carol   0       0      -") {
		t.Errorf("%v\n%s", err, out)
	}
	if _, err := c.Inbox(t.Context(), ""); err == nil {
		t.Error("nobody has an inbox")
	}
	bob := n.Connect(Hello{User: "bob"})
	bob.Take(2)
	bob.End()
	if got, err := c.Inbox(t.Context(), "bob"); err != nil || got.Pushes != 0 || got.Bytes != 0 || !got.Oldest.IsZero() {
		t.Errorf("when he has been here: %+v, %v", got, err)
	}
}
