package upstream

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"github.com/game-im/hermod/internal/conf"
)

// Open returns a Caller with a node's settings.
func Open(c *conf.Upstream_TLS) (*Caller, error) {
	t, err := tlsConfig(c)
	if err != nil {
		return nil, err
	}
	o := Options{Found: t}
	if c.GetEnabled() {
		o.TLS = t
	}
	return New(o), nil
}

// tlsConfig returns what secured connections are made with. The client certificate is read anew for
// every connection, so that one that is replaced needs no restart.
func tlsConfig(c *conf.Upstream_TLS) (*tls.Config, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.GetServerName()}
	if name := c.GetCaFile(); name != "" {
		pem, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("upstream.tls.ca_file: %w", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("upstream.tls.ca_file: %s has no certificate in PEM", name)
		}
	}
	if c.GetCertFile() == "" {
		return t, nil
	}
	load := func() (*tls.Certificate, error) {
		cert, err := tls.LoadX509KeyPair(c.GetCertFile(), c.GetKeyFile())
		if err != nil {
			return nil, fmt.Errorf("upstream.tls.cert_file: %w", err)
		}
		return &cert, nil
	}
	if _, err := load(); err != nil {
		return nil, err
	}
	t.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return load() }
	return t, nil
}
