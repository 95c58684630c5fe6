package hermod

import (
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/broker/cluster"
	"github.com/game-im/hermod/internal/realtime/broker/natsbroker"
	"github.com/game-im/hermod/internal/realtime/broker/natsserver"
	"github.com/game-im/hermod/internal/realtime/broker/redisbroker"
)

// bootIDLength is the length of a node's id, five random bits each: among a million starts two have the
// same one with a chance of 1 in 2 million.
const bootIDLength = 12

// newBroker returns what connects the node with the others, and does not connect yet.
func newBroker(c *conf.Config, log *slog.Logger) (broker.Cluster, func(), error) {
	if !c.GetCluster().Joined() {
		return broker.NewMemory(), func() {}, nil
	}
	self := broker.Member{ID: rand.Text()[:bootIDLength]}
	bus, closeBus, err := newBus(c.GetCluster(), self.ID, log)
	if err != nil {
		return nil, nil, err
	}
	b, err := cluster.New(bus, cluster.Options{Name: c.GetCluster().GetName(), Self: self, Codec: protocol.Codec{}, Log: log})
	if err != nil {
		closeBus()
		return nil, nil, err
	}
	return b, closeBus, nil
}

func newBus(c *conf.Cluster, self string, log *slog.Logger) (cluster.Bus, func(), error) {
	secured, err := conf.TLSConfig("cluster.tls", c.GetTls())
	if err != nil {
		return nil, nil, err
	}
	none := func() {}
	switch {
	case c.GetType() == conf.ClusterRedis:
		bus, err := redisbroker.New(redisbroker.Options{
			Addrs: c.Addresses(), Cluster: c.GetRedis().GetSharded(), User: c.GetUsername(), Password: c.GetPassword(), TLS: secured,
		})
		return bus, none, err
	case c.Within():
		return newEmbeddedBus(c, self, secured, log)
	}
	bus, err := natsbroker.New(natsbroker.Options{
		URLs: c.Addresses(), Name: "hermod " + self, User: c.GetUsername(), Password: c.GetPassword(), Token: c.GetToken(),
		CredsFile: c.GetCredsFile(), NKeyFile: c.GetNkeyFile(), TLS: secured, Log: log,
	})
	return bus, none, err
}

// newEmbeddedBus starts the node's own NATS server.
func newEmbeddedBus(c *conf.Cluster, self string, secured *tls.Config, log *slog.Logger) (cluster.Bus, func(), error) {
	if secured != nil { // whoever connects shows a certificate, too
		secured.ClientAuth, secured.ClientCAs = tls.RequireAndVerifyClientCert, secured.RootCAs
	}
	s, err := natsserver.Start(natsserver.Options{
		Cluster: c.GetName(), Node: self, Listen: c.GetEmbedded().GetListen(), Advertise: c.GetEmbedded().GetAdvertise(),
		Routes: c.GetEmbedded().Peers(), User: c.GetUsername(), Password: c.GetPassword(), TLS: secured, Log: log,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("cluster.embedded: %w", err)
	}
	bus, err := natsbroker.New(natsbroker.Options{Server: s, Token: s.Token(), Name: "hermod " + self, Log: log})
	if err != nil {
		s.Close()
		return nil, nil, err
	}
	return bus, s.Close, nil
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
