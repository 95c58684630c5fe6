package e2e

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/client"
	"github.com/game-im/hermod/sdk/discovery"
	"github.com/game-im/hermod/sdk/upstream"
	"github.com/game-im/hermod/test/authority"
)

// securedNode is a node that speaks TLS to clients, and to services with certificates. Its files are
// in dir.
func securedNode(t *testing.T, ca *authority.Authority, dir string) *Node {
	t.Helper()
	cert, key, root := ca.Files(dir, authority.Leaf{Name: "first"})
	pair := fmt.Sprintf("cert_file: %s, key_file: %s", cert, key)
	return Start(t, fmt.Sprintf(`
log: {level: info}
server:
  im: {tls: {%[1]s}}
  http: {tls: {%[1]s, min_version: "1.3"}}
  gateway: {tls: {%[1]s, client_ca_file: %[2]s}}
auth: {mode: trusted}
`, pair, root))
}

// shown returns the name in the certificate that a listener shows now.
func shown(addr string, trusting *tls.Config) string {
	conn, err := tls.Dial("tcp", addr, trusting)
	if err != nil {
		return err.Error()
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].Subject.CommonName
}

// TestTLS: the SDKs and hermodctl against a node with TLS, whose certificate is renewed while a client
// is connected.
func TestTLS(t *testing.T) {
	t.Parallel()
	ca, dir := authority.New(t), t.TempDir()
	n := securedNode(t, ca, dir)
	trusting := &tls.Config{RootCAs: ca.Pool()}
	got, failures := make(chan string, 10), make(chan error, 10)
	im, err := client.NewClient(&client.Config{
		UserID: "alice", DefaultRoomID: "room", TLS: trusting,
		Services:  []*discovery.ServiceInfo{{Address: n.IM}},
		OnMessage: func(m *imv1.MessageResponse) { got <- m.String() },
		OnDisconnect: func(err error) {
			failures <- err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := im.Connect(); err != nil {
		t.Fatal(err)
	}
	defer im.Disconnect()

	bob := chat(t, n, "bob", "--ca", filepath.Join(dir, "ca.crt"))
	bob.sees("lobby")
	resp, err := (&http.Client{Transport: &http.Transport{TLSClientConfig: trusting, DisableKeepAlives: true}}).Get("https://" + n.HTTP + "/audio/none")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized && resp.StatusCode != http.StatusNotFound {
		t.Errorf("a recording that is not there: %s", resp.Status)
	}
	if resp.TLS == nil || resp.TLS.Version != tls.VersionTLS13 {
		t.Errorf("the HTTP listener speaks %v", resp.TLS)
	}
	if _, err := tls.Dial("tcp", n.HTTP, &tls.Config{RootCAs: ca.Pool(), MaxVersion: tls.VersionTLS12}); err == nil {
		t.Error("the HTTP listener speaks TLS 1.2")
	}
	if plain, err := http.Get("http://" + n.HTTP + "/audio/none"); err == nil {
		_ = plain.Body.Close()
		if plain.StatusCode != http.StatusBadRequest {
			t.Errorf("the HTTP listener answers to plain text with %s", plain.Status)
		}
	}

	// The certificate is renewed, under new connections only.
	if name := shown(n.IM, trusting); name != "first" {
		t.Fatalf("shown %q", name)
	}
	_, wrong := ca.Issue(authority.Leaf{})
	authority.Replace(t, filepath.Join(dir, "tls.key"), wrong)
	n.logs("a changed certificate was refused", "server.im.tls.key_file")
	n.AwaitMetric(1, "hermod_tls_reloads_total", `listener="im"`, `result="refused"`)
	if name := shown(n.IM, trusting); name != "first" {
		t.Errorf("after a wrong key: shown %q", name)
	}
	ends := time.Now().Add(2 * time.Hour).Truncate(time.Second)
	ca.Files(dir, authority.Leaf{Name: "second", Ends: ends})
	n.eventually("the new certificate", func() bool { return shown(n.IM, trusting) == "second" && shown(n.HTTP, trusting) == "second" })
	n.AwaitMetric(float64(ends.Unix()), "hermod_tls_certificate_expiry_timestamp_seconds", `listener="im"`)

	service := upstream.NewUnicastClient(n.Gateway, upstream.WithTLS(&tls.Config{RootCAs: ca.Pool(), Certificates: []tls.Certificate{ca.Pair(authority.Leaf{Name: "mail"})}}))
	if err := service.Connect(); err != nil {
		t.Fatal(err)
	}
	defer service.Close()
	if err := service.PushToOpenID(within(t), "alice", "mail", "Mail", "over TLS", nil); err != nil {
		t.Errorf("push: %v", err)
	}
	late := time.After(patience)
	for text := ""; !strings.Contains(text, "over TLS"); {
		select {
		case text = <-got: // bob's coming, too
		case err := <-failures:
			t.Fatalf("alice lost her connection: %v", err)
		case <-late:
			t.Fatal("alice did not get the push")
		}
	}
	bob.types("still here")
	bob.sees("still here")
	bob.leaves()
}

// TestMutualTLS: services prove who they are with certificates, and need no token then.
func TestMutualTLS(t *testing.T) {
	t.Parallel()
	ca, dir := authority.New(t), t.TempDir()
	n := securedNode(t, ca, dir)
	root := filepath.Join(dir, "ca.crt")
	cert, key, _ := ca.Files(t.TempDir(), authority.Leaf{Name: "mail"})
	foreign, foreignKey, _ := authority.New(t).Files(t.TempDir(), authority.Leaf{Name: "mail"})
	push := func(more ...string) (string, error) {
		return hermodctl(t, append([]string{"push", "--addr", n.Gateway, "--openid", "nobody", "--timeout", "5s"}, more...)...)
	}
	if said, _ := push("--ca", root, "--cert", cert, "--key", key); !strings.Contains(said, "TARGET_OFFLINE") {
		t.Errorf("with a certificate: %s", said)
	}
	for name, args := range map[string][]string{
		"no certificate":       {"--ca", root},
		"of another authority": {"--ca", root, "--cert", foreign, "--key", foreignKey},
		"plain text":           {},
		"an unknown node":      {"--tls", "--cert", cert, "--key", key},
	} {
		if said, err := push(args...); err == nil || !strings.Contains(said, "no node answers") {
			t.Errorf("%s: %v %s", name, err, said)
		}
	}
	for name, args := range map[string][]string{
		"a certificate alone": {"--cert", cert},
		"no such file":        {"--ca", root + "x"},
		"no authority in it":  {"--ca", key},
	} {
		if said, err := push(args...); err == nil || !strings.Contains(said, "push --help") {
			t.Errorf("%s: %v %s", name, err, said)
		}
	}
}

// TestWrongCertificatesAreRefusedAtStart: under the key at fault, with the exit code of a wrong configuration.
func TestWrongCertificatesAreRefusedAtStart(t *testing.T) {
	t.Parallel()
	ca, dir := authority.New(t), t.TempDir()
	cert, key, _ := ca.Files(dir, authority.Leaf{Ends: time.Now().Add(-time.Minute)})
	file := filepath.Join(dir, "node.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, "server: {im: {tls: {cert_file: %s, key_file: %s}}}\n", cert, key), 0o600); err != nil {
		t.Fatal(err)
	}
	said, err := hermodctl(t, "config", "check", file)
	if err == nil || !strings.Contains(said, "server.im.tls.cert_file") || !strings.Contains(said, "has expired") {
		t.Errorf("%v: %s", err, said)
	}
}
