package conf

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// ClientTLS is a section that secures connections which the node makes.
type ClientTLS interface {
	GetEnabled() bool
	GetCaFile() string
	GetCertFile() string
	GetKeyFile() string
	GetServerName() string
}

// TLSConfig reads the files that a section names and returns what connections are made with, nil for
// connections without TLS.
func TLSConfig(section string, c ClientTLS) (*tls.Config, error) {
	if !c.GetEnabled() {
		return nil, nil //nolint:nilnil // no TLS is an answer that every library takes as nil
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: c.GetServerName()}
	if name := c.GetCaFile(); name != "" {
		pem, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("%s.ca_file: %w", section, err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s.ca_file: %s has no certificate in PEM", section, name)
		}
	}
	if c.GetCertFile() != "" {
		cert, err := tls.LoadX509KeyPair(c.GetCertFile(), c.GetKeyFile())
		if err != nil {
			return nil, fmt.Errorf("%s.cert_file: %w", section, err)
		}
		t.Certificates = []tls.Certificate{cert}
	}
	return t, nil
}

func checkClientTLS(section string, t ClientTLS, ps *Problems) {
	if !t.GetEnabled() {
		return
	}
	if (t.GetCertFile() == "") != (t.GetKeyFile() == "") {
		ps.add(section+".cert_file", "cert_file and key_file are given together, or neither")
	}
	for _, f := range []struct{ key, name string }{
		{".ca_file", t.GetCaFile()}, {".cert_file", t.GetCertFile()}, {".key_file", t.GetKeyFile()},
	} {
		if f.name == "" {
			continue
		}
		if _, err := os.ReadFile(f.name); err != nil {
			ps.add(section+f.key, "%s: %v", f.name, readError(err))
		}
	}
}

// TLSKeys are the keys of such a section, for plugins that have one.
type TLSKeys struct {
	Enabled    bool   `json:"enabled"`
	CAFile     string `json:"ca_file"`
	CertFile   string `json:"cert_file"`
	KeyFile    string `json:"key_file"`
	ServerName string `json:"server_name"`
}

// Config is TLSConfig of the section.
func (k TLSKeys) Config(section string) (*tls.Config, error) {
	return TLSConfig(section, &Cluster_TLS{
		Enabled: k.Enabled, CaFile: k.CAFile, CertFile: k.CertFile, KeyFile: k.KeyFile, ServerName: k.ServerName,
	})
}
