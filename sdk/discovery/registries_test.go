package discovery_test

import (
	"testing"
	"time"

	"github.com/game-im/hermod/sdk/discovery"
	"github.com/game-im/hermod/sdk/discovery/discoverytest"
	"github.com/game-im/hermod/test/registries"
)

// kind is a registry and how a discovery over it is opened.
type kind struct {
	start func(testing.TB) *registries.Server
	open  func(t *testing.T, addr string, options ...discovery.Option) (discovery.ServiceDiscovery, error)
}

var kinds = map[string]kind{
	"consul": {registries.StartConsul, func(_ *testing.T, addr string, options ...discovery.Option) (discovery.ServiceDiscovery, error) {
		eager := discovery.HealthCheck{Interval: 200 * time.Millisecond} // so that tests need not wait
		return discovery.NewConsulDiscovery(addr, append(options, discovery.WithHealthCheck(eager))...)
	}},
	"etcd": {registries.StartEtcd, func(_ *testing.T, addr string, options ...discovery.Option) (discovery.ServiceDiscovery, error) {
		return discovery.NewEtcdDiscovery([]string{addr}, "", options...)
	}},
	"nacos": {registries.StartNacos, func(t *testing.T, addr string, options ...discovery.Option) (discovery.ServiceDiscovery, error) {
		return discovery.NewNacosDiscovery([]string{addr}, append(options, discovery.WithFolder(t.TempDir()))...)
	}},
}

// withoutRaces skips a test with Nacos under the race detector: the Nacos SDK has races of its own.
func withoutRaces(t *testing.T, name string) {
	t.Helper()
	if raceDetector && name == "nacos" {
		t.Skip("the Nacos SDK has data races; make race runs this without the detector")
	}
}

func (k kind) opener(addr string) discoverytest.Opener {
	return func(t *testing.T) discovery.ServiceDiscovery {
		t.Helper()
		d, err := k.open(t, addr)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
}

func TestRegistries(t *testing.T) {
	t.Parallel()
	for name, k := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			withoutRaces(t, name)
			discoverytest.Discovery(t, discoverytest.Registry{Open: k.opener(k.start(t).Addr), Shared: true})
		})
	}
}
