package conf

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"time"
)

// The values of min_version.
const (
	TLS12 = "1.2"
	TLS13 = "1.3"
)

// Enabled tells whether a listener speaks TLS.
func (t *Server_TLS) Enabled() bool { return t.GetCertFile() != "" }

// Version is the oldest version of TLS that is spoken, as crypto/tls numbers them.
func (t *Server_TLS) Version() uint16 {
	if t.GetMinVersion() == TLS13 {
		return tls.VersionTLS13
	}
	return tls.VersionTLS12
}

// fileError is what is wrong with a file that a key names.
type fileError struct {
	key, file string // the key without its section
	err       error
}

func (e *fileError) Error() string { return e.key + ": " + e.text() }
func (e *fileError) text() string  { return e.file + ": " + e.err.Error() }
func (e *fileError) Unwrap() error { return e.err }

// Certificate reads the certificate and its key, anew each time. It is an error when they do not
// belong together and when the certificate is not valid now. Leaf is set.
func (t *Server_TLS) Certificate(now time.Time) (*tls.Certificate, error) {
	cert, err := os.ReadFile(t.GetCertFile())
	if err != nil {
		return nil, &fileError{"cert_file", t.GetCertFile(), readError(err)}
	}
	key, err := os.ReadFile(t.GetKeyFile())
	if err != nil {
		return nil, &fileError{"key_file", t.GetKeyFile(), readError(err)}
	}
	if _, err := parseCertificates(cert); err != nil {
		return nil, &fileError{"cert_file", t.GetCertFile(), err}
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, &fileError{"key_file", t.GetKeyFile(), fmt.Errorf("is not the key of %s: %w", t.GetCertFile(), err)}
	}
	if err := checkValidity(pair.Leaf, now); err != nil {
		return nil, &fileError{"cert_file", t.GetCertFile(), err}
	}
	return &pair, nil
}

// ClientCAs reads the authorities that clients' certificates must come from, anew each time. Without
// client_ca_file it is nil.
func (t *Server_TLS) ClientCAs() (*x509.CertPool, error) {
	if t.GetClientCaFile() == "" {
		return nil, nil //nolint:nilnil // as crypto/tls has it
	}
	text, err := os.ReadFile(t.GetClientCaFile())
	if err != nil {
		return nil, &fileError{"client_ca_file", t.GetClientCaFile(), readError(err)}
	}
	certs, err := parseCertificates(text)
	if err != nil {
		return nil, &fileError{"client_ca_file", t.GetClientCaFile(), err}
	}
	pool := x509.NewCertPool()
	for _, c := range certs {
		pool.AddCert(c)
	}
	return pool, nil
}

func checkListenerTLS(section string, t *Server_TLS, ps *Problems) {
	switch cert, key := t.GetCertFile() != "", t.GetKeyFile() != ""; {
	case cert && !key:
		ps.add(section+".key_file", "is empty; a certificate is of use with its key alone")
		return
	case key && !cert:
		ps.add(section+".cert_file", "is empty; a key is of use with its certificate alone")
		return
	case !cert:
		if t.GetClientCaFile() != "" {
			ps.add(section+".client_ca_file", "asks for certificates of clients, which takes TLS: set cert_file and key_file")
		}
		return
	}
	_, pairErr := t.Certificate(time.Now())
	_, poolErr := t.ClientCAs()
	for _, err := range []error{pairErr, poolErr} {
		if wrong, ok := errors.AsType[*fileError](err); ok {
			ps.add(section+"."+wrong.key, "%s", wrong.text())
		}
	}
}
