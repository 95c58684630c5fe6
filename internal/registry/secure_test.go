package registry_test

import (
	"crypto/tls"
	"strings"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/test/registries"
)

const (
	secret = "b1f0f6d2-5c1e-4f8e-9a53-0d9e35c4a7c1"
	wrong  = "c2a1a7e3-0000-4f8e-9a53-0d9e35c4a7c1"
)

// secureEtcd starts an etcd with TLS where the user hermod may do what a node needs, and no more.
func secureEtcd(t *testing.T, a *registries.Authority) *conf.Registry {
	t.Helper()
	s := registries.StartSecureEtcd(t, a)
	c, err := clientv3.New(clientv3.Config{
		Endpoints: []string{"https://" + s.Addr}, Logger: zap.NewNop(), TLS: &tls.Config{RootCAs: a.Pool, MinVersion: tls.VersionTLS12},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx := t.Context()
	prefix := "/microservices/"
	for _, step := range []func() error{
		func() error { _, err := c.UserAdd(ctx, "root", "root"+secret); return err },
		func() error { _, err := c.UserGrantRole(ctx, "root", "root"); return err },
		func() error { _, err := c.UserAdd(ctx, "hermod", secret); return err },
		func() error { _, err := c.RoleAdd(ctx, "node"); return err },
		func() error {
			_, err := c.RoleGrantPermission(ctx, "node", prefix, clientv3.GetPrefixRangeEnd(prefix), clientv3.PermissionType(clientv3.PermReadWrite))
			return err
		},
		func() error { _, err := c.UserGrantRole(ctx, "hermod", "node"); return err },
		func() error { _, err := c.AuthEnable(ctx); return err },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
	}
	return withTLS(settings(conf.RegistryEtcd, s), a)
}

func secureConsul(t *testing.T, a *registries.Authority) *conf.Registry {
	t.Helper()
	return withTLS(settings(conf.RegistryConsul, registries.StartSecureConsul(t, a, secret)), a)
}

func withTLS(c *conf.Registry, a *registries.Authority) *conf.Registry {
	c.Tls = &conf.Registry_TLS{Enabled: true, CaFile: a.CAFile}
	return c
}

// TestCredentials: the right ones register; wrong ones, none, and a server whom the node does not trust
// are said in one line of the log and on /readyz, and no secret is in either.
func TestCredentials(t *testing.T) {
	t.Parallel()
	stranger := registries.NewAuthority(t)
	cases := []struct {
		name   string
		change func(c *conf.Registry)
		says   map[string]string // by kind; nothing: it registers
	}{
		{"right", func(*conf.Registry) {}, nil},
		{"wrong", func(c *conf.Registry) {
			if c.Token != "" {
				c.Token = wrong
			} else {
				c.Password = wrong
			}
		}, map[string]string{"etcd": "invalid user ID or password", "consul": "ACL not found"}},
		{"none", func(c *conf.Registry) { c.Token, c.Username, c.Password = "", "", "" },
			map[string]string{"etcd": "user name is empty", "consul": "Permission denied"}},
		{"another authority", func(c *conf.Registry) { c.Tls.CaFile = stranger.CAFile },
			map[string]string{"etcd": "certificate signed by unknown authority", "consul": "certificate signed by unknown authority"}},
		{"no TLS", func(c *conf.Registry) { c.Tls = nil },
			map[string]string{"etcd": "registry.tls", "consul": "HTTP request to an HTTPS server"}},
	}
	for kind, start := range map[string]func(*testing.T, *registries.Authority) *conf.Registry{"etcd": secureEtcd, "consul": secureConsul} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			base := start(t, registries.NewAuthority(t))
			for _, test := range cases {
				t.Run(test.name, func(t *testing.T) {
					c := settings(kind, &registries.Server{Addr: base.GetAddrs()})
					c.Tls = &conf.Registry_TLS{Enabled: true, CaFile: base.GetTls().GetCaFile()}
					if kind == conf.RegistryConsul {
						c.Token = secret
					} else {
						c.Username, c.Password = "hermod", secret
					}
					test.change(c)
					n := run(t, c, 4000)
					want := ": fails"
					if test.says == nil {
						want = ": registered as im-service"
					}
					within(t, patience, "the status "+want, func() bool { return strings.Contains(n.status.String(), want) })
					if test.says == nil {
						time.Sleep(ttl / 2) // it is renewed, too
						n.counts("hermod_registry_failures_total", 0, 1)
					}
					n.stop()
					log := n.logs.String()
					if says := test.says[kind]; says != "" && strings.Count(log, "the registry fails") != 1 {
						t.Errorf("not said once:\n%s", log)
					} else if !strings.Contains(log, says) {
						t.Errorf("%q is not said:\n%s", says, log)
					}
					for _, s := range []string{secret, wrong} {
						if strings.Contains(log+n.status.String(), s) {
							t.Errorf("a secret is in the log or the status:\n%s", log)
						}
					}
				})
			}
		})
	}
}
