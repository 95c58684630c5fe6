package gateway_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/protocol/gateway"
	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/broker/brokertest"
	"github.com/game-im/hermod/internal/realtime/broker/cluster"
	"github.com/game-im/hermod/internal/realtime/node"
	"github.com/game-im/hermod/internal/realtime/presence"
	"github.com/game-im/hermod/internal/realtime/session"
)

// fleet is nodes on one network, in a bubble of their own clock. They know each other.
type fleet struct {
	network *brokertest.Network
	nodes   []*bench
	buses   []*brokertest.Line
	kills   []context.CancelFunc
	moves   []*protocol.Moves
}

func runFleet(t *testing.T, count int, cfg gateway.Config, test func(t *testing.T, f *fleet)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := &fleet{network: brokertest.NewNetwork()}
		done := make(chan error, count)
		kept := &inbox{}
		for i := range count {
			f.add(t, fmt.Sprint("node", i), cfg, kept, done)
		}
		synctest.Wait()
		test(t, f)
		for _, kill := range f.kills {
			kill()
		}
		for range count {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		time.Sleep(20 * time.Second) // what was under way ends
	})
}

func (f *fleet) add(t *testing.T, id string, cfg gateway.Config, kept *inbox, done chan<- error) {
	quiet := slog.New(slog.DiscardHandler)
	bus := f.network.Line()
	br, err := cluster.New(bus, cluster.Options{Self: broker.Member{ID: id}, Codec: protocol.Codec{}, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	core := session.NewCore(session.Config{
		QueueBytes: 1 << 20, ResumeWindow: time.Minute, StallTimeout: time.Hour, ExpiryGrace: 30 * time.Second,
		AckTimeout: 15 * time.Second, MaxResends: 2, BoundFor: config.RequestTimeout,
	}, quiet)
	b := &bench{t: t, inbox: kept, node: node.New(core, br, presence.New(0))}
	b.pushes = biz.NewPushes(protocol.NewPusher(b.node), b.inbox, nil,
		biz.PushRules{MaxBytes: 1000, MaxTargets: 9, InboxTTL: time.Hour, Inbox: biz.InboxLimits{Pushes: 9, Bytes: 1 << 20}})
	b.handler = gateway.NewHandler(b.node, b.pushes, &slowly{}, nil, proofs{}, cfg, quiet)
	f.moves = append(f.moves, protocol.NewMoves(b.node, map[string]protocol.Movable{"gateway": b.handler, "other": other{b.node}}, quiet))
	ctx, cancel := context.WithCancel(t.Context())
	f.nodes, f.buses, f.kills = append(f.nodes, b), append(f.buses, bus), append(f.kills, cancel)
	go func() { done <- b.node.Run(ctx) }()
}

// slowly answers as the builtin service does, but takes ten seconds for "sleep" and less than a session is waited for
// to move for "nap".
type slowly struct{ biz.Builtin }

func (s *slowly) Process(ctx context.Context, r *biz.UpstreamRequest) (*biz.UpstreamResponse, error) {
	if d := map[string]time.Duration{"sleep": 10 * time.Second, "nap": 300 * time.Millisecond}[r.Action]; d > 0 {
		time.Sleep(d)
		return &biz.UpstreamResponse{Code: biz.UpstreamOK, Message: "slept"}, nil
	}
	return s.Builtin.Process(ctx, r)
}

// sessions returns on which nodes the user has how many sessions.
func (f *fleet) sessions(user string) (counts []int) {
	synctest.Wait()
	for _, b := range f.nodes {
		counts = append(counts, len(b.node.OfUser(user)))
	}
	return counts
}

func (f *fleet) wantSessions(t *testing.T, user string, counts ...int) {
	t.Helper()
	if got := f.sessions(user); fmt.Sprint(got) != fmt.Sprint(counts) {
		t.Fatalf("sessions of %s on the nodes: %v, want %v", user, got, counts)
	}
}
