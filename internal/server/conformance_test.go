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
)

// TestConformance: every transport keeps the promises in every protocol and format that it carries.
func TestConformance(t *testing.T) {
	t.Parallel()
	b := start(t, conf.Override{Path: "session.stall_timeout", Value: "5s"})
	b.ready.SetServing(true)
	t.Cleanup(func() {
		if logged := b.log.String(); strings.Contains(logged, "level=ERROR") {
			t.Errorf("the node has logged errors:\n%s", logged)
		}
	})
	servertest.Run(t, servertest.Node{
		IM: b.imAddr, HTTP: strings.TrimPrefix(b.http, "http://"), QUIC: b.quicAddr,
		Services: b.gateway,
		TLS:      &tls.Config{InsecureSkipVerify: true}, // of a certificate that the node has made for itself
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
	})
}
