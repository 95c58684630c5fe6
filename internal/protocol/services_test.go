package protocol_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/realtime/node"
)

// nowhere is a biz.UpstreamCaller and a biz.UpstreamMeter of a node whose services are all out of reach.
type nowhere struct{}

func (nowhere) Call(context.Context, biz.Endpoint, *biz.UpstreamRequest) (*biz.UpstreamResponse, error) {
	return nil, biz.Errorf(biz.KindUnavailable, biz.ReasonUpstreamUnavailable, "out of reach").Because(biz.ErrNotSent)
}
func (nowhere) Reach(context.Context, biz.Endpoint) error        { return biz.ErrNotSent }
func (nowhere) Keep([]biz.Endpoint)                              {}
func (nowhere) Asked(string, biz.UpstreamOutcome, time.Duration) {}
func (nowhere) Retried(string)                                   {}

// office is the services of one node of a fleet.
type office struct {
	*biz.Services
	shared *protocol.Services
}

func newOffice(n *node.Node) *office {
	rules := biz.UpstreamRules{MaxConcurrent: 1, Breaker: biz.BreakerRules{Failures: 3, OpenFor: time.Second}, Unreachable: time.Minute, MaxLease: time.Hour}
	s := biz.NewServices(nowhere{}, biz.LoginOnly{}, nowhere{}, rules, slog.New(slog.DiscardHandler))
	return &office{s, protocol.NewServices(n, s)}
}

// offices returns those of all nodes, of which the first ones run.
func (f *fleet) offices(t *testing.T, running int) []*office {
	ctx, cancel := context.WithCancel(t.Context())
	all := make([]*office, len(f.nodes))
	done := make(chan error, 2*len(all))
	begun := 0
	for i, n := range f.nodes {
		all[i] = n.office
		if i < running {
			go func() { done <- all[i].Run(ctx) }()
			go func() { done <- all[i].shared.Run(ctx) }()
			begun += 2
		}
	}
	f.after = append(f.after, func() {
		cancel()
		for range begun {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
	synctest.Wait()
	return all
}

func (o *office) register(t *testing.T, address string, lease time.Duration) {
	t.Helper()
	if _, err := o.Register(biz.Registration{Service: "game", Address: address, Lease: lease}); err != nil {
		t.Error(err)
	}
	synctest.Wait()
}

func (o *office) want(t *testing.T, addresses ...string) {
	t.Helper()
	synctest.Wait()
	var got []string
	for _, s := range o.States() {
		got = append(got, s.Address)
	}
	if !slices.Equal(got, addresses) {
		t.Errorf("registered: %q, want %q", got, addresses)
	}
}

// TestServicesAreKnownToAllNodes: what registers with one, renews, moves or leaves, does so everywhere.
func TestServicesAreKnownToAllNodes(t *testing.T) {
	runFleet(t, 3, func(t *testing.T, f *fleet) {
		offices := f.offices(t, 3)
		offices[0].register(t, "a:1", 10*time.Second)
		offices[1].register(t, "b:1", 10*time.Second)
		for _, o := range offices {
			o.want(t, "a:1", "b:1")
		}
		time.Sleep(6 * time.Second)
		offices[2].register(t, "b:1", 10*time.Second) // it renews its registration at another node
		time.Sleep(6 * time.Second)
		for _, o := range offices {
			o.want(t, "b:1")
		}
		offices[0].Deregister("game", "b:1")
		for _, o := range offices {
			o.want(t)
		}
		offices[0].register(t, "b:1", 0) // it is back at once
		for _, o := range offices {
			o.want(t, "b:1")
		}
		time.Sleep(40 * time.Second) // what is told again brings nobody back
		offices[1].Deregister("game", "b:1")
		time.Sleep(20 * time.Second)
		for _, o := range offices {
			o.want(t)
		}
	})
}

// TestALeaseEndsEverywhere, however often it is told of.
func TestALeaseEndsEverywhere(t *testing.T) {
	runFleet(t, 2, func(t *testing.T, f *fleet) {
		offices := f.offices(t, 2)
		offices[0].register(t, "a:1", 40*time.Second)
		time.Sleep(39 * time.Second)
		offices[1].want(t, "a:1")
		time.Sleep(3 * time.Second)
		offices[0].want(t)
		offices[1].want(t)
	})
}

// TestALostRegistrationIsToldAgain within 15 seconds.
func TestALostRegistrationIsToldAgain(t *testing.T) {
	runFleet(t, 2, func(t *testing.T, f *fleet) {
		offices := f.offices(t, 2)
		f.kill(0)
		offices[0].register(t, "a:1", time.Minute)
		offices[1].want(t)
		f.lines[0].Mute.Store(false)
		time.Sleep(16 * time.Second)
		offices[1].want(t, "a:1")
	})
}

// TestANodeThatStartsLearnsTheServices from the others, all of them.
func TestANodeThatStartsLearnsTheServices(t *testing.T) {
	runFleet(t, 2, func(t *testing.T, f *fleet) {
		offices := f.offices(t, 1)
		f.kill(0) // the other one hears of nothing
		var want []string
		for i := range 9 {
			want = append(want, fmt.Sprint("a:", i+1))
			offices[0].register(t, want[i], time.Minute)
		}
		f.lines[0].Mute.Store(false)
		offices[1].want(t)
		if err := offices[1].shared.Run(t.Context()); err != nil {
			t.Error(err)
		}
		offices[1].want(t, want...)
	})
}
