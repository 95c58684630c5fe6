package protocol_test

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/broker/brokertest"
	"github.com/game-im/hermod/internal/realtime/broker/cluster"
	"github.com/game-im/hermod/internal/realtime/node"
	"github.com/game-im/hermod/internal/realtime/presence"
	"github.com/game-im/hermod/internal/realtime/session"
)

// fleet is nodes on one network in a synctest bubble.
type fleet struct {
	network *brokertest.Network
	nodes   []*bench
	lines   []*brokertest.Line
	after   []func() // before the nodes stop
}

func runFleet(t *testing.T, count int, test func(t *testing.T, f *fleet)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fleet{network: brokertest.NewNetwork()}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, count)
		for i := range count {
			l := f.network.Line()
			l.Blind.Store(true)
			b, err := cluster.New(l, cluster.Options{Self: broker.Member{ID: fmt.Sprint("node", i)}, Codec: protocol.Codec{}, Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			core := session.NewCore(session.Config{QueueBytes: 200, ResumeWindow: time.Minute, StallTimeout: time.Minute}, slog.New(slog.DiscardHandler))
			n := node.New(core, b, presence.New(time.Second))
			f.nodes, f.lines = append(f.nodes, newBench(n)), append(f.lines, l)
			go func() { done <- n.Run(ctx) }()
		}
		synctest.Wait()
		test(t, f)
		for _, end := range f.after {
			end()
		}
		cancel()
		for range count {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
}

// kill makes a node say nothing more, from now on.
func (f *fleet) kill(i int) { f.lines[i].Mute.Store(true) }

// member opens a session of a user on a node, under an id of that node.
func (f *fleet) member(t *testing.T, i int, user string) *recorded {
	t.Helper()
	id, err := f.nodes[i].NewSessionID()
	if err != nil {
		t.Fatal(err)
	}
	r := f.nodes[i].connect(session.Options{ID: id, User: user})
	synctest.Wait()
	return r
}

// took runs something and returns how long that took.
func took(do func()) time.Duration {
	begun := time.Now()
	do()
	return time.Since(begun)
}

func offered(o biz.Outcome) biz.Offered { return biz.Offered{Outcome: o} }

// settled is how many targets that had waited in sessions of a node have an end.
func (b *bench) settled(t *testing.T) (n float64) {
	t.Helper()
	r := prometheus.NewRegistry()
	r.MustRegister(b.Core().Metrics.Collectors()...)
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "hermod_session_settled_pushes_total" {
			for _, m := range f.GetMetric() {
				n += m.GetCounter().GetValue()
			}
		}
	}
	return n
}
