package server

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/test/authority"
)

// said is a log that is read while it is written.
type said struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (s *said) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.Write(p)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buf.String()
}

// secured returns the certificates of a node whose gateway listener has these files.
func secured(t *testing.T, cert, key, ca string) (*Certificates, *said) {
	t.Helper()
	log := &said{}
	c := &conf.Config{Server: &conf.Server{Gateway: &conf.Server_Listener{
		Tls: &conf.Server_TLS{CertFile: cert, KeyFile: key, ClientCaFile: ca},
	}}}
	cs, err := NewCertificates(c, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return cs, log
}

// measured is the value of an instrument for a result, if it has that label; 0 if it counts nothing.
func measured(t *testing.T, c prometheus.Collector, result string) (sum float64) {
	t.Helper()
	r := prometheus.NewRegistry()
	if err := r.Register(c); err != nil {
		t.Fatal(err)
	}
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if labels := m.GetLabel(); result == "" || labels[len(labels)-1].GetValue() == result {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}

// echo serves connections that send back what they get, until the test ends.
func echo(t *testing.T, config *tls.Config) (addr string) {
	t.Helper()
	lis, err := tls.Listen("tcp", "127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = lis.Close() })
	go func() {
		for {
			conn, err := lis.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn) // its end is the client's business
			}()
		}
	}()
	return lis.Addr().String()
}

// shake connects, sends a byte there and back, and returns the name of the certificate that it was
// shown. In TLS 1.3 that a client's certificate is refused comes with the first byte.
func shake(addr string, config *tls.Config) (name string, conn *tls.Conn, err error) {
	conn, err = tls.DialWithDialer(&net.Dialer{Timeout: 10 * time.Second}, "tcp", addr, config)
	if err != nil {
		return "", nil, err
	}
	if err := ping(conn); err != nil {
		_ = conn.Close()
		return "", nil, err
	}
	return conn.ConnectionState().PeerCertificates[0].Subject.CommonName, conn, nil
}

func ping(conn net.Conn) error {
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	if _, err := conn.Write([]byte("x")); err != nil {
		return err
	}
	_, err := io.ReadFull(conn, make([]byte, 1))
	return err
}

// TestCertificateReloads: new connections get what the files have, connections that are open go on,
// and what is wrong changes nothing.
func TestCertificateReloads(t *testing.T) {
	t.Parallel()
	ca, dir := authority.New(t), t.TempDir()
	cert, key, _ := ca.Files(dir, authority.Leaf{Name: "first"})
	cs, log := secured(t, cert, key, "")
	addr := echo(t, cs.config("gateway"))
	trusting := &tls.Config{RootCAs: ca.Pool()}
	name, open, err := shake(addr, trusting)
	if err != nil || name != "first" {
		t.Fatalf("shown %q, %v", name, err)
	}
	defer open.Close()
	shown := func(want string) {
		t.Helper()
		cs.refresh(time.Now())
		name, conn, err := shake(addr, trusting)
		if err != nil || name != want {
			t.Fatalf("shown %q, %v; want %q", name, err, want)
		}
		_ = conn.Close()
		if err := ping(open); err != nil {
			t.Errorf("the open connection: %v", err)
		}
	}
	shown("first")

	ends := time.Now().Add(30 * time.Minute)
	ca.Files(dir, authority.Leaf{Name: "second", Ends: ends})
	shown("second")
	if got := measured(t, cs.expiry, ""); got != float64(ends.Unix()) {
		t.Errorf("expires at %f, want %d", got, ends.Unix())
	}

	_, other := ca.Issue(authority.Leaf{})
	authority.Replace(t, key, other)
	shown("second")
	shown("second") // and nothing more is said
	if got := strings.Count(log.String(), "server.gateway.tls.key_file"); got != 1 || !strings.Contains(log.String(), "is not the key of") {
		t.Errorf("said %d times: %s", got, log)
	}
	ca.Files(dir, authority.Leaf{Name: "expired", Ends: time.Now().Add(-time.Second)})
	shown("second")
	if err := os.Remove(cert); err != nil {
		t.Fatal(err)
	}
	shown("second")
	if got := measured(t, cs.reloads, "refused"); got != 3 {
		t.Errorf("%f refused, want 3", got)
	}
	ca.Files(dir, authority.Leaf{Name: "third"})
	shown("third")
	if got := measured(t, cs.reloads, "ok"); got != 2 {
		t.Errorf("%f reloads, want 2", got)
	}
}

// TestCertificateBehindLinks: Kubernetes swaps a link to the folder that the files are in.
func TestCertificateBehindLinks(t *testing.T) {
	t.Parallel()
	ca, dir := authority.New(t), t.TempDir()
	for _, version := range []string{"one", "two"} {
		if err := os.Mkdir(filepath.Join(dir, version), 0o700); err != nil {
			t.Fatal(err)
		}
		ca.Files(filepath.Join(dir, version), authority.Leaf{Name: version})
	}
	point := func(at string) {
		if err := os.Symlink(at, filepath.Join(dir, "next")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "next"), filepath.Join(dir, "data")); err != nil {
			t.Fatal(err)
		}
	}
	point("one")
	cs, _ := secured(t, filepath.Join(dir, "data", "tls.crt"), filepath.Join(dir, "data", "tls.key"), "")
	addr := echo(t, cs.config("gateway"))
	point("two")
	cs.refresh(time.Now())
	if name, _, err := shake(addr, &tls.Config{RootCAs: ca.Pool()}); err != nil || name != "two" {
		t.Errorf("shown %q, %v", name, err)
	}
}

// TestMutualTLS: only certificates of the authorities are let in, those of the time of the handshake,
// also when a session is resumed.
func TestMutualTLS(t *testing.T) {
	t.Parallel()
	ours, theirs, dir := authority.New(t), authority.New(t), t.TempDir()
	cert, key, root := ours.Files(dir, authority.Leaf{Name: "node"})
	cs, _ := secured(t, cert, key, root)
	addr := echo(t, cs.config("gateway"))
	as := func(certs ...tls.Certificate) *tls.Config {
		return &tls.Config{RootCAs: ours.Pool(), Certificates: certs, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
	}
	service := as(ours.Pair(authority.Leaf{Name: "service"}))
	for range 2 { // the second time the session is resumed
		if _, _, err := shake(addr, service); err != nil {
			t.Errorf("refused: %v", err)
		}
	}
	for name, config := range map[string]*tls.Config{
		"no certificate":         as(),
		"of another authority":   as(theirs.Pair(authority.Leaf{Name: "service"})),
		"an expired one of ours": as(ours.Pair(authority.Leaf{Name: "service", Ends: time.Now().Add(-time.Second)})),
	} {
		if _, _, err := shake(addr, config); err == nil {
			t.Errorf("let in with %s", name)
		}
	}

	// The authority of clients changes; the node's own certificate does not.
	_, _, newRoot := theirs.Files(t.TempDir(), authority.Leaf{})
	text, err := os.ReadFile(newRoot)
	if err != nil {
		t.Fatal(err)
	}
	authority.Replace(t, root, text)
	cs.refresh(time.Now())
	if _, _, err := shake(addr, service); err == nil {
		t.Error("a session of an authority that is gone was resumed")
	}
	if _, _, err := shake(addr, as(theirs.Pair(authority.Leaf{Name: "service"}))); err != nil {
		t.Errorf("the new authority is not known: %v", err)
	}
}

// TestFirstRefusedCertificateIsARise: increase() of Prometheus knows no rise of a series that begins with 1,
// and a pair that is wrong is refused once.
func TestFirstRefusedCertificateIsARise(t *testing.T) {
	t.Parallel()
	cert, key, _ := authority.New(t).Files(t.TempDir(), authority.Leaf{})
	cs, _ := secured(t, cert, key, "")
	r := prometheus.NewRegistry()
	if err := r.Register(cs.reloads); err != nil {
		t.Fatal(err)
	}
	families, err := r.Gather()
	if err != nil || len(families) != 1 || len(families[0].GetMetric()) != 2 {
		t.Fatalf("before anything was read again: %v, %v; want ok and refused of the gateway listener, both 0", families, err)
	}
}

// TestCertificatesAreFollowed: Run looks at the files by itself, and warns of an end that is near.
func TestCertificatesAreFollowed(t *testing.T) {
	t.Parallel()
	ca, dir := authority.New(t), t.TempDir()
	cert, key, _ := ca.Files(dir, authority.Leaf{Ends: time.Now().AddDate(100, 0, 0)})
	synctest.Test(t, func(t *testing.T) {
		long := time.Date(2090, 1, 1, 0, 0, 0, 0, time.UTC)
		ca.Files(dir, authority.Leaf{Begins: time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC), Ends: long})
		cs, log := secured(t, cert, key, "")
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- cs.Run(ctx) }()
		time.Sleep(time.Minute + lookEvery/2) // between two looks, neither of which reads files that are being written
		if got := measured(t, cs.reloads, "ok"); got != 0 {
			t.Errorf("read %f times without a change", got)
		}
		ca.Files(dir, authority.Leaf{Begins: time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC), Ends: time.Now().Add(8 * 24 * time.Hour)})
		time.Sleep(lookEvery)
		synctest.Wait()
		if got := measured(t, cs.reloads, "ok"); got != 1 {
			t.Errorf("%f reloads, want 1", got)
		}
		if strings.Contains(log.String(), "expires soon") {
			t.Errorf("warned too early: %s", log)
		}
		time.Sleep(50 * time.Hour)
		synctest.Wait()
		if got := strings.Count(log.String(), "expires soon"); got != 1 {
			t.Errorf("warned %d times: %s", got, log)
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
