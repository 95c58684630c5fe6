package broker_test

import (
	"testing"

	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/broker/brokertest"
	"github.com/game-im/hermod/internal/realtime/frame"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	brokertest.Run(t, brokertest.Config{
		Cluster: func(*testing.T) func() broker.Broker { return func() broker.Broker { return broker.NewMemory() } },
		Nodes:   1,
		Frame:   func(n int) *frame.Frame { return frame.New(n) },
	})
}
