package engines

import (
	"context"
	"crypto/tls"
	"fmt"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/realtime/broker/natsbroker"
	"github.com/game-im/hermod/internal/realtime/broker/natsserver"
	"github.com/game-im/hermod/plugin"
)

// nats is the plugin nats: NATS servers that are there, or, where none is named, one within each node.
type nats struct {
	keys   natsKeys
	server *natsserver.Server // nil: there is none within this node
}

type natsKeys struct {
	Addrs     string       `json:"addrs"` // host:port, with commas between them
	Username  string       `json:"username"`
	Password  string       `json:"password"`
	Token     string       `json:"token"`
	CredsFile string       `json:"creds_file"`
	NKeyFile  string       `json:"nkey_file"`
	TLS       conf.TLSKeys `json:"tls"`
	Embedded  embeddedKeys `json:"embedded"`
}

type embeddedKeys struct {
	Listen    string `json:"listen"`
	Advertise string `json:"advertise"`
	Routes    string `json:"routes"`
}

func newNATS() *nats { return &nats{keys: natsKeys{Embedded: embeddedKeys{Listen: "127.0.0.1:6222"}}} }

func (*nats) Name() string { return conf.ClusterNATS }

func (n *nats) Config() any { return &n.keys }

// OpenBus implements plugin.Broker.
func (n *nats) OpenBus(node plugin.ClusterNode) (plugin.Bus, error) {
	secured, err := n.keys.TLS.Config("cluster.tls")
	if err != nil {
		return nil, err
	}
	addrs := conf.CommaList(n.keys.Addrs)
	if len(addrs) == 0 {
		return n.embedded(node, secured)
	}
	return natsbroker.New(natsbroker.Options{
		URLs: addrs, Name: nameOf(node), User: n.keys.Username, Password: n.keys.Password, Token: n.keys.Token,
		CredsFile: n.keys.CredsFile, NKeyFile: n.keys.NKeyFile, TLS: secured, Log: node.Log,
	})
}

// embedded starts the node's own server.
func (n *nats) embedded(node plugin.ClusterNode, secured *tls.Config) (plugin.Bus, error) {
	if secured != nil { // whoever connects shows a certificate, too
		secured.ClientAuth, secured.ClientCAs = tls.RequireAndVerifyClientCert, secured.RootCAs
	}
	e := n.keys.Embedded
	s, err := natsserver.Start(natsserver.Options{
		Cluster: node.Cluster, Node: node.ID, Listen: e.Listen, Advertise: e.Advertise, Routes: conf.CommaList(e.Routes),
		User: n.keys.Username, Password: n.keys.Password, TLS: secured, Log: node.Log,
	})
	if err != nil {
		return nil, fmt.Errorf("cluster.embedded: %w", err)
	}
	n.server = s
	return natsbroker.New(natsbroker.Options{Server: s, Token: s.Token(), Name: nameOf(node), Log: node.Log})
}

func nameOf(n plugin.ClusterNode) string { return "hermod " + n.ID }

// Stop implements plugin.Stopper.
func (n *nats) Stop(context.Context) error {
	if n.server != nil {
		n.server.Close()
	}
	return nil
}
