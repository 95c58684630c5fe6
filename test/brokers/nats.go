package brokers

import (
	"crypto/tls"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/game-im/hermod/test/loopback"
)

// NATS is a NATS server.
type NATS struct {
	t    testing.TB
	opts server.Options
	s    *server.Server
}

// NATSOptions are what a test may want of the server. The zero value lets everybody in.
type NATSOptions struct {
	User, Password, Token string
	TLS                   *tls.Config
}

// StartNATS starts a server.
func StartNATS(t testing.TB, o NATSOptions) *NATS {
	t.Helper()
	n := &NATS{t: t, opts: server.Options{
		Host: "127.0.0.1", Port: loopback.Port(t), NoSigs: true, NoLog: true, JetStream: false,
		Username: o.User, Password: o.Password, Authorization: o.Token, TLSConfig: o.TLS, TLS: o.TLS != nil, TLSTimeout: 5,
	}}
	t.Cleanup(n.Stop)
	n.Restart()
	return n
}

// Addr is where it listens.
func (n *NATS) Addr() string { return fmt.Sprintf("127.0.0.1:%d", n.opts.Port) }

// Stop stops the server, if it runs: its connections are cut.
func (n *NATS) Stop() {
	if n.s != nil {
		n.s.Shutdown()
		n.s.WaitForShutdown()
		n.s = nil
	}
}

// Restart starts the server, which must not run, where it was.
func (n *NATS) Restart() {
	n.t.Helper()
	opts := n.opts
	s, err := server.NewServer(&opts)
	if err != nil {
		n.t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(patience) {
		n.t.Fatal("the NATS server does not start")
	}
	n.s = s
}

// patience is how long a server may take to start or to stop.
const patience = 30 * time.Second
