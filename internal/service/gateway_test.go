package service_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"testing"
	"time"

	kerrors "github.com/go-kratos/kratos/v2/errors"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/service"
)

// sessions answers pushes by the target's name.
type sessions struct {
	pushes []*biz.Push
	waited []time.Duration
}

func (s *sessions) outcome(id string, p *biz.Push, absent biz.Outcome) biz.Outcome {
	s.pushes = append(s.pushes, p)
	for _, o := range biz.Outcomes() {
		if o.String() == id {
			return o
		}
	}
	return absent
}

func (s *sessions) Push(_ context.Context, to biz.Recipient, p *biz.Push) biz.Offered {
	return biz.Offered{Outcome: s.push(to, p), Why: "nobody has answered"}
}

func (s *sessions) Batch(ctx context.Context, to []biz.Recipient, p *biz.Push) (all []biz.Offered) {
	for _, r := range to {
		all = append(all, s.Push(ctx, r, p))
	}
	return all
}

func (s *sessions) push(to biz.Recipient, p *biz.Push) biz.Outcome {
	switch to.Kind {
	case biz.TargetSession:
		return s.outcome(to.ID, p, biz.OutcomeNotFound)
	case biz.TargetGID:
		return biz.OutcomeDelivered
	}
	return s.outcome(to.ID, p, biz.OutcomeOffline)
}

func (s *sessions) Await(_ context.Context, to []biz.Recipient, p *biz.Push) (all []biz.AwaitedPush) {
	for _, r := range to {
		all = append(all, awaited{s, s.push(r, p)})
	}
	return all
}

// awaited notes how long somebody would wait.
type awaited struct {
	sessions *sessions
	outcome  biz.Outcome
}

func (awaited) Leave() {}

func (a awaited) Wait(ctx context.Context) biz.Offered {
	end, _ := ctx.Deadline()
	a.sessions.waited = append(a.sessions.waited, time.Until(end))
	return biz.Offered{Outcome: a.outcome, Why: "nobody has answered"}
}

func (s *sessions) Broadcast(ctx context.Context, p *biz.Push) biz.BroadcastCounts {
	all := s.Audience(ctx, p)
	return all.Next(ctx, all.Len())
}

func (s *sessions) Audience(_ context.Context, p *biz.Push) biz.Audience {
	s.pushes = append(s.pushes, p)
	return &audience{left: 5}
}

// audience is connected, but for the first two of it: one is away, and one is slow.
type audience struct{ left, done int }

func (a *audience) Len() int    { return a.left }
func (a *audience) Silent() int { return 0 }

func (s *sessions) AtWork(context.Context, biz.PushKey) bool { return false }
func (s *sessions) Works(func(biz.PushKey) bool)             {}

func (a *audience) Next(_ context.Context, n int) biz.BroadcastCounts {
	c := biz.BroadcastCounts{Total: n}
	for range n {
		switch a.done {
		case 0:
			c.Queued++
		case 1:
			c.Slow++
		default:
			c.Sent++
		}
		a.done++
	}
	a.left -= n
	return c
}

func (s *sessions) InboxGrew(biz.UserID, int64) {}

// keys remembers requests.
type keys map[biz.PushKey]*biz.PushRecord

func (k keys) Begin(_ context.Context, key biz.PushKey, r biz.PushRecord) (*biz.PushRecord, error) {
	if earlier, ok := k[key]; ok {
		return earlier, nil
	}
	k[key] = &r
	return nil, nil
}

func (k keys) Finish(_ context.Context, key biz.PushKey, a biz.PushAnswer) { k[key].Answer = &a }

type gateway struct {
	*service.Gateway
	sessions *sessions
	inbox    *inbox
	metrics  *service.GatewayMetrics
	log      *bytes.Buffer
}

func newGateway() *gateway {
	g := &gateway{sessions: &sessions{}, inbox: &inbox{}, metrics: service.NewGatewayMetrics(), log: &bytes.Buffer{}}
	rules := biz.PushRules{MaxBytes: 100, MaxTargets: 10, InboxTTL: time.Hour, Inbox: biz.InboxLimits{Pushes: 10, Bytes: 1 << 20}}
	g.Gateway = service.NewGateway(biz.NewPushes(g.sessions, g.inbox, keys{}, rules), newServices(), g.metrics, slog.New(slog.NewTextHandler(g.log, nil)))
	return g
}

// counts returns the counters that are not 0, by their label or, without one, their name.
func (g *gateway) counts(t *testing.T) map[string]float64 {
	t.Helper()
	r := prometheus.NewPedanticRegistry()
	for _, c := range g.metrics.Collectors() {
		r.MustRegister(c)
	}
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name = l.GetValue()
			}
			if n := m.GetCounter().GetValue(); n > 0 {
				counts[name] = n
			}
		}
	}
	return counts
}

func stored(ctx context.Context) context.Context {
	return metadata.NewIncomingContext(ctx, metadata.Pairs("offline", "store"))
}

// pushes are a push to each sort of target, and its result.
var pushes = []struct {
	kind, id string
	store    bool
	code     string // "": success
	outcome  biz.Outcome
}{
	{"openid", "delivered", false, "", biz.OutcomeDelivered},
	{"session", "queued", false, "", biz.OutcomeQueued},
	{"gid", "7", false, "", biz.OutcomeDelivered},
	{"openid", "away", false, "TARGET_OFFLINE", biz.OutcomeOffline},
	{"openid", "away", true, "", biz.OutcomeQueued},
	{"session", "none", true, "TARGET_NOT_FOUND", biz.OutcomeNotFound},
	{"session", "slow", false, "TARGET_SLOW", biz.OutcomeSlow},
	{"session", "unknown", false, "UNKNOWN", biz.OutcomeUnknown},
	{"room", "r", false, "INVALID_TARGET", biz.OutcomeRejected},
	{"gid", "seven", false, "INVALID_TARGET", biz.OutcomeRejected},
	{"openid", "", false, "INVALID_TARGET", biz.OutcomeRejected},
	{"openid", "full", true, "PUSH_FAILED", biz.OutcomeRejected},
	{"openid", "broken", true, "PUSH_FAILED", biz.OutcomeRejected},
}

func TestPushToClient(t *testing.T) {
	t.Parallel()
	for _, test := range pushes {
		t.Run(fmt.Sprint(test.kind, " ", test.id, " store ", test.store), func(t *testing.T) {
			t.Parallel()
			g, ctx := newGateway(), t.Context()
			if test.store {
				ctx = stored(ctx)
			}
			got, err := g.PushToClient(ctx, &gatewayv1.UnicastPushRequest{TargetType: test.kind, TargetId: test.id, Title: "t"})
			if err != nil {
				t.Fatalf("a result of its own is no gRPC error: %v", err)
			}
			if got.GetSuccess() != (test.code == "") || got.GetErrorCode() != test.code || got.GetMessage() == "" {
				t.Errorf("got %v, want code %q", got, test.code)
			}
			if strings.Contains(got.GetMessage(), "secret") {
				t.Errorf("the cause is told: %v", got)
			}
			if counts := g.counts(t); !maps.Equal(counts, map[string]float64{test.outcome.String(): 1}) {
				t.Errorf("counted %v, want one %v", counts, test.outcome)
			}
		})
	}
}

func TestPushRequestsThatAreWrong(t *testing.T) {
	t.Parallel()
	for name, req := range map[string]*gatewayv1.UnicastPushRequest{
		"too large":              {TargetType: "openid", TargetId: "delivered", Data: make([]byte, 101)},
		"NUL in the title":       {TargetType: "openid", TargetId: "delivered", Title: "\x00"},
		"before which response?": {TargetType: "openid", TargetId: "delivered", SyncHint: gatewayv1.NotifySyncHint_NSH_BEFORE_RESPONSE},
		"a hint that is none":    {TargetType: "openid", TargetId: "delivered", SyncHint: 7, BindClientSeqId: 5},
		"after which response?":  {TargetType: "openid", TargetId: "delivered", SyncHint: gatewayv1.NotifySyncHint_NSH_AFTER_RESPONSE},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGateway()
			got, err := g.PushToClient(t.Context(), req)
			if err != nil || got.GetSuccess() || got.GetErrorCode() != "INVALID_REQUEST" || got.GetMessage() == "" {
				t.Errorf("got %v, %v", got, err)
			}
			if len(g.sessions.pushes) > 0 {
				t.Error("it went out all the same")
			}
			if counts := g.counts(t); !maps.Equal(counts, map[string]float64{"rejected": 1}) {
				t.Errorf("counted %v", counts)
			}
		})
	}
}

func TestSyncHintWithItsRequest(t *testing.T) {
	t.Parallel()
	g := newGateway()
	got, err := g.PushToClient(t.Context(), &gatewayv1.UnicastPushRequest{
		TargetType: "openid", TargetId: "delivered", SyncHint: gatewayv1.NotifySyncHint_NSH_AFTER_RESPONSE, BindClientSeqId: 5,
	})
	if err != nil || !got.GetSuccess() {
		t.Errorf("got %v, %v", got, err)
	}
	if bound := g.sessions.pushes[0].Bound; bound != (biz.PushBound{ClientSeq: 5, After: true}) {
		t.Errorf("bound to %+v", bound)
	}
}

func TestAPushArrivesAsItWasSent(t *testing.T) {
	t.Parallel()
	g := newGateway()
	md := map[string]string{"k": "v"}
	target := &gatewayv1.UnicastTarget{TargetType: "openid", TargetId: "delivered"}
	if _, err := g.PushToClient(t.Context(), &gatewayv1.UnicastPushRequest{
		TargetType: "openid", TargetId: "delivered", MsgType: "m", Title: "t", Content: "c", Data: []byte{0xff}, Metadata: md,
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := g.BatchPushToClients(t.Context(), &gatewayv1.BatchUnicastPushRequest{
		Targets: []*gatewayv1.UnicastTarget{target}, MsgType: "m", Title: "t", Content: "c", Data: []byte{0xff}, Metadata: md,
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := g.BroadcastToClients(t.Context(), &gatewayv1.BroadcastRequest{
		MsgType: "m", Title: "t", Content: "c", Data: []byte{0xff}, Metadata: md,
	}); err != nil {
		t.Fatal(err)
	}
	if len(g.sessions.pushes) != 3 {
		t.Fatalf("%d pushes", len(g.sessions.pushes))
	}
	for _, p := range g.sessions.pushes {
		if p.MsgType != "m" || p.Title != "t" || p.Content != "c" || string(p.Data) != "\xff" || !maps.Equal(p.Metadata, md) || p.ID == "" {
			t.Errorf("got %+v", p)
		}
	}
}

func TestBatchPushToClients(t *testing.T) {
	t.Parallel()
	g := newGateway()
	req := &gatewayv1.BatchUnicastPushRequest{Title: "t"}
	want := map[string]float64{}
	succeed := int32(0)
	batch := pushes[:0:0]
	for _, p := range pushes {
		if p.store || p.id == "away" {
			continue // the same call cannot store and not store
		}
		batch = append(batch, p)
		req.Targets = append(req.Targets, &gatewayv1.UnicastTarget{TargetType: p.kind, TargetId: p.id})
		want[p.outcome.String()]++
		if p.code == "" {
			succeed++
		}
	}
	got, err := g.BatchPushToClients(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	if got.GetTotalCount() != int32(len(batch)) || got.GetSuccessCount() != succeed || len(got.GetResults()) != len(batch) {
		t.Fatalf("%d of %d, %d results", got.GetSuccessCount(), got.GetTotalCount(), len(got.GetResults()))
	}
	for i, r := range got.GetResults() {
		p := batch[i]
		if r.GetTargetType() != p.kind || r.GetTargetId() != p.id {
			t.Errorf("result %d is of %s %q, want %s %q", i, r.GetTargetType(), r.GetTargetId(), p.kind, p.id)
		}
		if r.GetSuccess() != (p.code == "") || r.GetErrorCode() != p.code || (r.GetErrorMessage() == "") != r.GetSuccess() {
			t.Errorf("%s %q: %v", p.kind, p.id, r)
		}
	}
	if counts := g.counts(t); !maps.Equal(counts, want) {
		t.Errorf("counted %v, want %v", counts, want)
	}
}

func TestBatchesAtTheirLimits(t *testing.T) {
	t.Parallel()
	g := newGateway()
	got, err := g.BatchPushToClients(t.Context(), &gatewayv1.BatchUnicastPushRequest{})
	if err != nil || got.GetTotalCount() != 0 || got.GetSuccessCount() != 0 {
		t.Errorf("no targets: %v, %v", got, err)
	}
	req := &gatewayv1.BatchUnicastPushRequest{}
	for range 11 {
		req.Targets = append(req.Targets, &gatewayv1.UnicastTarget{TargetType: "openid", TargetId: "delivered"})
	}
	if _, err := g.BatchPushToClients(t.Context(), req); status.Code(err) != codes.InvalidArgument || kerrors.Reason(err) != "TOO_MANY_TARGETS" {
		t.Errorf("too many targets: %v", err)
	}
	req.Targets = append(req.Targets[:9], nil)
	if got, err := g.BatchPushToClients(t.Context(), req); err != nil || got.GetSuccessCount() != 9 {
		t.Errorf("with an empty target: %v, %v", got, err)
	}
}

func TestBroadcastToClients(t *testing.T) {
	t.Parallel()
	g := newGateway()
	got, err := g.BroadcastToClients(t.Context(), &gatewayv1.BroadcastRequest{Title: "t"})
	if err != nil || got.GetSentCount() != 3 || got.GetMessage() != "sent to 3 of 5 sessions" {
		t.Errorf("got %v, %v", got, err)
	}
	want := map[string]float64{"hermod_push_broadcasts_total": 1, "hermod_push_broadcast_sessions_total": 3}
	if counts := g.counts(t); !maps.Equal(counts, want) {
		t.Errorf("counted %v, want %v", counts, want)
	}
	_, err = g.BroadcastToClients(t.Context(), &gatewayv1.BroadcastRequest{Data: make([]byte, 101)})
	if status.Code(err) != codes.InvalidArgument || kerrors.Reason(err) != "INVALID_REQUEST" {
		t.Errorf("too large: %v", err)
	}
}

// TestFullInboxesAreNoFaultOfOurs: somebody who is away for long would fill the log as well.
func TestFullInboxesAreNoFaultOfOurs(t *testing.T) {
	t.Parallel()
	g := newGateway()
	if _, err := g.PushToClient(stored(t.Context()), &gatewayv1.UnicastPushRequest{TargetType: "openid", TargetId: "full"}); err != nil {
		t.Fatal(err)
	}
	if g.log.Len() > 0 {
		t.Errorf("logged %s", g.log)
	}
	if _, err := g.PushToClient(stored(t.Context()), &gatewayv1.UnicastPushRequest{TargetType: "openid", TargetId: "broken"}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(g.log.String(), "secret") {
		t.Error("a store that fails is not in the log")
	}
}

// TestErrorCodesAreListed: whatever code an answer has, the .proto explains it.
func TestErrorCodesAreListed(t *testing.T) {
	t.Parallel()
	for _, p := range pushes {
		if _, ok := gatewayv1.PushErrorCode_value[p.code]; p.code != "" && !ok {
			t.Errorf("%s is not listed", p.code)
		}
	}
}
