package redisbroker_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/game-im/hermod/internal/realtime/broker/brokertest"
	"github.com/game-im/hermod/internal/realtime/broker/cluster"
	"github.com/game-im/hermod/internal/realtime/broker/redisbroker"
	"github.com/game-im/hermod/test/brokers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// on makes buses to servers.
func on(t *testing.T, o redisbroker.Options) func() cluster.Bus {
	return func() cluster.Bus {
		b, err := redisbroker.New(o)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
}

func TestRedis(t *testing.T) {
	t.Parallel()
	s := brokers.StartRedis(t)
	brokertest.RunCluster(t, func(t *testing.T) func() cluster.Bus {
		return on(t, redisbroker.Options{Addrs: []string{s.Addr()}})
	})
}

func TestRedisCluster(t *testing.T) {
	t.Parallel()
	var addrs []string
	for _, s := range brokers.StartRedisCluster(t) {
		addrs = append(addrs, s.Addr())
	}
	brokertest.RunCluster(t, func(t *testing.T) func() cluster.Bus {
		return on(t, redisbroker.Options{Addrs: addrs, Cluster: true, Lanes: 4})
	})
}

func TestOutage(t *testing.T) {
	t.Parallel()
	s := brokers.StartRedis(t)
	brokertest.RunOutage(t, func(t *testing.T) func() cluster.Bus {
		return on(t, redisbroker.Options{Addrs: []string{s.Addr()}})
	}, s)
}

func TestLateEngine(t *testing.T) {
	t.Parallel()
	s := brokers.StartRedis(t)
	brokertest.RunLateEngine(t, func(t *testing.T) func() cluster.Bus {
		return on(t, redisbroker.Options{Addrs: []string{s.Addr()}})
	}, s)
}

func TestStall(t *testing.T) {
	t.Parallel()
	s := brokers.StartRedis(t)
	brokertest.RunStall(t, func(t *testing.T) func() cluster.Bus {
		return on(t, redisbroker.Options{Addrs: []string{s.Addr()}})
	}, s)
}

func TestStorm(t *testing.T) {
	s := brokers.StartRedis(t)
	brokertest.Storm(t, func(t *testing.T) func() cluster.Bus {
		return on(t, redisbroker.Options{Addrs: []string{s.Addr()}})
	}, s)
}
