package doctor

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/registry"
	"github.com/game-im/hermod/test/registries"
)

// raceDetector tells whether it is on.
var raceDetector bool

// TestRegistration: against real registries, with a node that is listed, one that is not, and a registry
// that is away.
func TestRegistration(t *testing.T) {
	t.Parallel()
	expects(t, "none", examined(t, registration), OK, "no registry is configured")
	for name, start := range map[string]func(testing.TB) *registries.Server{
		conf.RegistryNacos: registries.StartNacos, conf.RegistryEtcd: registries.StartEtcd, conf.RegistryConsul: registries.StartConsul,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if raceDetector && name == conf.RegistryNacos {
				t.Skip("nacos-sdk-go has races of its own; make race runs this without the detector")
			}
			s := start(t)
			overrides := []conf.Override{
				{Path: "registry.type", Value: name}, {Path: "registry.addrs", Value: s.Addr},
				{Path: "auth.mode", Value: "trusted"}, {Path: "auth.service_token", Value: "0123456789abcdef"},
				{Path: "server.im.addr", Value: "127.0.0.1:4000"}, {Path: "server.gateway.addr", Value: "127.0.0.1:4001"},
				{Path: "server.ops.addr", Value: "127.0.0.1:1"},
			}
			expects(t, "not listed", examined(t, bounded(registration), overrides...), OK, "answers and does not list this node as im-service.grpc at 127.0.0.1:4000")
			if _, known := registry.Clock(t.Context(), &conf.Registry{Type: name, Addrs: s.Addr}); known != (name != conf.RegistryEtcd) {
				t.Errorf("its clock is known: %v", known)
			}
			register(t, overrides)
			expects(t, "listed", examined(t, bounded(registration), overrides...), OK, "lists this node as im-service.grpc at 127.0.0.1:4000, im-service at")
			s.Stop()
			expects(t, "away", examined(t, bounded(registration), overrides...), Warning, "registry.addrs")
		})
	}
}

// TestRegistrationIsRefused: what keeps a node out is said before it is started.
func TestRegistrationIsRefused(t *testing.T) {
	t.Parallel()
	const token = "b1f0f6d2-5c1e-4f8e-9a53-0d9e35c4a7c1"
	a := registries.NewAuthority(t)
	s := registries.StartSecureConsul(t, a, token)
	overrides := []conf.Override{
		{Path: "registry.type", Value: conf.RegistryConsul}, {Path: "registry.addrs", Value: s.Addr},
		{Path: "auth.mode", Value: "trusted"}, {Path: "auth.service_token", Value: "0123456789abcdef"},
		{Path: "registry.tls.enabled", Value: "true"}, {Path: "registry.tls.ca_file", Value: a.CAFile},
		{Path: "server.ops.addr", Value: "127.0.0.1:1"},
	}
	with := func(key, value string) []conf.Override {
		return append(overrides[:len(overrides):len(overrides)], conf.Override{Path: key, Value: value})
	}
	expects(t, "the right token", examined(t, bounded(registration), with("registry.token", token)...), OK, "answers")
	expects(t, "a wrong token", examined(t, bounded(registration), with("registry.token", "wrong")...), Warning, "ACL not found")
	expects(t, "another authority", examined(t, bounded(registration), with("registry.tls.ca_file", registries.NewAuthority(t).CAFile)...), Warning, "unknown authority")
}

// bounded runs a check as Examine does.
func bounded(run func(context.Context, *conf.Config) []Finding) func(context.Context, *conf.Config) []Finding {
	return func(ctx context.Context, c *conf.Config) []Finding {
		ctx, cancel := context.WithTimeout(ctx, patience)
		defer cancel()
		return run(ctx, c)
	}
}

// register makes a node known until the test ends, and waits until others could see it.
func register(t *testing.T, overrides []conf.Override) {
	t.Helper()
	c, err := conf.Load(nil, overrides...)
	if err != nil {
		t.Fatal(err)
	}
	r, err := registry.Open(c.GetRegistry(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() }) // the registry is gone by then
	at, err := registry.Advertised(c.GetRegistry(), &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4000}, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4001})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 4*patience)
	defer cancel()
	for _, i := range registry.Instances(c.GetRegistry(), at, "v1") {
		if err := r.Register(ctx, i); err != nil {
			t.Fatal(err)
		}
		for there := false; !there; time.Sleep(20 * time.Millisecond) {
			if there, err = r.Listed(ctx, i); err != nil {
				t.Fatal(err)
			}
		}
	}
}
