package e2e

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	imv1 "github.com/game-im/hermod/api/im/v1"
)

// outcomes returns how many push targets have had which outcome so far.
func (n *Node) outcomes() map[string]int {
	n.t.Helper()
	all := map[string]int{}
	for _, o := range []string{"delivered", "queued", "offline", "not_found", "slow", "rejected", "unknown", "expired"} {
		if v := n.Metric("hermod_push_targets_total", `outcome="`+o+`"`); v > 0 {
			all[o] = int(v)
		}
	}
	return all
}

// store asks that a push is kept for who is away.
func store(t *testing.T) context.Context {
	t.Helper()
	return metadata.AppendToOutgoingContext(within(t), "offline", "store")
}

func pushTo(t *testing.T, ctx context.Context, g gatewayv1.GatewayServiceClient, openid, data string) *gatewayv1.UnicastPushResponse { //nolint:revive // ctx is what differs; t comes first as everywhere
	t.Helper()
	resp, err := g.PushToClient(ctx, &gatewayv1.UnicastPushRequest{TargetType: "openid", TargetId: openid, MsgType: "m", Data: []byte(data)})
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// TestA8AccountedPush pushes to targets of every kind at once: each has its result, in order, and
// the outcomes that the node counts add up to the targets.
func TestA8AccountedPush(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	g := n.Pushes()
	phone := n.Connect(Hello{User: "alice", Device: "phone", GID: "7"})
	desk := n.Connect(Hello{User: "alice", Device: "desk"})
	bob := n.Connect(Hello{User: "bob", Capabilities: "resume", GID: "9007199254740993"})

	cases := []struct{ kind, id, code string }{
		{"session", phone.Header("session-id"), ""},
		{"openid", "alice", ""},
		{"gid", "7", ""},
		{"gid", "9007199254740993", ""},
		{"openid", "bob", ""},
		{"openid", "bob", ""}, // twice is twice
		{"openid", "nobody", "TARGET_OFFLINE"},
		{"gid", "8", "TARGET_OFFLINE"},
		{"session", "no-such-session", "TARGET_NOT_FOUND"},
		{"session", "alice", "TARGET_NOT_FOUND"},
		{"gid", "seven", "INVALID_TARGET"},
		{"gid", "99999999999999999999", "INVALID_TARGET"},
		{"room", "lobby", "INVALID_TARGET"},
		{"", "alice", "INVALID_TARGET"},
		{"openid", "", "INVALID_TARGET"},
		{"openid", "a\x00b", "INVALID_TARGET"},
		{"openid", strings.Repeat("x", 256), "INVALID_TARGET"},
	}
	req := &gatewayv1.BatchUnicastPushRequest{
		MsgType: "mail", Title: "Mail", Content: "You have mail", Data: []byte{0, 1, 0xff},
		Metadata: map[string]string{"k": "v"},
	}
	want := 0
	for _, c := range cases {
		req.Targets = append(req.Targets, &gatewayv1.UnicastTarget{TargetType: c.kind, TargetId: c.id})
		if c.code == "" {
			want++
		}
	}
	resp, err := g.BatchPushToClients(within(t), req)
	if err != nil {
		t.Fatal(err)
	}
	if int(resp.GetTotalCount()) != len(cases) || int(resp.GetSuccessCount()) != want || len(resp.GetResults()) != len(cases) {
		t.Fatalf("%d of %d, %d results", resp.GetSuccessCount(), resp.GetTotalCount(), len(resp.GetResults()))
	}
	for i, r := range resp.GetResults() {
		c := cases[i]
		if r.GetTargetType() != c.kind || r.GetTargetId() != c.id {
			t.Errorf("result %d is of %s %q, want %s %q", i, r.GetTargetType(), r.GetTargetId(), c.kind, c.id)
		}
		if r.GetSuccess() != (c.code == "") || r.GetErrorCode() != c.code || (r.GetErrorMessage() == "") != (c.code == "") {
			t.Errorf("%s %q: %v, want %q", c.kind, c.id, r, c.code)
		}
	}
	wantOutcomes := map[string]int{"delivered": 6, "offline": 2, "not_found": 2, "rejected": 7}
	if got := n.outcomes(); !maps.Equal(got, wantOutcomes) {
		t.Errorf("outcomes %v, want %v", got, wantOutcomes)
	}
	for _, c := range []struct {
		s    *Stream
		want int
	}{{phone, 3}, {desk, 1}, {bob, 3}} {
		got := c.s.Flush()
		if len(got) != c.want {
			t.Errorf("%d pushes came, want %d", len(got), c.want)
		}
		for _, f := range got {
			checkPush(t, f)
		}
	}
}

func checkPush(t *testing.T, f Frame) {
	t.Helper()
	want := map[string]string{"msg_type": "mail", "title": "Mail", "content": "You have mail", "k": "v"}
	if f.GetType() != imv1.MessageType_MESSAGE_TYPE_SYSTEM || !bytes.Equal(f.GetContent(), []byte{0, 1, 0xff}) ||
		!maps.Equal(f.GetMetadata(), want) || f.GetMessageId() == "" || f.GetTimestamp() == nil || f.GetSeq() != 0 || f.GetRoomId() != "" {
		t.Errorf("a push arrived as %v", f)
	}
}

// TestA8Unicast has the answers of PushToClient, under both names of the service.
func TestA8Unicast(t *testing.T) {
	t.Parallel()
	n := Start(t, "push:\n  max_bytes: 1KiB\n  max_targets: 3\n")
	alice := n.Connect(Hello{User: "alice"})
	conn := Dial(t, n.Gateway)
	for _, service := range []string{"hermod.gateway.v1.GatewayService", "gatesvr.proto.GatewayService"} {
		push := func(req *gatewayv1.UnicastPushRequest) *gatewayv1.UnicastPushResponse {
			t.Helper()
			resp := &gatewayv1.UnicastPushResponse{}
			if err := conn.Invoke(within(t), "/"+service+"/PushToClient", req, resp); err != nil {
				t.Fatalf("%s: %v", service, err)
			}
			return resp
		}
		if resp := push(&gatewayv1.UnicastPushRequest{TargetType: "openid", TargetId: "alice"}); !resp.GetSuccess() || resp.GetErrorCode() != "" || resp.GetMessage() != "delivered" {
			t.Errorf("%s: %v", service, resp)
		}
		alice.Next()
		for what, c := range map[string]struct {
			req  *gatewayv1.UnicastPushRequest
			code string
		}{
			"offline":    {&gatewayv1.UnicastPushRequest{TargetType: "openid", TargetId: "bob"}, "TARGET_OFFLINE"},
			"kind":       {&gatewayv1.UnicastPushRequest{TargetType: "user", TargetId: "alice"}, "INVALID_TARGET"},
			"session":    {&gatewayv1.UnicastPushRequest{TargetType: "session", TargetId: "x"}, "TARGET_NOT_FOUND"},
			"too large":  {&gatewayv1.UnicastPushRequest{TargetType: "openid", TargetId: "alice", Data: make([]byte, 1025)}, "INVALID_REQUEST"},
			"NUL":        {&gatewayv1.UnicastPushRequest{TargetType: "openid", TargetId: "alice", Title: "a\x00"}, "INVALID_REQUEST"},
			"bound":      {&gatewayv1.UnicastPushRequest{TargetType: "openid", TargetId: "alice", SyncHint: gatewayv1.NotifySyncHint_NSH_AFTER_RESPONSE}, "INVALID_REQUEST"},
			"everything": {&gatewayv1.UnicastPushRequest{}, "INVALID_TARGET"},
		} {
			resp := push(c.req)
			if resp.GetSuccess() || resp.GetErrorCode() != c.code || resp.GetMessage() == "" {
				t.Errorf("%s, %s: %v, want %s", service, what, resp, c.code)
			}
		}
		batch := &gatewayv1.BatchUnicastPushRequest{}
		resp := &gatewayv1.BatchUnicastPushResponse{}
		if err := conn.Invoke(within(t), "/"+service+"/BatchPushToClients", batch, resp); err != nil || resp.GetTotalCount() != 0 || resp.GetSuccessCount() != 0 {
			t.Errorf("%s, no targets: %v, %v", service, resp, err)
		}
		for range 4 {
			batch.Targets = append(batch.Targets, &gatewayv1.UnicastTarget{TargetType: "openid", TargetId: "alice"})
		}
		err := conn.Invoke(within(t), "/"+service+"/BatchPushToClients", batch, resp)
		refused(t, "too many targets", err, codes.InvalidArgument, "TOO_MANY_TARGETS")
	}
	if rest := alice.Flush(); len(rest) > 0 {
		t.Errorf("refused pushes arrived: %v", rest)
	}
}

// TestA8Detached: a push for somebody whose connection was lost waits for him, and is counted as
// queued.
func TestA8Detached(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	g := n.Pushes()
	r := newResumer(t, n, n.IM, Hello{User: "bob", Room: "room", Capabilities: "resume"})
	r.Cut()
	n.AwaitMetric(1, "hermod_sessions", `state="detached"`)
	if resp := pushTo(t, within(t), g, "bob", "waits"); !resp.GetSuccess() || resp.GetMessage() != "queued" {
		t.Errorf("%v", resp)
	}
	if got := n.outcomes(); !maps.Equal(got, map[string]int{"queued": 1}) {
		t.Errorf("outcomes %v", got)
	}
	if resp, err := g.BroadcastToClients(within(t), &gatewayv1.BroadcastRequest{Data: []byte("to all")}); err != nil || resp.GetSentCount() != 0 {
		t.Errorf("a broadcast to nobody who is connected: %v, %v", resp, err)
	}
	if !r.back(0) {
		t.Fatal("not resumed")
	}
	if f := r.Next(); string(f.GetContent()) != "waits" || f.Link != 1 {
		t.Errorf("after the resume: %v", f)
	}
}

// TestA8StoredForADetachedSession: a push that is to be stored does not depend on a session that is
// away. It comes once, to the session if that is resumed, and to the next one if it is not.
func TestA8StoredForADetachedSession(t *testing.T) {
	t.Parallel()
	for resumed, window := range map[bool]string{true: "60s", false: "5s"} {
		n := Start(t, "session: {resume_window: "+window+"}\n")
		r := newResumer(t, n, n.IM, Hello{User: "bob", Capabilities: "resume"})
		r.Cut()
		n.AwaitMetric(1, "hermod_sessions", `state="detached"`)
		if resp := pushTo(t, store(t), n.Pushes(), "bob", "kept"); resp.GetMessage() != "queued" {
			t.Fatalf("resumed %v: %v", resumed, resp)
		}
		if resumed {
			if !r.back(0) {
				t.Fatal("not resumed")
			}
		} else {
			n.AwaitMetric(0, "hermod_sessions", `state="detached"`)
			r = newResumer(t, n, n.IM, r.hello)
		}
		f := r.Next()
		if string(f.GetContent()) != "kept" {
			t.Errorf("resumed %v: %v", resumed, f)
		}
		r.AckLink(f.Link)
		for _, f := range r.Flush() {
			if string(f.GetContent()) == "kept" {
				t.Errorf("resumed %v: the push came again", resumed)
			}
		}
		r.End()
	}
}

// TestA8OfflineStore: a push that was kept comes with the next connection, again until it was
// acknowledged, and survives what happens to the node.
func TestA8OfflineStore(t *testing.T) {
	t.Parallel()
	n := Start(t, "push:\n  inbox_per_user: 3\nsession:\n  resume_window: 0s\n")
	g := n.Pushes()
	for _, data := range numbers(1, 3) {
		if resp := pushTo(t, store(t), g, "bob", data); !resp.GetSuccess() || resp.GetMessage() != "queued" {
			t.Fatalf("push %s: %v", data, resp)
		}
	}
	if resp := pushTo(t, store(t), g, "bob", "one too many"); resp.GetSuccess() || resp.GetErrorCode() == "" {
		t.Errorf("beyond inbox_per_user: %v", resp)
	}
	if resp := pushTo(t, within(t), g, "bob", "not to be kept"); resp.GetErrorCode() != "TARGET_OFFLINE" {
		t.Errorf("without offline: store: %v", resp)
	}
	resp, err := g.PushToClient(store(t), &gatewayv1.UnicastPushRequest{TargetType: "gid", TargetId: "7"})
	if err != nil || resp.GetErrorCode() != "TARGET_OFFLINE" {
		t.Errorf("for a gid: %v, %v", resp, err)
	}
	if got, want := n.outcomes(), map[string]int{"queued": 3, "rejected": 1, "offline": 2}; !maps.Equal(got, want) {
		t.Errorf("outcomes %v, want %v", got, want)
	}
	n.Kill()
	n.Boot()

	h := Hello{User: "bob", Capabilities: "resume"}
	bob := n.Connect(h)
	got := bob.Take(3)
	expect(t, "after a crash", said(got), numbers(1, 3)...)
	if md := got[0].GetMetadata(); md["msg_type"] != "m" || got[0].GetType() != imv1.MessageType_MESSAGE_TYPE_SYSTEM {
		t.Errorf("a kept push arrived as %v", got[0])
	}
	bob.Flush()
	bob.Cut()
	n.eventually("the session is over", func() bool { return n.Metric("hermod_sessions") == 0 })
	bob = n.Connect(h)
	got = bob.Take(3)
	expect(t, "after no ack", said(got), numbers(1, 3)...)
	bob.AckLink(got[1].Link)
	bob.Flush()
	bob.Cut()
	n.eventually("the session is over", func() bool { return n.Metric("hermod_sessions") == 0 })
	bob = n.Connect(h)
	got = bob.Take(1)
	expect(t, "after an ack of two", said(got), "3")
	bob.AckLink(got[0].Link)
	bob.Flush()
	n.Restart()
	bob = n.Connect(h)
	expect(t, "after everything was acknowledged", said(bob.Flush()))

	// The places are free again, and a client that never acks is believed to have what he got.
	for _, data := range numbers(4, 6) {
		if resp := pushTo(t, store(t), g, "carol", data); resp.GetMessage() != "queued" {
			t.Errorf("%v", resp)
		}
	}
	carol := n.Connect(Hello{User: "carol"})
	expect(t, "a client without capabilities", contents(carol, 3), numbers(4, 6)...)
	carol.End()
	carol = n.Connect(Hello{User: "carol"})
	expect(t, "the next time", said(carol.Flush()))
	if resp := pushTo(t, store(t), g, "carol", "live"); resp.GetMessage() != "delivered" {
		t.Errorf("while she is there: %v", resp)
	}
	expect(t, "live", contents(carol, 1), "live")
}

// TestA8StoreWhileConnecting stores pushes at the moment when their user comes: none is lost between
// the two.
func TestA8StoreWhileConnecting(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	g := n.Pushes()
	for round := range 20 {
		user := fmt.Sprint("user ", round)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for _, data := range numbers(1, 20) {
				if resp := pushTo(t, store(t), g, user, data); !resp.GetSuccess() {
					t.Errorf("%s: %v", user, resp)
				}
			}
		}()
		s := n.Connect(Hello{User: user})
		seen := map[string]int{}
		for range 20 {
			seen[string(s.Next().GetContent())]++
		}
		<-done
		if rest := s.Flush(); len(seen) != 20 || len(rest) > 0 {
			t.Errorf("%s got %v and %d more", user, seen, len(rest))
		}
		s.End()
	}
}

// TestA8Broadcast counts the sessions that it reaches, under both names.
func TestA8Broadcast(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	conn := Dial(t, n.Gateway)
	var streams []*Stream
	for i := range 7 {
		streams = append(streams, n.Connect(Hello{User: fmt.Sprint("user ", i/2)}))
		for _, service := range []string{"hermod.gateway.v1.GatewayService", "gatesvr.proto.GatewayService"} {
			resp := &gatewayv1.BroadcastResponse{}
			err := conn.Invoke(within(t), "/"+service+"/BroadcastToClients", &gatewayv1.BroadcastRequest{
				MsgType: "mail", Title: "Mail", Content: "You have mail", Data: []byte{0, 1, 0xff}, Metadata: map[string]string{"k": "v"},
			}, resp)
			if err != nil || int(resp.GetSentCount()) != i+1 || resp.GetMessage() == "" {
				t.Errorf("%s to %d: %v, %v", service, i+1, resp, err)
			}
		}
	}
	for i, s := range streams {
		got := s.Flush()
		if want := 2 * (len(streams) - i); len(got) != want {
			t.Errorf("session %d got %d, want %d", i, len(got), want)
		}
		for _, f := range got {
			checkPush(t, f)
		}
	}
	if n.Metric("hermod_push_broadcasts_total") != 14 || n.Metric("hermod_push_broadcast_sessions_total") != 56 {
		t.Errorf("%g broadcasts to %g sessions counted, want 14 to 56",
			n.Metric("hermod_push_broadcasts_total"), n.Metric("hermod_push_broadcast_sessions_total"))
	}
}

// TestPushesDoNotMix: what is encoded once must not be shared by pushes that differ.
func TestPushesDoNotMix(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	g := n.Pushes()
	alice := n.Connect(Hello{User: "alice"})
	req := &gatewayv1.UnicastPushRequest{TargetType: "openid", TargetId: "alice"}
	for _, data := range numbers(1, 100) {
		each := proto.Clone(req).(*gatewayv1.UnicastPushRequest)
		each.Data, each.Title = []byte(data), "title "+data
		if resp, err := g.PushToClient(within(t), each); err != nil || !resp.GetSuccess() {
			t.Fatalf("%v, %v", resp, err)
		}
	}
	for i, f := range alice.Take(100) {
		if want := fmt.Sprint(i + 1); string(f.GetContent()) != want || f.GetMetadata()["title"] != "title "+want {
			t.Errorf("push %s arrived as %v", want, f)
		}
	}
}
