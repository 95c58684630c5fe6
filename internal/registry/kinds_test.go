package registry_test

import (
	"context"
	"net"
	"path/filepath"
	"strconv"
	"testing"

	kconsul "github.com/go-kratos/kratos/contrib/registry/consul/v2"
	ketcd "github.com/go-kratos/kratos/contrib/registry/etcd/v2"
	knacos "github.com/go-kratos/kratos/contrib/registry/nacos/v2"
	kregistry "github.com/go-kratos/kratos/v2/registry"
	"github.com/hashicorp/consul/api"
	"github.com/nacos-group/nacos-sdk-go/v2/clients"
	"github.com/nacos-group/nacos-sdk-go/v2/clients/naming_client"
	"github.com/nacos-group/nacos-sdk-go/v2/common/constant"
	"github.com/nacos-group/nacos-sdk-go/v2/vo"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/test/registries"
)

// kind is a registry and its consumers: those of Kratos, and those that have its own client only.
type kind struct {
	start func(testing.TB) *registries.Server
	// kratos is what a Kratos program discovers with, as Kratos' contrib makes it.
	kratos func(t *testing.T, s *registries.Server, namespace string) kregistry.Discovery
	// plain lists the addresses of a service with the registry's own client.
	plain func(t *testing.T, s *registries.Server, namespace string) func(name string) []string
	// registry is its registry.type.
	registry string
	// namespaces tells whether the server has them: Consul's are not free.
	namespaces bool
}

var kinds = map[string]kind{
	"nacos":           {registries.StartNacos, kratosNacos, plainNacos, conf.RegistryNacos, true},
	"Alibaba's nacos": {registries.StartAlibabaNacos, kratosNacos, plainNacos, conf.RegistryNacos, true},
	"etcd":            {registries.StartEtcd, kratosEtcd, plainEtcd, conf.RegistryEtcd, true},
	"consul":          {registries.StartConsul, kratosConsul, plainConsul, conf.RegistryConsul, false},
}

func namingClient(t *testing.T, s *registries.Server, namespace string) naming_client.INamingClient {
	t.Helper()
	dir := t.TempDir()
	c, err := clients.NewNamingClient(vo.NacosClientParam{
		ClientConfig: &constant.ClientConfig{
			NamespaceId: namespace, TimeoutMs: 5000, LogLevel: "error",
			LogDir: filepath.Join(dir, "log"), CacheDir: filepath.Join(dir, "cache"), NotLoadCacheAtStart: true, UpdateCacheWhenEmpty: true,
		},
		ServerConfigs: []constant.ServerConfig{*constant.NewServerConfig("127.0.0.1", uint64(s.Port()))},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c // it is not closed: the client's map of clients has no lock, and other tests use it
}

func kratosNacos(t *testing.T, s *registries.Server, namespace string) kregistry.Discovery {
	t.Helper()
	return knacos.New(namingClient(t, s, namespace))
}

func plainNacos(t *testing.T, s *registries.Server, namespace string) func(string) []string {
	t.Helper()
	c := namingClient(t, s, namespace)
	return func(name string) []string {
		list, _ := c.SelectInstances(vo.SelectInstancesParam{ServiceName: name, HealthyOnly: true}) // none is an error
		var addrs []string
		for _, i := range list {
			addrs = append(addrs, net.JoinHostPort(i.Ip, strconv.Itoa(int(i.Port))))
		}
		return addrs
	}
}

func etcdClient(t *testing.T, s *registries.Server) *clientv3.Client {
	t.Helper()
	c, err := clientv3.New(clientv3.Config{Endpoints: []string{s.Addr}, Logger: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func kratosEtcd(t *testing.T, s *registries.Server, namespace string) kregistry.Discovery {
	t.Helper()
	if namespace == "" {
		return ketcd.New(etcdClient(t, s))
	}
	return ketcd.New(etcdClient(t, s), ketcd.Namespace(namespace))
}

func plainEtcd(t *testing.T, s *registries.Server, namespace string) func(string) []string {
	t.Helper()
	d := kratosEtcd(t, s, namespace) // etcd has no form of its own for services
	return func(name string) []string { return endpoints(t, d, name) }
}

func consulClient(t *testing.T, s *registries.Server) *api.Client {
	t.Helper()
	c, err := api.NewClient(&api.Config{Address: s.Addr})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func kratosConsul(t *testing.T, s *registries.Server, _ string) kregistry.Discovery {
	t.Helper()
	return kconsul.New(consulClient(t, s))
}

func plainConsul(t *testing.T, s *registries.Server, _ string) func(string) []string {
	t.Helper()
	c := consulClient(t, s)
	return func(name string) []string {
		list, _, err := c.Health().Service(name, "", true, nil)
		if err != nil {
			return nil
		}
		var addrs []string
		for _, e := range list {
			addrs = append(addrs, net.JoinHostPort(e.Service.Address, strconv.Itoa(e.Service.Port)))
		}
		return addrs
	}
}

// instances asks a Kratos discovery; none is an error for some, and so no error here.
func instances(t *testing.T, d kregistry.Discovery, name string) []*kregistry.ServiceInstance {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	list, err := d.GetService(ctx, name)
	if err != nil {
		return nil
	}
	return list
}

func endpoints(t *testing.T, d kregistry.Discovery, name string) []string {
	t.Helper()
	var addrs []string
	for _, i := range instances(t, d, name) {
		for _, e := range i.Endpoints {
			addrs = append(addrs, e[len("grpc://"):])
		}
	}
	return addrs
}
