package biz_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// instances is a biz.UpstreamCaller in memory: every address answers with its name, unless a test says
// what it does.
type instances struct {
	mu    sync.Mutex
	does  map[string]func(ctx context.Context, r *biz.UpstreamRequest) (*biz.UpstreamResponse, error)
	away  map[string]bool // cannot be connected to
	calls []string
	kept  []biz.Endpoint
	last  *biz.UpstreamRequest
}

func (i *instances) Call(ctx context.Context, e biz.Endpoint, r *biz.UpstreamRequest) (*biz.UpstreamResponse, error) {
	i.mu.Lock()
	does := i.does[e.Address]
	i.calls = append(i.calls, e.Address)
	i.last = r
	away := i.away[e.Address]
	i.mu.Unlock()
	switch {
	case away:
		return nil, unreached()
	case does == nil:
		return &biz.UpstreamResponse{Code: biz.UpstreamOK, Message: e.Address}, nil
	}
	return does(ctx, r)
}

func (i *instances) Reach(_ context.Context, e biz.Endpoint) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.away[e.Address] {
		return unreached()
	}
	return nil
}

func (i *instances) Keep(endpoints []biz.Endpoint) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.kept = slices.Clone(endpoints)
}

func (i *instances) addresses() (addrs []string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, e := range i.kept {
		addrs = append(addrs, e.Address)
	}
	return addrs
}

func (i *instances) set(address string, does func(context.Context, *biz.UpstreamRequest) (*biz.UpstreamResponse, error)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.does[address] = does
}

func (i *instances) setAway(address string, away bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.away[address] = away
}

// taken returns who was called since the last time.
func (i *instances) taken() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	calls := i.calls
	i.calls = nil
	return calls
}

func unreached() error {
	return biz.Errorf(biz.KindUnavailable, biz.ReasonUpstreamUnavailable, "not reached").Because(biz.ErrNotSent)
}

// hang says nothing until the caller gives up.
func hang(ctx context.Context, _ *biz.UpstreamRequest) (*biz.UpstreamResponse, error) {
	<-ctx.Done()
	if errors.Is(ctx.Err(), context.Canceled) {
		return nil, biz.Errorf(biz.KindCanceled, "CANCELED", "canceled")
	}
	return nil, biz.Errorf(biz.KindUnavailable, biz.ReasonUpstreamTimeout, "silent")
}

// fails is alive, and fails.
func fails(context.Context, *biz.UpstreamRequest) (*biz.UpstreamResponse, error) {
	return nil, biz.Errorf(biz.KindInternal, biz.ReasonUpstreamFailed, "failed")
}

// upstreamMeter counts outcomes by service.
type upstreamMeter struct {
	mu      sync.Mutex
	asked   map[string]int
	retried int
}

func (m *upstreamMeter) Asked(service string, o biz.UpstreamOutcome, _ time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked[service+" "+o.String()]++
}

func (m *upstreamMeter) Retried(string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.retried++
}

type upstreamScene struct {
	*biz.Services
	t         *testing.T
	instances *instances
	meter     *upstreamMeter
}

func upstreamRules() biz.UpstreamRules {
	return biz.UpstreamRules{
		MaxConcurrent: 10, Breaker: biz.BreakerRules{Failures: 3, OpenFor: 5 * time.Second},
		Unreachable: time.Minute, MaxLease: time.Minute,
	}
}

func newUpstreamScene(t *testing.T, rules biz.UpstreamRules) *upstreamScene {
	s := &upstreamScene{
		t:         t,
		instances: &instances{does: map[string]func(context.Context, *biz.UpstreamRequest) (*biz.UpstreamResponse, error){}, away: map[string]bool{}},
		meter:     &upstreamMeter{asked: map[string]int{}},
	}
	s.Services = biz.NewServices(s.instances, biz.Builtin{}, s.meter, rules, slog.New(slog.DiscardHandler))
	return s
}

func (s *upstreamScene) register(service, zone, address string, lease time.Duration) {
	s.t.Helper()
	if _, err := s.Register(biz.Registration{Service: service, Zone: zone, Address: address, Lease: lease}); err != nil {
		s.t.Fatal(err)
	}
}

// asks returns who answers a request, or the reason of the error.
func (s *upstreamScene) asks(ctx context.Context, r *biz.UpstreamRequest) string {
	s.t.Helper()
	resp, err := s.Process(ctx, r)
	if err != nil {
		return biz.AsError(err).Reason
	}
	return resp.Message
}

// ask is asks for a user and an action.
func (s *upstreamScene) ask(user, action string) string {
	s.t.Helper()
	return s.asks(s.t.Context(), &biz.UpstreamRequest{Identity: biz.Identity{User: biz.UserID(user)}, Action: action})
}

// run runs the services' own part until the test ends.
func (s *upstreamScene) run() (stop func()) {
	ctx, cancel := context.WithCancel(s.t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.Run(ctx); err != nil {
			s.t.Error(err)
		}
	}()
	return func() {
		cancel()
		<-done
	}
}
