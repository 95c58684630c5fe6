package discovery_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/game-im/hermod/sdk/discovery"
	"github.com/game-im/hermod/test/registries"
	"github.com/hashicorp/consul/api"
)

func consulAgent(t *testing.T, addr string) *api.Agent {
	t.Helper()
	c, err := api.NewClient(&api.Config{Address: addr})
	if err != nil {
		t.Fatal(err)
	}
	return c.Agent()
}

// What others have registered is found as it is meant: at the node's address if it has none, with
// the weight and the health that Consul has for it.
func TestConsulFindsWhatOthersRegister(t *testing.T) {
	t.Parallel()
	server := registries.StartConsul(t)
	d := open(t, kinds["consul"], server.Addr)
	lists := watch(t, d)
	agent := consulAgent(t, server.Addr)
	for id, status := range map[string]string{"a": api.HealthPassing, "b": api.HealthWarning, "c": api.HealthCritical} {
		err := agent.ServiceRegister(&api.AgentServiceRegistration{
			ID: id, Name: service, Port: 8083, Weights: &api.AgentWeights{Passing: 7, Warning: 1},
			Check: &api.AgentServiceCheck{TTL: "10m", Status: status},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]string{"a": discovery.HealthHealthy, "b": discovery.HealthUnknown, "c": discovery.HealthUnhealthy}
	for _, s := range awaitIDs(t, lists, "a", "b", "c") {
		if weight, err := s.Weight(); s.Target() != "127.0.0.1:8083" || weight != 7 || err != nil {
			t.Errorf("%s is at %s with weight %v (%v)", s.ID, s.Target(), weight, err)
		}
	}
	awaitThat(t, lists, d, func(list []*discovery.ServiceInfo) bool {
		for _, s := range list {
			if s.Health != want[s.ID] {
				return false
			}
		}
		return len(list) == 3
	})
}

// What is registered is checked by gRPC, and no longer healthy when it does not answer.
func TestConsulChecksHealth(t *testing.T) {
	t.Parallel()
	server := registries.StartConsul(t)
	d, err := discovery.NewConsulDiscovery(server.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := d.Register(t.Context(), instance("a")); err != nil {
		t.Fatal(err)
	}
	checks, err := consulAgent(t, server.Addr).Checks()
	if err != nil {
		t.Fatal(err)
	}
	c := checks["service:a"]
	if c == nil || c.Type != "grpc" {
		t.Errorf("the check is %+v, want one by gRPC", c)
	}

	eager := open(t, kinds["consul"], server.Addr) // every 200 ms
	lists := watch(t, eager)
	awaitIDs(t, lists, "a")
	register(t, eager, "b") // it says that it is healthy, and nothing is there
	awaitThat(t, lists, eager, func(list []*discovery.ServiceInfo) bool {
		return len(list) == 2 && list[1].ID == "b" && list[1].Health == discovery.HealthUnhealthy
	})
}

func TestConsulSendsTokenNamespaceAndDatacenter(t *testing.T) {
	t.Parallel()
	asked := make(chan *http.Request, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- r
		w.Header().Set("X-Consul-Index", "1")
		_, _ = w.Write([]byte("[]")) // the client says what it thinks of it
	}))
	defer server.Close()
	d, err := discovery.NewConsulDiscovery(server.URL,
		discovery.WithToken("secret"), discovery.WithNamespace("team"), discovery.WithDatacenter("dc2"))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := d.Discover(t.Context(), service); err != nil {
		t.Fatal(err)
	}
	r := <-asked
	if q := r.URL.Query(); r.Header.Get("X-Consul-Token") != "secret" || q.Get("ns") != "team" || q.Get("dc") != "dc2" {
		t.Errorf("asked %s with header %v", r.URL, r.Header)
	}
}

// awaitThat waits until the watch has sent, or the registry has, a list as wanted.
func awaitThat(t *testing.T, lists <-chan []*discovery.ServiceInfo, d discovery.ServiceDiscovery, wanted func([]*discovery.ServiceInfo) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	last, err := d.Discover(ctx, service)
	if err != nil {
		t.Fatal(err)
	}
	for !wanted(last) {
		select {
		case list, open := <-lists:
			if !open {
				t.Fatal("the watch ended")
			}
			last = list
		case <-time.After(within):
			for _, s := range last {
				t.Logf("%+v", s)
			}
			t.Fatal("that is the latest list")
		}
	}
}
