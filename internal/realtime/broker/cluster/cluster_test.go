package cluster_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/game-im/hermod/internal/realtime/broker/brokertest"
	"github.com/game-im/hermod/internal/realtime/broker/cluster"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func onNetwork(*testing.T) func() cluster.Bus { return brokertest.NewNetwork().Bus }

func TestCluster(t *testing.T) {
	t.Parallel()
	brokertest.RunCluster(t, onNetwork)
}
