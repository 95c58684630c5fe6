package outbox_test

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	"github.com/game-im/hermod/sdk/outbox"
	"github.com/game-im/hermod/sdk/upstream"
)

// gateway answers pushes with what a test has in its script, and then with success.
type gateway struct {
	gatewayv1.UnimplementedGatewayServiceServer
	script []func() (*gatewayv1.UnicastPushResponse, error)
	asked  chan metadata.MD
	addr   string
	n      int
}

func (g *gateway) PushToClient(ctx context.Context, _ *gatewayv1.UnicastPushRequest) (*gatewayv1.UnicastPushResponse, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	g.asked <- md
	if g.n++; g.n <= len(g.script) {
		return g.script[g.n-1]()
	}
	return &gatewayv1.UnicastPushResponse{Success: true, Outcome: gatewayv1.PushOutcome_PUSH_OUTCOME_DELIVERED}, nil
}

func serve(t *testing.T, script ...func() (*gatewayv1.UnicastPushResponse, error)) (*gateway, *upstream.UnicastClient) {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gateway{script: script, asked: make(chan metadata.MD, 100), addr: lis.Addr().String()}
	server := grpc.NewServer()
	gatewayv1.RegisterGatewayServiceServer(server, g)
	served := make(chan error, 1)
	go func() { served <- server.Serve(lis) }()
	t.Cleanup(func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	client := upstream.NewUnicastClient(lis.Addr().String())
	if err := client.Connect(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return g, client
}

func answer(code gatewayv1.PushErrorCode) func() (*gatewayv1.UnicastPushResponse, error) {
	return func() (*gatewayv1.UnicastPushResponse, error) {
		return &gatewayv1.UnicastPushResponse{ErrorCode: code.String(), Message: "no"}, nil
	}
}

func failure() (*gatewayv1.UnicastPushResponse, error) {
	return nil, status.Error(codes.Internal, "a fault")
}

// What Hermod has answered it answers again: a push that may succeed later needs another key, and one without an answer
// the same, with everything else the same as well.
func TestKeysOfPushes(t *testing.T) {
	t.Parallel()
	db, box := newBox(t)
	g, client := serve(t, failure, answer(gatewayv1.PushErrorCode_TARGET_SLOW), failure)
	_, ends, _ := run(t, box, outbox.Clients{Gateway: client}, soon)
	add(t, db, box, outbox.Push{ID: "p", To: upstream.OpenID("ann"), TTL: time.Hour})
	if e := next(t, ends); e.ID != "p" || e.Result != outbox.Sent {
		t.Fatalf("%+v has left; want it sent", e)
	}
	var ttls []time.Duration
	for i, want := range []string{"p", "p", "p#2", "p#2"} {
		md := <-g.asked
		if key := md.Get("idempotency-key"); len(key) != 1 || key[0] != want {
			t.Errorf("call %d has the key %q; want %q", i, key, want)
		}
		if offline := md.Get("offline"); len(offline) != 1 || offline[0] != "store" {
			t.Errorf("call %d has offline %q; want it kept", i, offline)
		}
		ttl, err := time.ParseDuration(md.Get("ttl")[0])
		if err != nil {
			t.Fatal(err)
		}
		ttls = append(ttls, ttl)
	}
	if ttls[0] != ttls[1] || ttls[2] != ttls[3] || ttls[0] > time.Hour || ttls[2] > ttls[0] || ttls[3] < 50*time.Minute {
		t.Errorf("the TTLs are %v; want one for each key, and the rest of an hour", ttls)
	}
}

func TestEndsOfPushes(t *testing.T) {
	t.Parallel()
	tests := map[gatewayv1.PushErrorCode]outbox.Result{
		gatewayv1.PushErrorCode_TARGET_OFFLINE:       outbox.Missed,
		gatewayv1.PushErrorCode_TARGET_NOT_FOUND:     outbox.Missed,
		gatewayv1.PushErrorCode_EXPIRED:              outbox.Missed,
		gatewayv1.PushErrorCode_UNKNOWN:              outbox.Missed,
		gatewayv1.PushErrorCode_INVALID_TARGET:       outbox.Aside,
		gatewayv1.PushErrorCode_IDEMPOTENCY_CONFLICT: outbox.Aside,
		gatewayv1.PushErrorCode_PUSH_FAILED:          outbox.Sent, // the second time
	}
	for code, want := range tests {
		t.Run(code.String(), func(t *testing.T) {
			t.Parallel()
			db, box := newBox(t)
			_, client := serve(t, answer(code))
			_, ends, _ := run(t, box, outbox.Clients{Gateway: client}, soon)
			add(t, db, box, outbox.Push{To: upstream.GID(7)})
			e := next(t, ends)
			if e.Result != want || want != outbox.Sent && e.Reason != code.String() {
				t.Errorf("it ends with %+v; want %s for %s", e, want, code)
			}
		})
	}
}

// A source of tokens that fails is no refusal of the push, whatever its error looks like.
func TestPushWaitsForAToken(t *testing.T) {
	t.Parallel()
	db, box := newBox(t)
	g, _ := serve(t)
	var asked atomic.Int32
	client := upstream.NewUnicastClient(g.addr, upstream.WithTokenSource(func(context.Context) (string, error) {
		if asked.Add(1) == 1 {
			return "", status.Error(codes.PermissionDenied, "no tokens today")
		}
		return "secret", nil
	}))
	if err := client.Connect(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	_, ends, _ := run(t, box, outbox.Clients{Gateway: client}, soon)
	add(t, db, box, outbox.Push{To: upstream.GID(7)})
	if e := next(t, ends); e.Result != outbox.Sent {
		t.Errorf("it ends with %+v; want it sent", e)
	}
}

// A push that was parked is tried under another key, since its first one has been answered.
func TestRetriedPushHasAnotherKey(t *testing.T) {
	t.Parallel()
	db, box := newBox(t)
	g, client := serve(t, answer(gatewayv1.PushErrorCode_INVALID_REQUEST))
	_, ends, _ := run(t, box, outbox.Clients{Gateway: client}, soon)
	add(t, db, box, outbox.Push{ID: "p", To: upstream.OpenID("ann"), OnlineOnly: true, WaitForAck: time.Second})
	next(t, ends)
	parked, err := box.Parked(t.Context(), 0, 10)
	if err != nil || len(parked) != 1 {
		t.Fatal(parked, err)
	}
	if n, err := box.Retry(t.Context(), parked[0].Row); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if e := next(t, ends); e.Result != outbox.Sent {
		t.Errorf("%+v; want it sent", e)
	}
	for i := range 2 {
		md := <-g.asked
		want := []string{"p", "p#2"}[i]
		if key := md.Get("idempotency-key"); key[0] != want || md.Get("wait")[0] != "acknowledged" || len(md.Get("offline")) != 0 {
			t.Errorf("call %d is %v; want the key %q, waiting, not kept", i, md, want)
		}
	}
}

// A push whose time is over before it was first tried is not made.
func TestExpiredPushIsNotMade(t *testing.T) {
	t.Parallel()
	db, box := newBox(t)
	g, client := serve(t)
	add(t, db, box, outbox.Push{ID: "late", To: upstream.OpenID("ann"), TTL: time.Minute}, outbox.Push{ID: "in-time", To: upstream.OpenID("ann")})
	if err := db.Exec(`UPDATE hermod_outbox SET added_at = added_at - 61000`).Error; err != nil {
		t.Fatal(err)
	}
	_, ends, _ := run(t, box, outbox.Clients{Gateway: client}, soon)
	if e := next(t, ends); e.ID != "late" || e.Result != outbox.Missed || e.Reason != "EXPIRED" {
		t.Errorf("%+v has left; want it missed", e)
	}
	if e := next(t, ends); e.ID != "in-time" || e.Result != outbox.Sent {
		t.Errorf("%+v has left; want it sent", e)
	}
	if len(g.asked) != 1 {
		t.Errorf("%d pushes were made; want one", len(g.asked))
	}
}

// A push that was tried in time, and had no answer for longer than its TTL, is not made again: Hermod would take it for as fresh
// as at the first attempt.
func TestExpiredPushIsNotRepeated(t *testing.T) {
	t.Parallel()
	db, box := newBox(t)
	g, client := serve(t)
	add(t, db, box, outbox.Push{ID: "late", To: upstream.OpenID("ann"), TTL: time.Minute}, outbox.Push{ID: "in-time", To: upstream.OpenID("ann"), TTL: time.Hour})
	if err := db.Exec(`UPDATE hermod_outbox SET added_at = added_at - 61000, tried_at = added_at - 60000, tries = 1`).Error; err != nil {
		t.Fatal(err)
	}
	_, ends, _ := run(t, box, outbox.Clients{Gateway: client}, soon)
	if e := next(t, ends); e.ID != "late" || e.Result != outbox.Missed || e.Reason != "UNKNOWN" {
		t.Errorf("%+v has left; want it missed", e)
	}
	if e := next(t, ends); e.ID != "in-time" || e.Result != outbox.Sent {
		t.Errorf("%+v has left; want it sent", e)
	}
	if len(g.asked) != 1 {
		t.Errorf("%d pushes were made; want one", len(g.asked))
	}
}

// pusher answers pushes as a test has it.
type pusher func(to upstream.Target) error

func (p pusher) Push(_ context.Context, to upstream.Target, _ upstream.Notification, _ ...upstream.CallOption) (upstream.Outcome, error) {
	return upstream.Outcome{}, p(to)
}

// told is how often a log was told something.
type told struct {
	slog.Handler
	what  string
	times *atomic.Int64
}

// Enabled implements slog.Handler.
func (told) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (l told) Handle(_ context.Context, r slog.Record) error {
	if strings.Contains(r.Message, l.what) {
		l.times.Add(1)
	}
	return nil
}

// That the time of a push is over says nothing of Hermod: while that is unavailable, it is still tried for one target at a time.
func TestExpiredPushesOpenNoGate(t *testing.T) {
	t.Parallel()
	db, box := newBox(t)
	add(t, db, box, outbox.Push{To: upstream.GID(7)}, outbox.Push{ID: "late", To: upstream.OpenID("ann"), TTL: time.Minute})
	if err := db.Exec(`UPDATE hermod_outbox SET added_at = added_at - 61000 WHERE item_id = 'late'`).Error; err != nil {
		t.Fatal(err)
	}
	var again atomic.Int64
	opts := soon
	opts.Lanes, opts.Log = 1, slog.New(told{slog.DiscardHandler, "again", &again})
	_, ends, _ := run(t, box, outbox.Clients{Gateway: pusher(func(upstream.Target) error { return status.Error(codes.Unavailable, "away") })}, opts)
	if e := next(t, ends); e.ID != "late" || e.Result != outbox.Missed || e.Reason != "EXPIRED" {
		t.Errorf("%+v has left; want it missed", e)
	}
	if again.Load() > 0 {
		t.Error("Hermod is said to take pushes again, which has answered none")
	}
}
