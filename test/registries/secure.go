package registries

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// Authority signed the certificate of a server, which is good for 127.0.0.1.
type Authority struct {
	CAFile string // PEM
	Pool   *x509.CertPool

	certFile, keyFile string
}

// NewAuthority makes an authority that nobody else trusts, and a certificate that it signed.
func NewAuthority(t testing.TB) *Authority {
	t.Helper()
	dir := t.TempDir()
	a := &Authority{
		CAFile: filepath.Join(dir, "ca.pem"), Pool: x509.NewCertPool(),
		certFile: filepath.Join(dir, "cert.pem"), keyFile: filepath.Join(dir, "key.pem"),
	}
	now := time.Now()
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "an authority of the tests"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "a server of the tests"},
		NotBefore: root.NotBefore, NotAfter: root.NotAfter, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	rootKey, leafKey := newKey(t), newKey(t)
	writeCertificate(t, a.CAFile, root, root, rootKey, rootKey)
	writeCertificate(t, a.certFile, leaf, root, leafKey, rootKey)
	der, err := x509.MarshalECPrivateKey(leafKey)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, a.keyFile, "EC PRIVATE KEY", der)
	text, err := os.ReadFile(a.CAFile)
	if err != nil || !a.Pool.AppendCertsFromPEM(text) {
		t.Fatal("the authority is no certificate", err)
	}
	return a
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func writeCertificate(t testing.TB, file string, cert, parent *x509.Certificate, key, signer *ecdsa.PrivateKey) {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, cert, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, file, "CERTIFICATE", der)
}

func writePEM(t testing.TB, file, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// client trusts the authority and nobody else.
func (a *Authority) client() *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: a.Pool}, DisableKeepAlives: true}}
}

// StartSecureEtcd is StartEtcd for a server that speaks TLS alone. Users are the test's to make.
func StartSecureEtcd(t testing.TB, a *Authority) *Server {
	t.Helper()
	k := etcd
	k.args = func(port int, dir string) []string {
		return append(etcd.args(port, dir), "-cert", a.certFile, "-key", a.keyFile)
	}
	k.ready = func(addr string) error { return asked(a.client(), "https://"+addr+"/health", "", `"health":"true"`) }
	return start(t, k)
}

// StartSecureConsul is StartConsul for a server that speaks TLS alone and refuses everything to those
// who do not show the token, which may do everything.
func StartSecureConsul(t testing.TB, a *Authority, token string) *Server {
	t.Helper()
	k := consul
	k.args = func(port int, dir string) []string {
		return append(consulArgs(port, dir),
			"-hcl", fmt.Sprintf("ports { http = -1, https = %d }", port),
			"-hcl", "tls { https { cert_file = "+strconv.Quote(a.certFile)+", key_file = "+strconv.Quote(a.keyFile)+" } }",
			"-hcl", fmt.Sprintf("acl { enabled = true, default_policy = \"deny\", tokens { initial_management = %q, agent = %q } }", token, token))
	}
	k.ready = func(addr string) error {
		if err := asked(a.client(), "https://"+addr+"/v1/status/leader", token, ":"); err != nil {
			return err
		}
		return asked(a.client(), "https://"+addr+"/v1/health/node/test", token, "serfHealth")
	}
	return start(t, k)
}
