package registry_test

import (
	"testing"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/registry"
)

// TestSecureInstances: a service with TLS is found as Kratos' consumers look for one, grpcs, and the
// other one as before.
func TestSecureInstances(t *testing.T) {
	t.Parallel()
	c, err := conf.Load(nil, conf.Override{Path: "registry.type", Value: "etcd"}, conf.Override{Path: "registry.addrs", Value: "127.0.0.1:1"},
		conf.Override{Path: "auth.mode", Value: "trusted"}, conf.Override{Path: "auth.service_token", Value: "0123456789abcdef"})
	if err != nil {
		t.Fatal(err)
	}
	at := registry.Addrs{IM: registry.Addr{Host: "10.0.0.1", Port: 8083, Secure: true}, Gateway: registry.Addr{Host: "10.0.0.1", Port: 8082}}
	want := map[string]string{"im-service.grpcs": "grpcs", "im-service": "grpcs", "gateway-service.grpc": "grpc", "gateway-service": "grpc"}
	for _, i := range registry.Instances(c.GetRegistry(), at, "v1") {
		if scheme, known := want[i.Name()]; !known || i.Scheme() != scheme {
			t.Errorf("%s is %s", i.Name(), i.Scheme())
		}
		delete(want, i.Name())
	}
	for name := range want {
		t.Errorf("nobody finds %s", name)
	}
}
