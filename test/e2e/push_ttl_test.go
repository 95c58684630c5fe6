package e2e

import (
	"context"
	"errors"
	"maps"
	"sync"
	"testing"
	"time"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	"github.com/game-im/hermod/sdk/upstream"
)

// A time to live that is over soon, and one that outlasts the test.
const (
	brief = time.Second
	ample = time.Hour
)

// over waits until everything has expired that was pushed up to now with that time to live.
func over(t *testing.T, ttl time.Duration) {
	t.Helper()
	select {
	case <-time.After(ttl + 100*time.Millisecond):
	case <-t.Context().Done():
	}
}

func titled(title string) upstream.Notification {
	return upstream.Notification{MsgType: "m", Title: title, Data: []byte("d")}
}

// TestA8ExpiredPush: a push that waits does not outlive its ttl, wherever it waits: in the inbox, before a
// login, and in a session whose client is away.
func TestA8ExpiredPush(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	c := n.Upstream()
	push := func(to upstream.Target, title string, opts ...upstream.CallOption) {
		t.Helper()
		if o, err := c.Push(t.Context(), to, titled(title), opts...); err != nil || o.Status != upstream.Queued {
			t.Fatalf("%s: %+v, %v", title, o, err)
		}
	}
	early := Dialed(t, n.IM, "10001", nil)
	early.Begin(&gatewayv1.StartRequest{})
	away := Dialed(t, n.IM, "10002", nil)
	away.Begin(&gatewayv1.StartRequest{})
	away.Ask("hello", "")
	away.cancel()
	n.AwaitMetric(1, "hermod_sessions", `state="detached"`)
	for title, ttl := range map[string]time.Duration{"brief": brief, "ample": ample} {
		push(upstream.OpenID("10001"), title, upstream.TTL(ttl))
		push(upstream.OpenID("10002"), title, upstream.TTL(ttl))
		push(upstream.OpenID("10003"), title, upstream.TTL(ttl), upstream.StoreOffline())
	}
	over(t, brief)

	wantData(t, early.Ask("hello", ""), "welcome, 10001", "")
	wantData(t, early.Next(), "[m] ample", "d")
	wantData(t, early.Ask("echo", "1"), "success", "Echo: 1")
	back := Dialed(t, n.IM, "10002", away)
	before := back.Begin(&gatewayv1.StartRequest{LastAckedSeqId: away.Last})
	if back.Headers["resumed"] != "true" || len(before) != 1 || before[0].GetSeqId() != away.Last+1 {
		t.Fatalf("resumed %v with %v", back.Headers, before)
	}
	wantData(t, before[0], "[m] ample", "d")
	wantData(t, back.Ask("echo", "2"), "success", "Echo: 2")
	late := Dialed(t, n.IM, "10003", nil)
	late.Begin(&gatewayv1.StartRequest{})
	wantData(t, late.Ask("hello", ""), "welcome, 10003", "")
	wantData(t, late.Next(), "[m] ample", "d")
	wantData(t, late.Ask("echo", "3"), "success", "Echo: 3")
	n.AwaitMetric(2, "hermod_session_expired_total")
}

// TestA8SurvivesKill: what was accepted before a kill -9 is delivered after it, once and in time; what has
// lost its worth meanwhile is not; and a repetition of either finds its answer.
func TestA8SurvivesKill(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	c := n.Upstream()
	type call struct {
		title string
		opts  []upstream.CallOption
	}
	calls := []call{
		{"for ever", nil},
		{"brief", []upstream.CallOption{upstream.TTL(brief)}},
		{"ample", []upstream.CallOption{upstream.TTL(ample)}},
		{"last", nil},
	}
	accept := func() {
		t.Helper()
		for _, one := range calls {
			opts := append([]upstream.CallOption{upstream.StoreOffline(), upstream.IdempotencyKey(one.title)}, one.opts...)
			if o, err := c.Push(t.Context(), upstream.OpenID("bob"), titled(one.title), opts...); err != nil || o.Status != upstream.Queued {
				t.Errorf("%s: %+v, %v", one.title, o, err)
			}
		}
	}
	accept()
	n.Kill()
	over(t, brief)
	n.Boot()
	accept()
	if got := n.outcomes(); len(got) > 0 || n.Metric("hermod_push_repeats_total") != 4 {
		t.Errorf("after the crash %v outcomes and %v repeats", got, n.Metric("hermod_push_repeats_total"))
	}
	var titles []string
	bob := n.Connect(Hello{User: "bob", Capabilities: "resume"})
	frames := bob.Flush()
	for len(frames) < 3 { // the inbox is read beside the stream
		frames = append(frames, bob.Next())
	}
	for _, f := range append(frames, bob.Flush()...) {
		titles = append(titles, f.GetMetadata()["title"])
	}
	if len(titles) != 3 || titles[0] != "for ever" || titles[1] != "ample" || titles[2] != "last" {
		t.Errorf("bob got %q", titles)
	}
}

// TestA8ExpiredInTheMiddle kills the node between acceptance and delivery of pushes whose ttl is over when
// they are repeated: nobody knows whether they arrived, and nothing is pushed.
func TestA8ExpiredInTheMiddle(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	c := n.Upstream()
	alice := n.Connect(Hello{User: "alice", Capabilities: "resume"}) // who acknowledges nothing
	const ttl = 5 * time.Second                                      // enough for it to be written on a slow machine
	push := func(ctx context.Context) (upstream.Outcome, error) {
		return c.Push(ctx, upstream.OpenID("alice"), titled("brief"), upstream.StoreOffline(), upstream.TTL(ttl),
			upstream.IdempotencyKey("k"), upstream.WaitForAck(25*time.Second))
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = push(ctx) }) // what it answers, nobody is there to hear
	alice.Next()
	cancelAfterKill(n, cancel)
	wg.Wait()
	over(t, ttl)
	n.Boot()
	if o, err := push(t.Context()); !errors.Is(err, upstream.ErrUnknown) || o.Status != upstream.Unknown {
		t.Errorf("%+v, %v", o, err)
	}
	if got, want := n.outcomes(), map[string]int{"unknown": 1}; !maps.Equal(got, want) {
		t.Errorf("outcomes %v, want %v", got, want)
	}
	if got := n.Connect(Hello{User: "alice"}).Flush(); len(got) > 0 {
		t.Errorf("alice got %v", got)
	}
}
