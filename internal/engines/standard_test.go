package engines

import (
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/game-im/hermod/plugin"
	"github.com/game-im/hermod/plugin/plugintest"
	"github.com/game-im/hermod/test/brokers"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var nodes atomic.Int64

// open returns the bus of one more node.
func open(t *testing.T, p plugin.Broker) plugin.Bus {
	t.Helper()
	b, err := p.OpenBus(plugin.ClusterNode{Cluster: "test", ID: fmt.Sprint("node", nodes.Add(1)), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestStandard(t *testing.T) {
	t.Parallel()
	for i := range Standard() {
		plugintest.Plugin(t, func() plugin.Plugin { return Standard()[i] })
	}
}

func TestNATS(t *testing.T) {
	t.Parallel()
	s := brokers.StartNATS(t, brokers.NATSOptions{})
	plugintest.Broker(t, func(t *testing.T) func() plugin.Bus {
		return func() plugin.Bus {
			n := newNATS()
			n.keys.Addrs = strings.TrimPrefix(s.Addr(), "nats://")
			return open(t, n)
		}
	})
}

// TestNATSWithinTheNodes: each has a server of its own, and its end comes with Stop.
func TestNATSWithinTheNodes(t *testing.T) {
	t.Parallel()
	plugintest.Broker(t, func(t *testing.T) func() plugin.Bus {
		routes := ""
		return func() plugin.Bus {
			n := newNATS()
			n.keys.Embedded = embeddedKeys{Listen: "127.0.0.1:0", Routes: routes}
			b := open(t, n)
			if routes == "" {
				routes = n.server.Routed()
			}
			t.Cleanup(func() {
				if err := n.Stop(t.Context()); err != nil {
					t.Error(err)
				}
			})
			return b
		}
	})
}

func TestRedis(t *testing.T) {
	t.Parallel()
	s := brokers.StartRedis(t)
	plugintest.Broker(t, func(t *testing.T) func() plugin.Bus {
		return func() plugin.Bus {
			r := &redis{}
			r.keys.Addrs = s.Addr()
			return open(t, r)
		}
	})
}

// TestAServerThatCannotStart: the error says which key is about it.
func TestAServerThatCannotStart(t *testing.T) {
	t.Parallel()
	n := newNATS()
	n.keys.Embedded.Listen = "nonsense"
	if _, err := n.OpenBus(plugin.ClusterNode{Cluster: "test", ID: "a", Log: slog.New(slog.DiscardHandler)}); err == nil || !strings.HasPrefix(err.Error(), "cluster.embedded: ") {
		t.Errorf("got %v", err)
	}
}
