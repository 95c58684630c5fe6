package hermodctl

import (
	"crypto/tls"
	"crypto/x509"
	"os"

	"github.com/spf13/pflag"
)

// tlsFlags are the flags of commands that connect to a node. Any file implies --tls.
type tlsFlags struct {
	on            bool
	ca, cert, key string
}

func (f *tlsFlags) register(flags *pflag.FlagSet) {
	flags.BoolVar(&f.on, "tls", false, "connect with TLS and trust the authorities of the system")
	flags.StringVar(&f.ca, "ca", "", "connect with TLS and trust the authorities in this PEM `file`")
	flags.StringVar(&f.cert, "cert", "", "PEM `file` of a certificate to show, for a node that asks for one; with --key")
	flags.StringVar(&f.key, "key", "", "PEM `file` of its key")
}

// config returns what to connect with, nil for plain text.
func (f *tlsFlags) config() (*tls.Config, error) {
	if (f.cert == "") != (f.key == "") {
		return nil, usagef("--cert and --key belong together: give both files, or none")
	}
	if !f.on && f.ca == "" && f.cert == "" {
		return nil, nil //nolint:nilnil // no TLS is an answer that the SDK takes as nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if f.ca != "" {
		text, err := os.ReadFile(f.ca)
		if err != nil {
			return nil, usagef("--ca: %v", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, usagef("--ca: %s has no certificate in PEM", f.ca)
		}
	}
	if f.cert != "" {
		pair, err := tls.LoadX509KeyPair(f.cert, f.key)
		if err != nil {
			return nil, usagef("--cert and --key: %v", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}
