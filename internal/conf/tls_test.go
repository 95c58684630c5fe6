package conf

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/game-im/hermod/test/authority"
)

// TestListenerTLS: what is wrong with a certificate is a problem of the key at fault.
func TestListenerTLS(t *testing.T) {
	t.Parallel()
	ca := authority.New(t)
	cert, key, root := ca.Files(t.TempDir(), authority.Leaf{})
	_, other, _ := ca.Files(t.TempDir(), authority.Leaf{})
	expired, expiredKey, _ := ca.Files(t.TempDir(), authority.Leaf{Ends: time.Now().Add(-time.Minute)})
	future, futureKey, _ := ca.Files(t.TempDir(), authority.Leaf{Begins: time.Now().Add(time.Minute)})
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ cert, key, ca, path, says string }{
		"right":                {cert, key, root, "", ""},
		"without authorities":  {cert, key, "", "", ""},
		"no certificate file":  {cert + "x", key, "", "cert_file", "no such file"},
		"no key file":          {cert, key + "x", "", "key_file", "no such file"},
		"no authorities' file": {cert, key, root + "x", "client_ca_file", "no such file"},
		"a key alone":          {"", key, "", "cert_file", "is empty"},
		"a certificate alone":  {cert, "", "", "key_file", "is empty"},
		"authorities alone":    {"", "", root, "client_ca_file", "takes TLS"},
		"another key":          {cert, other, "", "key_file", "is not the key of " + cert},
		"expired":              {expired, expiredKey, "", "cert_file", "has expired"},
		"not valid yet":        {future, futureKey, "", "cert_file", "is not valid yet"},
		"an empty certificate": {empty, key, "", "cert_file", "no certificate in PEM"},
		"no authorities in it": {cert, key, key, "client_ca_file", "no certificate in PEM"},
	} {
		for _, listener := range []string{"im", "gateway", "http", "ops"} {
			section := "server." + listener + ".tls."
			_, err := Load(nil, Override{Path: section + "cert_file", Value: c.cert}, Override{Path: section + "key_file", Value: c.key},
				Override{Path: section + "client_ca_file", Value: c.ca})
			ps, _ := errors.AsType[Problems](err)
			if c.path == "" {
				if err != nil {
					t.Errorf("%s, %s: %v", name, listener, err)
				}
				continue
			}
			if len(ps) != 1 || ps[0].Path != section+c.path || !strings.Contains(ps[0].Text, c.says) {
				t.Errorf("%s, %s: %v", name, listener, err)
			}
		}
	}
}

// TestCertificatesStandInForTheServiceToken: services prove who they are with one or the other.
func TestCertificatesStandInForTheServiceToken(t *testing.T) {
	t.Parallel()
	cert, key, root := authority.New(t).Files(t.TempDir(), authority.Leaf{})
	load := func(ca, token string) error {
		file := filepath.Join(t.TempDir(), "node.yaml")
		text := fmt.Sprintf("server: {gateway: {tls: {cert_file: %s, key_file: %s, client_ca_file: %q}}}\nauth: {mode: trusted, service_token: %q}\n", cert, key, ca, token)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Load([]string{file})
		return err
	}
	if err := load(root, ""); err != nil {
		t.Errorf("certificates alone: %v", err)
	}
	if err := load(root, "0123456789abcdef"); err != nil {
		t.Errorf("both: %v", err)
	}
	for name, c := range map[string]struct{ ca, token string }{"neither": {"", ""}, "a short token beside certificates": {root, "short"}} {
		if err := load(c.ca, c.token); err == nil || !strings.Contains(err.Error(), "auth.service_token") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestQUICNeedsACertificate: QUIC knows no plain text, and only a node in dev makes a certificate for itself.
func TestQUICNeedsACertificate(t *testing.T) {
	t.Parallel()
	addr := Override{Path: "server.quic.addr", Value: "127.0.0.1:8443"}
	token := Override{Path: "auth.service_token", Value: "0123456789abcdef"}
	mode := func(m string) Override { return Override{Path: "auth.mode", Value: m} }
	if _, err := Load(nil, addr); err != nil {
		t.Errorf("in dev: %v", err)
	}
	_, err := Load(nil, addr, token, mode(ModeTrusted))
	if err == nil || !strings.Contains(err.Error(), "server.quic.tls.cert_file") || !strings.Contains(err.Error(), "QUIC needs a certificate") {
		t.Errorf("in trusted: %v", err)
	}
	_, err = Load(nil, Override{Path: "server.quic.addr", Value: "0.0.0.0:8443"})
	if err == nil || !strings.Contains(err.Error(), "server.quic.addr") || !strings.Contains(err.Error(), "auth.mode dev believes every caller") {
		t.Errorf("in dev, for other machines: %v", err)
	}
	_, err = Load(nil, Override{Path: "server.quic.addr", Value: "nonsense"})
	if err == nil || !strings.Contains(err.Error(), "server.quic.addr") {
		t.Errorf("no address: %v", err)
	}
	if _, err := Load(nil, token, mode(ModeTrusted)); err != nil {
		t.Errorf("off, in trusted: %v", err)
	}
}
