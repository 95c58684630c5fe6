package discovery_test

import (
	"testing"

	"github.com/game-im/hermod/sdk/discovery"
	"github.com/game-im/hermod/test/registries"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

func etcdClient(t *testing.T, addr string) *clientv3.Client {
	t.Helper()
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{addr}, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// Nodes and Kratos programs register below a prefix of Kratos' own, in a form of Kratos' own. They are
// found unless another prefix is asked for; there they are found as well if they register there.
func TestEtcdFindsWhatKratosRegisters(t *testing.T) {
	t.Parallel()
	server := registries.StartEtcd(t)
	byDefault := open(t, kinds["etcd"], server.Addr)
	elsewhere, err := discovery.NewEtcdDiscovery([]string{server.Addr}, "/im-services/")
	if err != nil {
		t.Fatal(err)
	}
	defer elsewhere.Close()
	lists, others := watch(t, byDefault), watch(t, elsewhere)

	c := etcdClient(t, server.Addr)
	put := func(key, id, addr string) {
		t.Helper()
		value := `{"id":"` + id + `","name":"im-service","version":"v1","metadata":{"kind":"grpc","weight":"5"},"endpoints":["grpc://` + addr + `"]}`
		if _, err := c.Put(t.Context(), key, value); err != nil {
			t.Fatal(err)
		}
	}
	put("/microservices/im-service/k", "k", "10.0.0.1:8083")
	put("/microservices/im-service.grpc/x", "x", "10.0.0.9:8083") // another name
	put("/im-services/im-service/p", "p", "10.0.0.2:8083")
	register(t, byDefault, "a")
	register(t, elsewhere, "b")
	if _, err := c.Put(t.Context(), "/services/im-service/broken", "no JSON"); err != nil {
		t.Fatal(err)
	}
	for _, s := range awaitIDs(t, lists, "a", "k") {
		if s.ID == "k" && (s.Target() != "10.0.0.1:8083" || s.Metadata["weight"] != "5") {
			t.Errorf("found %+v", s)
		}
	}
	awaitIDs(t, others, "b", "p")
	if _, err := c.Delete(t.Context(), "/microservices/im-service/k"); err != nil {
		t.Fatal(err)
	}
	awaitIDs(t, lists, "a")
}

func TestEtcdLogsIn(t *testing.T) {
	t.Parallel()
	server := registries.StartEtcd(t)
	c := etcdClient(t, server.Addr)
	if _, err := c.UserAdd(t.Context(), "root", "secret"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.UserGrantRole(t.Context(), "root", "root"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.AuthEnable(t.Context()); err != nil {
		t.Fatal(err)
	}
	anonymous := open(t, kinds["etcd"], server.Addr)
	if err := anonymous.Register(t.Context(), instance("a")); err == nil {
		t.Error("somebody without a name could register")
	}
	if _, err := discovery.NewEtcdDiscovery([]string{server.Addr}, "", discovery.WithCredentials("root", "wrong")); err == nil {
		t.Error("a wrong password was taken")
	}
	d, err := discovery.NewEtcdDiscovery([]string{server.Addr}, "", discovery.WithCredentials("root", "secret"))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	lists := watch(t, d)
	register(t, d, "a")
	awaitIDs(t, lists, "a")
}
