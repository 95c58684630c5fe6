package upstream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	"github.com/game-im/hermod/sdk/upstream"
)

// TestPublishedMethods calls every method as programs written for the published client do.
func TestPublishedMethods(t *testing.T) {
	t.Parallel()
	g := serve(t)
	c, ctx, data := g.client(t), t.Context(), []byte{0, 0xff}
	for _, err := range []error{
		c.PushToClient(ctx, "openid", "alice", "m", "t", "c", data),
		c.PushToGID(ctx, -7, "m", "t", "c", data),
		c.PushToOpenID(ctx, "alice", "m", "t", "c", data),
		c.PushToSession(ctx, "s", "m", "t", "c", data),
		c.PushToOpenIDWithSyncHint(ctx, "alice", "m", "t", "c", data, gatewayv1.NotifySyncHint_NSH_AFTER_RESPONSE, 5),
		c.BroadcastToClients(ctx, "m", "t", "c", data, map[string]string{"k": "v"}),
	} {
		if err != nil {
			t.Error(err)
		}
	}
	resp, err := c.BatchPushToClients(ctx, []map[string]string{{"type": "gid", "id": "12345"}, {"type": "openid", "id": "away"}}, "m", "t", "c", data)
	if err != nil || resp.GetTotalCount() != 2 || resp.GetSuccessCount() != 1 || resp.GetResults()[1].GetErrorMessage() != "no session" {
		t.Errorf("batch: %v, %v", resp, err)
	}
	for i, want := range []*gatewayv1.UnicastPushRequest{
		{TargetType: "openid", TargetId: "alice"}, {TargetType: "gid", TargetId: "-7"},
		{TargetType: "openid", TargetId: "alice"}, {TargetType: "session", TargetId: "s"},
		{TargetType: "openid", TargetId: "alice", SyncHint: gatewayv1.NotifySyncHint_NSH_AFTER_RESPONSE, BindClientSeqId: 5},
	} {
		want.MsgType, want.Title, want.Content, want.Data = "m", "t", "c", data
		if !proto.Equal(g.unicasts[i], want) {
			t.Errorf("call %d asked for %v, want %v", i, g.unicasts[i], want)
		}
	}
	if want := (&gatewayv1.BroadcastRequest{MsgType: "m", Title: "t", Content: "c", Data: data, Metadata: map[string]string{"k": "v"}}); !proto.Equal(g.broadcasts[0], want) {
		t.Errorf("broadcast: %v", g.broadcasts[0])
	}
}

func TestBatchTargetsThatAreWrong(t *testing.T) {
	t.Parallel()
	g := serve(t)
	c := g.client(t)
	good := map[string]string{"type": "openid", "id": "alice"}
	for want, bad := range map[string]map[string]string{
		`targets[1]: "type" is missing`:           {"id": "alice"},
		`targets[1]: "id" is missing`:             {"type": "openid"},
		`targets[1]: "id" is missing or`:          {"type": "openid", "id": ""},
		`targets[1]: the key "openid" is unknown`: {"type": "openid", "id": "a", "openid": "a"},
		`targets[1]: "type" is missing or empty`:  nil,
	} {
		if _, err := c.BatchPushToClients(t.Context(), []map[string]string{good, bad}, "m", "", "", nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v, want %s", bad, err, want)
		}
	}
	if g.calls() > 0 {
		t.Error("a wrong batch was sent")
	}
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	g := serve(t)
	c := g.client(t)
	for id, want := range map[string]struct {
		status upstream.Status
		err    error
	}{
		"here":                           {upstream.Delivered, nil},
		"late":                           {upstream.Queued, nil},
		"late, says an older gateway":    {upstream.Queued, nil},
		"away":                           {upstream.Offline, upstream.ErrTargetOffline},
		"away, says an older gateway":    {upstream.Offline, upstream.ErrTargetOffline},
		"failing, says an older gateway": {upstream.Rejected, &upstream.PushError{Code: "PUSH_FAILED"}},
	} {
		got, err := c.Push(t.Context(), upstream.OpenID(id), upstream.Notification{})
		if got.Status != want.status || got.Message == "" || !errors.Is(err, want.err) || (err == nil) != (want.err == nil) {
			t.Errorf("%s: %+v, %v", id, got, err)
		}
		if errors.Is(err, upstream.ErrTargetSlow) {
			t.Errorf("%s is slow as well: %v", id, err)
		}
	}
	err := c.PushToOpenID(t.Context(), "away", "m", "", "", nil)
	refusal, ok := errors.AsType[*upstream.PushError](err)
	if !ok || refusal.Code != "TARGET_OFFLINE" || refusal.Message != "no session" || refusal.Target != upstream.OpenID("away") {
		t.Errorf("%+v", err)
	}
	if want := "push to openid away failed: no session (code: TARGET_OFFLINE)"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestBatchResults(t *testing.T) {
	t.Parallel()
	g := serve(t)
	c := g.client(t)
	to := []upstream.Target{upstream.OpenID("away"), upstream.GID(7), upstream.OpenID("alice")}
	results, err := c.PushBatch(t.Context(), to, upstream.Notification{})
	if err != nil || len(results) != 3 {
		t.Fatalf("%v, %v", results, err)
	}
	for i, r := range results {
		if away := i == 0; r.Target != to[i] || errors.Is(r.Err, upstream.ErrTargetOffline) != away || (r.Outcome.Status == upstream.Delivered) == away || r.Outcome.Message == "" {
			t.Errorf("target %d: %+v", i, r)
		}
	}
	if results, err := c.PushBatch(t.Context(), nil, upstream.Notification{}); err != nil || len(results) != 0 {
		t.Errorf("no targets: %v, %v", results, err)
	}
	_, err = c.PushBatch(t.Context(), slices.Repeat(to, 2), upstream.Notification{})
	if refusal, ok := errors.AsType[*upstream.PushError](err); !ok || refusal.Code != "TOO_MANY_TARGETS" || status.Code(err) != codes.InvalidArgument {
		t.Errorf("too many: %v", err)
	}
	if _, err := c.Broadcast(t.Context(), upstream.Notification{Title: "wrong"}); !errors.Is(err, upstream.ErrInvalidRequest) {
		t.Errorf("a wrong broadcast: %v", err)
	}
	if sent, err := c.Broadcast(t.Context(), upstream.Notification{}); sent != 3 || err != nil {
		t.Errorf("%d, %v", sent, err)
	}
}

func TestCallOptions(t *testing.T) {
	t.Parallel()
	g := serve(t)
	c := g.client(t, upstream.WithTimeout(5*time.Second), upstream.WithToken("secret"))
	_, err := c.Push(t.Context(), upstream.OpenID("alice"), upstream.Notification{Metadata: map[string]string{"k": "v"}},
		upstream.IdempotencyKey("a key"), upstream.WaitForAck(2*time.Second), upstream.StoreOffline(), upstream.Header("trace", "1"))
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"idempotency-key": "a key", "wait": "acknowledged", "wait-timeout": "2s", "offline": "store", "trace": "1", "authorization": "Bearer secret",
	} {
		if got := g.last(key); !slices.Equal(got, []string{want}) {
			t.Errorf("%s: %q, want %q", key, got, want)
		}
	}
	if g.deadline < 6*time.Second || g.deadline > 7*time.Second {
		t.Errorf("a call had %v; 5s and the wait were to be", g.deadline)
	}
	if _, err := c.Push(t.Context(), upstream.OpenID("alice"), upstream.Notification{}); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"idempotency-key", "wait", "wait-timeout", "offline"} {
		if got := g.last(key); len(got) > 0 {
			t.Errorf("unasked: %s %q", key, got)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	if _, err := c.Broadcast(ctx, upstream.Notification{}, upstream.IdempotencyKey("b")); err != nil || g.deadline < 59*time.Minute {
		t.Errorf("%v; the caller's deadline became %v", err, g.deadline)
	}
}

// TestBoundPushes: a push that is bound to an answer names the request and says on which side.
func TestBoundPushes(t *testing.T) {
	t.Parallel()
	g := serve(t)
	c := g.client(t)
	r := &upstream.Request{Session: "S", OpenID: "O", ClientSeq: 9}
	for _, to := range []upstream.Target{r.Caller(), upstream.OpenID("O")} {
		for hint, option := range map[gatewayv1.NotifySyncHint]upstream.CallOption{
			gatewayv1.NotifySyncHint_NSH_BEFORE_RESPONSE: upstream.Before(r), gatewayv1.NotifySyncHint_NSH_AFTER_RESPONSE: upstream.After(r),
		} {
			if _, err := c.Push(t.Context(), to, upstream.Notification{}, option); err != nil {
				t.Fatal(err)
			}
			got := g.unicasts[len(g.unicasts)-1]
			if got.GetSyncHint() != hint || got.GetBindClientSeqId() != 9 || got.GetTargetType() != to.Type || got.GetTargetId() != to.ID {
				t.Errorf("%v: %v", hint, got)
			}
		}
	}
}

func TestCallOptionsThatAreWrong(t *testing.T) {
	t.Parallel()
	g := serve(t)
	c, ctx, n := g.client(t), t.Context(), upstream.Notification{}
	bound := upstream.BoundTo(gatewayv1.NotifySyncHint_NSH_BEFORE_RESPONSE, 1)
	req := &upstream.Request{Session: "S", OpenID: "O", ClientSeq: 1}
	push := func(o upstream.CallOption) error { _, err := c.Push(ctx, upstream.OpenID("a"), n, o); return err }
	batch := func(o upstream.CallOption) error { _, err := c.PushBatch(ctx, nil, n, o); return err }
	broadcast := func(o upstream.CallOption) error { _, err := c.Broadcast(ctx, n, o); return err }
	for _, test := range []struct {
		call   func(upstream.CallOption) error
		option upstream.CallOption
		want   string
	}{
		{push, upstream.IdempotencyKey(""), "is empty"},
		{push, upstream.IdempotencyKey(strings.Repeat("k", 256)), "at most 255"},
		{batch, upstream.IdempotencyKey("ключ"), "printable ASCII"},
		{broadcast, upstream.IdempotencyKey("a\n"), "printable ASCII"},
		{push, upstream.IdempotencyKey(" k"), "blanks at its ends"},
		{push, upstream.WaitForAck(0), "up to 30s is allowed"},
		{batch, upstream.WaitForAck(31 * time.Second), "up to 30s is allowed"},
		{broadcast, upstream.WaitForAck(time.Second), "not possible with a broadcast"},
		{broadcast, upstream.StoreOffline(), "not possible with a broadcast"},
		{broadcast, bound, "one target only"},
		{batch, bound, "one target only"},
		{batch, upstream.Before(req), "one target only"},
		{broadcast, upstream.After(req), "one target only"},
		{push, upstream.Before(req), "a push to openid a cannot be bound to the answer to session S"},
	} {
		if err := test.call(test.option); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v, want %q", err, test.want)
		}
	}
	if g.calls() > 0 {
		t.Error("a wrong call was made")
	}
}

func TestRetries(t *testing.T) {
	t.Parallel()
	g := serve(t)
	c := g.client(t)
	g.unavailable = 3
	if _, err := c.Push(t.Context(), upstream.OpenID("alice"), upstream.Notification{}); status.Code(err) != codes.Unavailable || g.calls() != 1 {
		t.Errorf("a call that could push twice: %v after %d calls", err, g.calls())
	}
	if !strings.Contains(fmt.Sprint(c.PushToOpenID(t.Context(), "alice", "", "", "", nil)), "gRPC call failed: ") {
		t.Error("the error does not say what failed")
	}
	if _, err := c.Push(t.Context(), upstream.OpenID("alice"), upstream.Notification{}, upstream.IdempotencyKey("k")); err != nil || g.calls() != 4 {
		t.Errorf("a call that takes effect once: %v after %d calls", err, g.calls())
	}
	g.unavailable = 1 << 30
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := c.Broadcast(ctx, upstream.Notification{}, upstream.IdempotencyKey("k"))
	if status.Code(err) != codes.Unavailable && status.Code(err) != codes.DeadlineExceeded || time.Since(start) > patience/2 {
		t.Errorf("until the deadline: %v after %v", err, time.Since(start))
	}
}

// TestGatewayComesBack: a call that takes effect once outlasts a restart of the gateway.
func TestGatewayComesBack(t *testing.T) {
	t.Parallel()
	g := serve(t)
	c := g.client(t)
	if _, err := c.Push(t.Context(), upstream.OpenID("alice"), upstream.Notification{}); err != nil {
		t.Fatal(err)
	}
	g.server.Stop()
	done := make(chan error, 1)
	go func() {
		_, err := c.Push(t.Context(), upstream.OpenID("alice"), upstream.Notification{}, upstream.IdempotencyKey("k"))
		done <- err
	}()
	lis, err := net.Listen("tcp", g.addr)
	if err != nil {
		t.Fatal(err)
	}
	g.serveOn(t, lis)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestLifeOfAClient(t *testing.T) {
	t.Parallel()
	g := serve(t)
	c := upstream.NewUnicastClient(g.addr)
	if err := c.Close(); err != nil {
		t.Errorf("never connected: %v", err)
	}
	if err := c.PushToOpenID(t.Context(), "a", "", "", "", nil); !errors.Is(err, upstream.ErrNotConnected) || errors.Is(err, upstream.ErrClosed) {
		t.Errorf("before Connect: %v", err)
	}
	for range 2 {
		if err := c.Connect(); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.PushToOpenID(t.Context(), "a", "", "", "", nil); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := c.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
		if err := c.PushToOpenID(t.Context(), "a", "", "", "", nil); !errors.Is(err, upstream.ErrClosed) || !errors.Is(err, upstream.ErrNotConnected) {
			t.Errorf("after Close: %v", err)
		}
	}
	if err := c.Connect(); err != nil {
		t.Fatal(err)
	}
	if err := c.PushToOpenID(t.Context(), "a", "", "", "", nil); err != nil {
		t.Errorf("connected again: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	for name, wrong := range map[string]*upstream.UnicastClient{
		"no address": upstream.NewUnicastClient(""),
		"no timeout": upstream.NewUnicastClient(g.addr, upstream.WithTimeout(0)),
	} {
		if err := wrong.Connect(); err == nil {
			t.Errorf("%s: connected", name)
		}
	}
	down := upstream.NewUnicastClient("127.0.0.1:1")
	if err := errors.Join(down.Connect(), down.Close()); err != nil {
		t.Errorf("a gateway that is down shows at the first call: %v", err)
	}
}

// TestConcurrentUse has clients connect, push and close from everywhere at once.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	g := serve(t)
	c := g.client(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 20 {
				if i == 0 {
					if err := errors.Join(c.Close(), c.Connect()); err != nil {
						t.Error(err)
					}
					continue
				}
				err := c.PushToGID(t.Context(), 1, "", "", "", nil)
				if err != nil && !errors.Is(err, upstream.ErrNotConnected) && status.Code(err) != codes.Canceled {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func TestTokens(t *testing.T) {
	t.Parallel()
	g := serve(t)
	n := 0
	c := g.client(t, upstream.WithTokenSource(func(context.Context) (string, error) {
		if n++; n == 3 {
			return "", errors.New("no token today")
		}
		return fmt.Sprint("token-", n), nil
	}))
	for want := 1; want <= 2; want++ {
		if err := c.PushToGID(t.Context(), 1, "", "", "", nil); err != nil || g.last("authorization")[0] != fmt.Sprint("Bearer token-", want) {
			t.Errorf("%v, %q", err, g.last("authorization"))
		}
	}
	if err := c.PushToGID(t.Context(), 1, "", "", "", nil); err == nil || !strings.Contains(err.Error(), "no token today") || g.calls() != 2 {
		t.Errorf("without a token: %v", err)
	}
}

// TestTokenSourceThatFails: its errors are not the gateway's, whatever they look like.
func TestTokenSourceThatFails(t *testing.T) {
	t.Parallel()
	g := serve(t)
	refused, err := status.New(codes.PermissionDenied, "not you").WithDetails(&errdetails.ErrorInfo{Reason: "TARGET_OFFLINE"})
	if err != nil {
		t.Fatal(err)
	}
	c := g.client(t, upstream.WithTokenSource(func(context.Context) (string, error) { return "", refused.Err() }))
	_, err = c.Push(t.Context(), upstream.OpenID("alice"), upstream.Notification{})
	if !errors.Is(err, upstream.ErrNoToken) || errors.Is(err, upstream.ErrTargetOffline) || status.Code(err) != codes.PermissionDenied || !strings.Contains(err.Error(), "no token for the call") {
		t.Errorf("the error of the source: %v", err)
	}
	if g.calls() > 0 {
		t.Error("a call was made without a token")
	}
}

func TestDemo(t *testing.T) {
	t.Parallel()
	g := serve(t)
	var out bytes.Buffer
	if err := g.client(t).Demo(t.Context(), &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"gid 12345", "openid user456", "session session-uuid", "3 of 3 succeeded", "sent to 3 connected sessions", "delivered"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, &out)
		}
	}
	if len(g.unicasts) != 5 || len(g.batches) != 1 || len(g.broadcasts) != 1 {
		t.Errorf("%d pushes, %d batches, %d broadcasts", len(g.unicasts), len(g.batches), len(g.broadcasts))
	}
	g.server.Stop()
	if err := g.client(t).Demo(t.Context(), &out); status.Code(err) != codes.Unavailable {
		t.Errorf("without a gateway: %v", err)
	}
}
