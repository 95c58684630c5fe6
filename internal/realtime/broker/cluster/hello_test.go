package cluster_test

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/broker/brokertest"
	"github.com/game-im/hermod/internal/realtime/broker/cluster"
)

// hesitant is a bus that takes its time to follow.
type hesitant struct{ cluster.Bus }

func (h hesitant) Follow(ctx context.Context, subjects []string) error {
	time.Sleep(10 * time.Millisecond)
	return h.Bus.Follow(ctx, subjects)
}

// TestWhoSaysHelloHearsTheAnswers: a node that starts knows the others as soon as they know it, and not a second later.
func TestWhoSaysHelloHearsTheAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		network := brokertest.NewNetwork()
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 2)
		start := func(id string) *cluster.Broker {
			b, err := cluster.New(hesitant{network.Bus()}, cluster.Options{
				Self: broker.Member{ID: id}, Codec: brokertest.Numbers{}, Log: slog.New(slog.DiscardHandler),
			})
			if err != nil {
				t.Fatal(err)
			}
			go func() { ended <- b.Run(ctx) }()
			return b
		}
		old := start("old")
		time.Sleep(500 * time.Millisecond) // of the bubble's clock, between two hellos
		fresh := start("new")
		time.Sleep(100 * time.Millisecond)
		if len(old.Members()) != 1 || len(fresh.Members()) != 1 {
			t.Errorf("the old node knows %v, the new one %v", old.Members(), fresh.Members())
		}
		cancel()
		for range 2 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	})
}
