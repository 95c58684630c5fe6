package redisbroker_test

import (
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/game-im/hermod/internal/realtime/broker/brokertest"
	"github.com/game-im/hermod/internal/realtime/broker/redisbroker"
	"github.com/game-im/hermod/test/authority"
	"github.com/game-im/hermod/test/brokers"
	"github.com/game-im/hermod/test/loopback"
)

// TestCredentials: with the right ones nodes meet; with wrong ones they never do, and go on trying.
func TestCredentials(t *testing.T) {
	t.Parallel()
	t.Run("password", func(t *testing.T) {
		t.Parallel()
		s := brokers.StartRedis(t, "--requirepass", "secret")
		addrs := []string{s.Addr()}
		brokertest.RunStrangers(t, on(t, redisbroker.Options{Addrs: addrs, Password: "secret"}), on(t, redisbroker.Options{Addrs: addrs}))
	})
	t.Run("user", func(t *testing.T) {
		t.Parallel()
		s := brokers.StartRedis(t, "--user", "hermod", "on", ">secret", "allchannels", "-@all", "+publish", "+subscribe", "+unsubscribe", "+ping")
		addrs := []string{s.Addr()}
		brokertest.RunStrangers(t, on(t, redisbroker.Options{Addrs: addrs, User: "hermod", Password: "secret"}),
			on(t, redisbroker.Options{Addrs: addrs, User: "hermod", Password: "wrong"}))
	})
	t.Run("TLS", func(t *testing.T) {
		t.Parallel()
		ca := authority.New(t)
		cert, key, root := ca.Files(t.TempDir(), authority.Leaf{})
		s := brokers.StartRedis(t, "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", root, "--tls-auth-clients", "no",
			"--tls-port", fmt.Sprint(loopback.Port(t)))
		addrs := []string{net.JoinHostPort("127.0.0.1", s.Arg("--tls-port"))}
		trust := func(a *authority.Authority) *tls.Config {
			return &tls.Config{RootCAs: a.Pool(), MinVersion: tls.VersionTLS12}
		}
		brokertest.RunStrangers(t, on(t, redisbroker.Options{Addrs: addrs, TLS: trust(ca)}),
			on(t, redisbroker.Options{Addrs: addrs, TLS: trust(authority.New(t))}))
	})
}

func TestOptions(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		o    redisbroker.Options
		want string
	}{
		"no address":              {redisbroker.Options{}, "an address is needed"},
		"no port":                 {redisbroker.Options{Addrs: []string{"localhost"}}, `"localhost": it takes host:port`},
		"many, but no cluster":    {redisbroker.Options{Addrs: []string{"a:1", "b:1"}}, "one is allowed"},
		"a user without password": {redisbroker.Options{Addrs: []string{"a:1"}, User: "hermod"}, "without a password"},
		"too many lanes":          {redisbroker.Options{Addrs: []string{"a:1"}, Cluster: true, Lanes: 1000}, "1 to 256"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := redisbroker.New(c.o); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}
