package cluster_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/game-im/hermod/internal/realtime/broker/brokertest"
	"github.com/game-im/hermod/internal/realtime/broker/cluster"
	"github.com/game-im/hermod/plugin/plugintest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func onNetwork(*testing.T) func() cluster.Bus { return brokertest.NewNetwork().Bus }

func TestCluster(t *testing.T) {
	t.Parallel()
	brokertest.RunCluster(t, onNetwork)
}

// outage is a Network as an engine that comes and goes.
type outage struct{ *brokertest.Network }

func (o outage) Stop()    { o.Cut() }
func (o outage) Restart() { o.Heal() }

// TestNetworkIsABus: what tests of the broker run on keeps the contract that engines have.
func TestNetworkIsABus(t *testing.T) {
	t.Parallel()
	plugintest.Broker(t, onNetwork)
}

func TestOutage(t *testing.T) {
	t.Parallel()
	n := brokertest.NewNetwork()
	brokertest.RunOutage(t, func(*testing.T) func() cluster.Bus { return n.Bus }, outage{n})
}

func TestStorm(t *testing.T) {
	n := brokertest.NewNetwork()
	brokertest.Storm(t, func(*testing.T) func() cluster.Bus { return n.Bus }, outage{n})
}
