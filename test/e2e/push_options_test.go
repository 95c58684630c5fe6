package e2e

import (
	"context"
	"errors"
	"maps"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/client"
	"github.com/game-im/hermod/sdk/discovery"
	"github.com/game-im/hermod/sdk/upstream"
)

// Upstream returns a service's push client.
func (n *Node) Upstream() *upstream.UnicastClient {
	n.t.Helper()
	c := upstream.NewUnicastClient(n.Gateway, upstream.WithTimeout(patience))
	if err := c.Connect(); err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() {
		if err := c.Close(); err != nil {
			n.t.Error(err)
		}
	})
	return c
}

// listener connects a user by the SDK.
func listener(t *testing.T, n *Node, user string, onMessage func(*imv1.MessageResponse)) *client.Client {
	t.Helper()
	host, digits, err := net.SplitHostPort(n.IM)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(digits)
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.NewClient(&client.Config{
		UserID: user, OnMessage: onMessage, MaxRetries: -1, RetryInterval: 50 * time.Millisecond,
		Services: []*discovery.ServiceInfo{{ID: "node", Address: host, Port: port, Health: discovery.HealthHealthy}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Connect(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Disconnect(); err != nil {
			t.Error(err)
		}
	})
	return c
}

var mail = upstream.Notification{MsgType: "mail", Title: "Mail", Content: "You have mail"}

// TestPushAcknowledgedByTheSDK: with a wait, delivered is when OnMessage has returned, and not before.
func TestPushAcknowledgedByTheSDK(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	c := n.Upstream()
	proceed := make(chan struct{})
	var once sync.Once
	release := func() { once.Do(func() { close(proceed) }) }
	t.Cleanup(release) // before Disconnect waits for OnMessage
	entered := make(chan struct{}, 10)
	listener(t, n, "alice", func(*imv1.MessageResponse) {
		entered <- struct{}{}
		<-proceed
	})
	defer release()

	late, err := c.Push(t.Context(), upstream.OpenID("alice"), mail, upstream.WaitForAck(500*time.Millisecond))
	if err != nil || late.Status != upstream.Queued || !strings.Contains(late.Message, "not acknowledged in time") {
		t.Errorf("while OnMessage runs: %+v, %v", late, err)
	}
	<-entered // it has arrived all the same
	type answer struct {
		outcome upstream.Outcome
		err     error
	}
	answered := make(chan answer, 1)
	go func() {
		o, err := c.Push(t.Context(), upstream.OpenID("alice"), mail, upstream.WaitForAck(20*time.Second))
		answered <- answer{o, err}
	}()
	select {
	case a := <-answered:
		t.Errorf("answered before anything was acknowledged: %+v", a)
	case <-time.After(100 * time.Millisecond):
	}
	release()
	if a := <-answered; a.err != nil || a.outcome.Status != upstream.Delivered {
		t.Errorf("after OnMessage: %+v", a)
	}
	if got, want := n.outcomes(), map[string]int{"queued": 1, "delivered": 1}; !maps.Equal(got, want) {
		t.Errorf("outcomes %v, want %v", got, want)
	}
}

// TestA8Acknowledged waits for every kind of target at once: one deadline for all, one outcome for
// each, in order.
func TestA8Acknowledged(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	c := n.Upstream()
	acks := n.Connect(Hello{User: "acks", Capabilities: "resume"})
	silent := n.Connect(Hello{User: "silent", Capabilities: "resume"})
	old := n.Connect(Hello{User: "old"}) // acknowledges by whatever it says
	r := newResumer(t, n, n.IM, Hello{User: "lost", Capabilities: "resume"})
	r.Cut()
	n.AwaitMetric(1, "hermod_sessions", `state="detached"`)
	go func() {
		acks.AckLink(acks.Next().Link)
		old.Next()
		old.Send(heartbeat("old", ""))
	}()
	to := []upstream.Target{
		upstream.OpenID("silent"), upstream.OpenID("acks"), upstream.OpenID("old"), upstream.OpenID("lost"),
		upstream.OpenID("nobody"), upstream.Session("none"), {Type: "room", ID: "lobby"},
	}
	start := time.Now()
	results, err := c.PushBatch(t.Context(), to, mail, upstream.WaitForAck(2*time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(start); took < 2*time.Second || took > 10*time.Second {
		t.Errorf("took %v; the wait is one of 2s for all", took)
	}
	want := []upstream.Status{
		upstream.Queued, upstream.Delivered, upstream.Delivered, upstream.Queued, upstream.Offline, upstream.NotFound, upstream.Rejected,
	}
	for i, r := range results {
		if r.Target != to[i] || r.Outcome.Status != want[i] {
			t.Errorf("%s: %+v, %v; want %s", to[i], r.Outcome, r.Err, want[i])
		}
	}
	if got, want := n.outcomes(), map[string]int{"delivered": 2, "queued": 2, "offline": 1, "not_found": 1, "rejected": 1}; !maps.Equal(got, want) {
		t.Errorf("outcomes %v, want %v", got, want)
	}
	checkArrived(t, silent)
}

func checkArrived(t *testing.T, s *Stream) {
	t.Helper()
	if f := s.Next(); f.GetMetadata()["title"] != mail.Title {
		t.Errorf("arrived: %v", f)
	}
}

// TestA8LostWhileWaitedFor: whoever waits hears at once that the client is gone, and what that means.
func TestA8LostWhileWaitedFor(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	c := n.Upstream()
	for _, test := range []struct {
		user  string
		clean bool
		opts  []upstream.CallOption
		want  upstream.Status
	}{
		{"lost", false, nil, upstream.Queued},
		{"ended", true, nil, upstream.Unknown},
		{"ended, stored", true, []upstream.CallOption{upstream.StoreOffline()}, upstream.Queued},
	} {
		s := n.Connect(Hello{User: test.user, Capabilities: "resume"})
		go func() {
			s.Next()
			if test.clean {
				s.End()
			} else {
				s.Cut()
			}
		}()
		start := time.Now()
		got, err := c.Push(t.Context(), upstream.OpenID(test.user), mail, append(test.opts, upstream.WaitForAck(25*time.Second))...)
		if got.Status != test.want || (err == nil) != (test.want == upstream.Queued) || time.Since(start) > 20*time.Second {
			t.Errorf("%s: %+v, %v after %v", test.user, got, err, time.Since(start))
		}
	}
	checkArrived(t, n.Connect(Hello{User: "ended, stored"}))
	if _, err := c.Broadcast(t.Context(), mail); err != nil {
		t.Error(err)
	}
}

// TestPushMetadataThatIsWrong is refused, and nothing pushed.
func TestPushMetadataThatIsWrong(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	g := n.Pushes()
	alice := n.Connect(Hello{User: "alice"})
	one := &gatewayv1.UnicastPushRequest{TargetType: "openid", TargetId: "alice"}
	many := &gatewayv1.BatchUnicastPushRequest{Targets: []*gatewayv1.UnicastTarget{{TargetType: "openid", TargetId: "alice"}}}
	for _, pairs := range [][]string{
		{"wait", "read"}, {"wait-timeout", "1s"}, {"wait", "acknowledged", "wait-timeout", "soon"},
		{"wait", "acknowledged", "wait-timeout", "31s"}, {"wait", "acknowledged", "wait-timeout", "-1s"},
		{"idempotency-key", ""}, {"idempotency-key", strings.Repeat("k", 256)},
	} {
		if resp, err := g.PushToClient(with(t, pairs...), one); err != nil || resp.GetErrorCode() != "INVALID_REQUEST" || resp.GetMessage() == "" {
			t.Errorf("%q: %v, %v", pairs, resp, err)
		}
		_, err := g.BatchPushToClients(with(t, pairs...), many)
		refused(t, "a batch with "+strings.Join(pairs, " "), err, codes.InvalidArgument, "INVALID_REQUEST")
		_, err = g.BroadcastToClients(with(t, pairs...), &gatewayv1.BroadcastRequest{})
		refused(t, "a broadcast with "+strings.Join(pairs, " "), err, codes.InvalidArgument, "INVALID_REQUEST")
	}
	_, err := g.BroadcastToClients(with(t, "wait", "acknowledged"), &gatewayv1.BroadcastRequest{})
	refused(t, "a broadcast that waits", err, codes.InvalidArgument, "INVALID_REQUEST")
	if rest := alice.Flush(); len(rest) > 0 {
		t.Errorf("refused pushes arrived: %v", rest)
	}
}

// TestPushOnceOverACrash repeats requests before and after a kill: each is pushed once, and the answer
// is the first one.
func TestPushOnceOverACrash(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	c := n.Upstream()
	h := Hello{User: "alice", Capabilities: "resume"}
	alice := n.Connect(h)
	batch := []upstream.Target{upstream.OpenID("alice"), upstream.OpenID("nobody")}
	ask := func(when string) {
		t.Helper()
		if o, err := c.Push(t.Context(), upstream.OpenID("alice"), mail, upstream.IdempotencyKey("one")); err != nil || o.Status != upstream.Delivered {
			t.Errorf("%s, one: %+v, %v", when, o, err)
		}
		results, err := c.PushBatch(t.Context(), batch, mail, upstream.IdempotencyKey("many"))
		if err != nil || results[0].Outcome.Status != upstream.Delivered || !errors.Is(results[1].Err, upstream.ErrTargetOffline) {
			t.Errorf("%s, many: %+v, %v", when, results, err)
		}
		if sent, err := c.Broadcast(t.Context(), mail, upstream.IdempotencyKey("all")); err != nil || sent != 1 {
			t.Errorf("%s, all: %d, %v", when, sent, err)
		}
		if o, err := c.Push(t.Context(), upstream.OpenID("bob"), mail, upstream.StoreOffline(), upstream.IdempotencyKey("stored")); err != nil || o.Status != upstream.Queued {
			t.Errorf("%s, stored: %+v, %v", when, o, err)
		}
	}
	ask("first")
	ask("again")
	if got := len(alice.Flush()); got != 3 {
		t.Errorf("%d pushes came, want 3", got)
	}
	if got, want := n.outcomes(), map[string]int{"delivered": 2, "offline": 1, "queued": 1}; !maps.Equal(got, want) {
		t.Errorf("outcomes %v, want %v", got, want)
	}
	if got := n.Metric("hermod_push_repeats_total"); got != 5 {
		t.Errorf("%g repeats counted, want 5", got)
	}
	n.Kill()
	n.Boot()
	alice = n.Connect(h)
	ask("after a crash")
	if got := alice.Flush(); len(got) > 0 {
		t.Errorf("pushed again: %v", got)
	}
	bob := n.Connect(Hello{User: "bob"})
	if got := append(bob.Take(1), bob.Flush()...); len(got) != 1 {
		t.Errorf("bob has %v, want one push", got)
	}
	_, err := c.Push(t.Context(), upstream.OpenID("bob"), mail, upstream.IdempotencyKey("one"))
	if !errors.Is(err, upstream.ErrIdempotencyConflict) {
		t.Errorf("another push under a key that is taken: %v", err)
	}
}

// TestPushInterruptedByACrash kills the node between pushing and answering. The repetition does not
// pretend to know, unless the push was to be stored: then it comes again, as the same push.
func TestPushInterruptedByACrash(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	c := n.Upstream()
	h := Hello{User: "alice", Capabilities: "resume"}
	alice := n.Connect(h)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	push := func(ctx context.Context, key string, opts ...upstream.CallOption) (upstream.Outcome, error) {
		opts = append(opts, upstream.IdempotencyKey(key), upstream.WaitForAck(25*time.Second))
		return c.Push(ctx, upstream.OpenID("alice"), mail, opts...)
	}
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = push(ctx, "plain") }) // what it answers, nobody is there to hear
	first := alice.Next()
	wg.Go(func() { _, _ = push(ctx, "stored", upstream.StoreOffline()) })
	second := alice.Next()
	cancelAfterKill(n, cancel)
	wg.Wait()
	n.Boot()

	for _, when := range []string{"first", "second"} {
		if o, err := push(t.Context(), "plain"); !errors.Is(err, upstream.ErrUnknown) || o.Status != upstream.Unknown {
			t.Errorf("the %s repetition: %+v, %v", when, o, err)
		}
	}
	if o, err := push(t.Context(), "stored", upstream.StoreOffline()); err != nil || o.Status != upstream.Queued {
		t.Errorf("stored: %+v, %v", o, err)
	}
	back := n.Connect(h)
	got := append(back.Take(1), back.Flush()...) // the inbox is read after the session has opened
	if len(got) != 1 || got[0].GetMessageId() != second.GetMessageId() || first.GetMessageId() == second.GetMessageId() {
		t.Errorf("after the crash came %v; before it %v and %v", got, first, second)
	}
	if got, want := n.outcomes(), map[string]int{"unknown": 1, "queued": 1}; !maps.Equal(got, want) {
		t.Errorf("outcomes %v, want %v", got, want)
	}
}

// cancelAfterKill kills the node, and only then ends the calls that it had.
func cancelAfterKill(n *Node, cancel context.CancelFunc) {
	n.Kill()
	cancel()
}

// TestPushDemo is what hermodctl shows to somebody who has just started a node.
func TestPushDemo(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	user := n.Connect(Hello{User: "user456", GID: "12345"})
	output, err := hermodctl(t, "push", "--demo", "--addr", n.Gateway)
	if err != nil {
		t.Errorf("%v\n%s", err, output)
	}
	for _, want := range []string{
		"push to gid 12345\n    delivered\n", "push to openid user456\n    delivered\n", "(INVALID_REQUEST)",
		"(TARGET_NOT_FOUND)", "(INVALID_TARGET)", "2 of 3 succeeded", "sent to 1 connected session",
	} {
		if !strings.Contains(output, want) {
			t.Errorf("no %q in\n%s", want, output)
		}
	}
	if got := len(user.Flush()); got != 5 {
		t.Errorf("%d pushes arrived, want 5", got)
	}
	output, err = hermodctl(t, "push", "--demo", "--addr", freeAddr(t))
	if err == nil || !strings.Contains(output, "start a node first") {
		t.Errorf("without a node: %v\n%s", err, output)
	}
	output, err = hermodctl(t, "push", "--openid", "user456", "--wait", "300ms", "--idempotency-key", "k", "--addr", n.Gateway)
	if err != nil || !strings.Contains(output, "queued: not acknowledged in time") {
		t.Errorf("with a wait: %v\n%s", err, output)
	}
}
