package broker_test

import (
	"testing"

	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/broker/brokertest"
)

func TestMemory(t *testing.T) {
	t.Parallel()
	brokertest.Run(t, func(*testing.T) func() broker.Broker { return func() broker.Broker { return broker.NewMemory() } })
}
