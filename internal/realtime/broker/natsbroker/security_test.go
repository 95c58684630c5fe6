package natsbroker_test

import (
	"crypto/tls"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/game-im/hermod/internal/realtime/broker/brokertest"
	"github.com/game-im/hermod/internal/realtime/broker/natsbroker"
	"github.com/game-im/hermod/test/authority"
	"github.com/game-im/hermod/test/brokers"
)

// TestCredentials: with the right ones nodes meet; with wrong ones they never do, and go on trying.
func TestCredentials(t *testing.T) {
	t.Parallel()
	ca := authority.New(t)
	secured := &tls.Config{Certificates: []tls.Certificate{ca.Pair(authority.Leaf{})}, MinVersion: tls.VersionTLS12}
	trust := &tls.Config{RootCAs: ca.Pool(), MinVersion: tls.VersionTLS12}
	for name, c := range map[string]struct {
		server brokers.NATSOptions
		good   natsbroker.Options
		bad    natsbroker.Options
	}{
		"password": {
			brokers.NATSOptions{User: "hermod", Password: "secret"},
			natsbroker.Options{User: "hermod", Password: "secret"},
			natsbroker.Options{User: "hermod", Password: "wrong"},
		},
		"token": {brokers.NATSOptions{Token: "secret"}, natsbroker.Options{Token: "secret"}, natsbroker.Options{}},
		"TLS": {
			brokers.NATSOptions{TLS: secured},
			natsbroker.Options{TLS: trust},
			natsbroker.Options{TLS: &tls.Config{RootCAs: authority.New(t).Pool(), MinVersion: tls.VersionTLS12}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := brokers.StartNATS(t, c.server)
			good, bad := c.good, c.bad
			good.URLs, bad.URLs = []string{s.Addr()}, []string{s.Addr()}
			good.Log = slog.New(slog.DiscardHandler)
			brokertest.RunStrangers(t, on(t, good), on(t, bad))
		})
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	seed := filepath.Join(t.TempDir(), "seed")
	if err := os.WriteFile(seed, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		o    natsbroker.Options
		want string
	}{
		"no server":          {natsbroker.Options{}, "either URLs or a server"},
		"another scheme":     {natsbroker.Options{URLs: []string{"http://x:1"}}, "nats:// or tls://"},
		"secret in the URL":  {natsbroker.Options{URLs: []string{"nats://a:b@x:1"}}, "stands elsewhere"},
		"a list in one":      {natsbroker.Options{URLs: []string{"a:1,b:1"}}, "one host:port"},
		"two kinds":          {natsbroker.Options{URLs: []string{"x:1"}, Token: "t", Password: "p"}, "one of user and password"},
		"a file of no key":   {natsbroker.Options{URLs: []string{"x:1"}, NKeyFile: seed}, seed},
		"a file there's not": {natsbroker.Options{URLs: []string{"x:1"}, NKeyFile: seed + "2"}, "seed2"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := natsbroker.New(c.o); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}
