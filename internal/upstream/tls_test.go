package upstream_test

import (
	"crypto/tls"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/upstream"
	"github.com/game-im/hermod/test/authority"
)

// TestTLS: a service that wants a certificate of the node gets it, also a newer one; without TLS only
// instances that a registry says to speak it are spoken to that way.
func TestTLS(t *testing.T) {
	t.Parallel()
	a := authority.New(t)
	_, addr, _ := serve(t, false, grpc.Creds(credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{a.Pair(authority.Leaf{})}, ClientCAs: a.Pool(), ClientAuth: tls.RequireAndVerifyClientCert,
		MinVersion: tls.VersionTLS12,
	})))
	dir := t.TempDir()
	cert, key, ca := a.Files(dir, authority.Leaf{})
	c := &conf.Upstream_TLS{Enabled: true, CaFile: ca, CertFile: cert, KeyFile: key}
	call := func(c *conf.Upstream_TLS, e biz.Endpoint) error {
		caller, err := upstream.Open(c)
		if err != nil {
			return err
		}
		defer caller.Close()
		_, err = caller.Call(within(t), e, &biz.UpstreamRequest{Action: "x"})
		return err
	}
	if err := call(c, biz.Endpoint{Address: addr}); err != nil {
		t.Errorf("mutual TLS: %v", err)
	}
	a.Files(dir, authority.Leaf{})
	if err := call(c, biz.Endpoint{Address: addr}); err != nil {
		t.Errorf("with another certificate: %v", err)
	}
	c.Enabled = false
	if err := call(c, biz.Endpoint{Address: addr}); err == nil {
		t.Error("plain text was understood")
	}
	if err := call(c, biz.Endpoint{Address: addr, TLS: true}); err != nil {
		t.Errorf("an instance that is known to speak TLS: %v", err)
	}
	authority.Replace(t, ca, []byte("nothing"))
	if err := call(c, biz.Endpoint{Address: addr}); err == nil {
		t.Error("an authority that is none was taken")
	}
}
