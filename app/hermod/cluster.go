package hermod

import (
	"crypto/rand"
	"log/slog"
	"strconv"
	"time"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/broker/cluster"
	"github.com/game-im/hermod/plugin"
)

// bootIDLength is the length of a node's id, five random bits each: among a million starts two have the
// same one with a chance of 1 in 2 million.
const bootIDLength = 12

// newBroker returns what connects the node with the others by the broker that was chosen, and does not connect
// yet. A node that is alone has no broker: it hands publications to itself, as they are.
func newBroker(c *conf.Config, d *doors, log *slog.Logger) (broker.Cluster, error) {
	if d.Broker == nil {
		return broker.NewMemory(), nil
	}
	name, self := c.GetCluster().GetName(), broker.Member{ID: rand.Text()[:bootIDLength]}
	bus, err := d.Broker.OpenBus(plugin.ClusterNode{Cluster: name, ID: self.ID, Log: log})
	if err != nil {
		return nil, err
	}
	return cluster.New(bus, cluster.Options{Name: name, Self: self, Codec: protocol.Codec{}, Log: log})
}

const (
	// meetFor is how long a node listens for the others before it serves. Each says hello once a second.
	meetFor = 1500 * time.Millisecond
	// connectWithin is how long it waits for the engine. Then it serves without the others.
	connectWithin = 5 * time.Second
	connectPoll   = 20 * time.Millisecond
)

// meet returns once a node that joins a cluster knows the others: before that it would say of users who are on one
// of them that they are offline.
func meet(b broker.Cluster) {
	engine, ok := b.(interface{ Connected() bool })
	if !ok {
		return
	}
	for begun := time.Now(); !engine.Connected(); time.Sleep(connectPoll) {
		if time.Since(begun) > connectWithin {
			return
		}
	}
	time.Sleep(meetFor)
}

// clusterState says, for /readyz, how the node stands with the others.
func clusterState(b broker.Cluster) string {
	engine, ok := b.(interface{ Connected() bool })
	switch {
	case !ok:
		return ""
	case !engine.Connected():
		return "out of reach; trying again"
	}
	return "node " + b.Self() + ", others: " + strconv.Itoa(len(b.Members()))
}
