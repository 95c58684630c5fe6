package server_test

import (
	"crypto/tls"
	"errors"
	"strings"
	"testing"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/realtime/transport"
	"github.com/game-im/hermod/internal/server/servertest"
	"github.com/game-im/hermod/test/authority"
)

// TestConformance: every transport keeps the promises in every protocol and format that it carries.
func TestConformance(t *testing.T) {
	t.Parallel()
	b := start(t, conf.Override{Path: "session.stall_timeout", Value: "5s"})
	n := b.target(t)
	n.TLS = &tls.Config{InsecureSkipVerify: true} // of a certificate that the node has made for itself
	servertest.Run(t, n)
}

// TestConformanceOverTLS: so does each with TLS below it.
func TestConformanceOverTLS(t *testing.T) {
	t.Parallel()
	ca := authority.New(t)
	cert, key, _ := ca.Files(t.TempDir(), authority.Leaf{})
	overrides := []conf.Override{{Path: "session.stall_timeout", Value: "5s"}}
	for _, l := range []string{"im", "http", "quic"} {
		overrides = append(overrides, conf.Override{Path: "server." + l + ".tls.cert_file", Value: cert}, conf.Override{Path: "server." + l + ".tls.key_file", Value: key})
	}
	b := start(t, overrides...)
	n := b.target(t)
	n.TLS, n.Secured = &tls.Config{RootCAs: ca.Pool(), ServerName: "localhost"}, true
	servertest.Run(t, n)
}

// target is the bench's node, ready, for the conformance suite.
func (b *bench) target(t *testing.T) servertest.Node {
	t.Helper()
	b.ready.SetServing(true)
	t.Cleanup(func() {
		if logged := b.log.String(); strings.Contains(logged, "level=ERROR") {
			t.Errorf("the node has logged errors:\n%s", logged)
		}
	})
	return servertest.Node{
		IM: b.imAddr, HTTP: strings.TrimPrefix(b.http, "http://"), QUIC: b.quicAddr,
		Services: b.gateway,
		Close: func(id string, why transport.Disconnect) error {
			s := b.node.Session(id)
			if s == nil {
				return errors.New("there is no such session")
			}
			s.Disconnect(why)
			return nil
		},
		Connected: func(id string) bool {
			s := b.node.Session(id)
			return s != nil && s.State() == session.Active
		},
		Frame: 4 << 20,
	}
}
