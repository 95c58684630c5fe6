package cluster

import (
	"fmt"
	"strings"
	"testing"

	"github.com/game-im/hermod/test/brokers"
	"github.com/game-im/hermod/test/loopback"
	"github.com/game-im/hermod/test/proxy"
)

// engine is what carries publications between the nodes of a scene.
type engine struct {
	kind string
	// addr is where it listens; empty: the nodes run it themselves.
	addr    string
	stop    func()
	restart func()
	// within are the addresses at which the nodes run it themselves.
	within []string
}

// engines start one of each kind, for so many nodes.
var engines = map[string]func(t *testing.T, nodes int) *engine{
	"nats": func(t *testing.T, _ int) *engine {
		t.Helper()
		s := brokers.StartNATS(t, brokers.NATSOptions{})
		return &engine{kind: "nats", addr: s.Addr(), stop: s.Stop, restart: s.Restart}
	},
	"redis": func(t *testing.T, _ int) *engine {
		t.Helper()
		s := brokers.StartRedis(t)
		return &engine{kind: "redis", addr: s.Addr(), stop: s.Stop, restart: s.Restart}
	},
	"embedded": func(t *testing.T, nodes int) *engine {
		t.Helper()
		e := &engine{kind: "nats"}
		for range nodes {
			e.within = append(e.within, loopback.Addr(t))
		}
		return e
	},
}

// configure returns the configuration of a node, and the network between it and an engine outside.
func (e *engine) configure(t *testing.T, node int) (yaml string, link *proxy.Proxy) {
	t.Helper()
	if e.addr == "" {
		return fmt.Sprintf("cluster: {type: nats, password: between-the-nodes, username: node, embedded: {listen: %q, routes: %q}}\n",
			e.within[node], strings.Join(e.within, ",")), nil
	}
	link = proxy.New(t, e.addr)
	return fmt.Sprintf("cluster: {type: %s, addrs: %q}\n", e.kind, link.Addr), link
}
