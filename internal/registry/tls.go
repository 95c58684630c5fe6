package registry

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"

	"github.com/game-im/hermod/internal/conf"
)

// tlsConfig returns what connections are made with, nil for connections without TLS.
func tlsConfig(c *conf.Registry_TLS) (*tls.Config, error) {
	if !c.GetEnabled() {
		return nil, nil //nolint:nilnil // no TLS is an answer that every library takes as nil
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.GetServerName()}
	if name := c.GetCaFile(); name != "" {
		pem, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("registry.tls.ca_file: %w", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("registry.tls.ca_file: %s has no certificate in PEM", name)
		}
	}
	if c.GetCertFile() != "" {
		cert, err := tls.LoadX509KeyPair(c.GetCertFile(), c.GetKeyFile())
		if err != nil {
			return nil, fmt.Errorf("registry.tls.cert_file: %w", err)
		}
		t.Certificates = []tls.Certificate{cert}
	}
	return t, nil
}
