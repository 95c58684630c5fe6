package cluster_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/broker/brokertest"
	"github.com/game-im/hermod/internal/realtime/broker/cluster"
)

// parting is a bus that says that it is down when it ends, as those of engines do.
type parting struct{ cluster.Bus }

func (p parting) Run(ctx context.Context, sink cluster.Sink) error {
	err := p.Bus.Run(ctx, sink)
	sink.Disconnected(errors.New("the connection was closed"))
	return err
}

// TestLeavingIsNoOutage: a node that stops has lost nothing, and warns of nothing.
func TestLeavingIsNoOutage(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	b, err := cluster.New(parting{brokertest.NewNetwork().Bus()}, cluster.Options{
		Self: broker.Member{ID: "n"}, Codec: brokertest.Numbers{}, Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- b.Run(ctx) }()
	for deadline := time.Now().Add(time.Minute); !b.Connected(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not connect")
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	if b.Connected() || strings.Contains(log.String(), "out of reach") {
		t.Errorf("connected: %v; it logs %s", b.Connected(), log.String())
	}
}
