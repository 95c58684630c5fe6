package upstream_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	"github.com/game-im/hermod/sdk/upstream"
)

func TestTLS(t *testing.T) {
	t.Parallel()
	cert, roots := selfSigned(t)
	g := serve(t, grpc.Creds(credentials.NewServerTLSFromCert(&cert)))
	if err := g.client(t, upstream.WithTLS(&tls.Config{RootCAs: roots})).PushToGID(t.Context(), 1, "", "", "", nil); err != nil {
		t.Error(err)
	}
	for name, c := range map[string]*upstream.UnicastClient{
		"unknown authority": g.client(t, upstream.WithTLS(nil)),
		"plain text":        g.client(t, upstream.WithTLS(nil), upstream.WithInsecure()),
	} {
		if err := c.PushToGID(t.Context(), 1, "", "", "", nil); status.Code(err) != codes.Unavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
	own := g.client(t, upstream.WithDialOptions(grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: roots}))))
	if err := own.PushToGID(t.Context(), 1, "", "", "", nil); err != nil {
		t.Errorf("with a dial option: %v", err)
	}
}

func selfSigned(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}
