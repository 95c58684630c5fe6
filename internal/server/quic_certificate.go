package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/game-im/hermod/internal/conf"
)

// ownLife is how long a certificate that a node makes for itself is valid.
const ownLife = 365 * 24 * time.Hour

// ownCertificate returns the files of a certificate that vouches for itself, for this machine and
// nobody else, and makes them if there are none that are right.
func ownCertificate(dir string, now time.Time) (*conf.Server_TLS, error) {
	files := &conf.Server_TLS{CertFile: filepath.Join(dir, "self-signed.crt"), KeyFile: filepath.Join(dir, "self-signed.key"), MinVersion: conf.TLS13}
	if _, err := files.Certificate(now); err == nil {
		return files, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "hermod, for development"}, SerialNumber: big.NewInt(now.UnixNano()),
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(ownLife),
		DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := os.WriteFile(files.GetCertFile(), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), 0o600); err != nil {
		return nil, err
	}
	return files, os.WriteFile(files.GetKeyFile(), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600)
}
