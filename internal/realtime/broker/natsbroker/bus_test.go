package natsbroker_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/game-im/hermod/internal/realtime/broker/brokertest"
	"github.com/game-im/hermod/internal/realtime/broker/cluster"
	"github.com/game-im/hermod/internal/realtime/broker/natsbroker"
	"github.com/game-im/hermod/test/brokers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// on makes buses to servers.
func on(t *testing.T, o natsbroker.Options) func() cluster.Bus {
	return func() cluster.Bus {
		b, err := natsbroker.New(o)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
}

func TestNATS(t *testing.T) {
	t.Parallel()
	s := brokers.StartNATS(t, brokers.NATSOptions{})
	brokertest.RunCluster(t, func(t *testing.T) func() cluster.Bus {
		return on(t, natsbroker.Options{URLs: []string{s.Addr()}})
	})
}

func TestOutage(t *testing.T) {
	t.Parallel()
	s := brokers.StartNATS(t, brokers.NATSOptions{})
	brokertest.RunOutage(t, func(t *testing.T) func() cluster.Bus {
		return on(t, natsbroker.Options{URLs: []string{s.Addr()}})
	}, s)
}

func TestLateEngine(t *testing.T) {
	t.Parallel()
	s := brokers.StartNATS(t, brokers.NATSOptions{})
	brokertest.RunLateEngine(t, func(t *testing.T) func() cluster.Bus {
		return on(t, natsbroker.Options{URLs: []string{s.Addr()}})
	}, s)
}

func TestStall(t *testing.T) {
	t.Parallel()
	s := brokers.StartNATS(t, brokers.NATSOptions{})
	p := brokers.StartProxy(t, s.Addr())
	brokertest.RunStall(t, func(t *testing.T) func() cluster.Bus {
		return on(t, natsbroker.Options{URLs: []string{p.Addr()}})
	}, p)
}

func TestStorm(t *testing.T) {
	s := brokers.StartNATS(t, brokers.NATSOptions{})
	brokertest.Storm(t, func(t *testing.T) func() cluster.Bus {
		return on(t, natsbroker.Options{URLs: []string{s.Addr()}})
	}, s)
}
