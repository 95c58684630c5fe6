package e2e

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	kconsul "github.com/go-kratos/kratos/contrib/registry/consul/v2"
	ketcd "github.com/go-kratos/kratos/contrib/registry/etcd/v2"
	knacos "github.com/go-kratos/kratos/contrib/registry/nacos/v2"
	"github.com/go-kratos/kratos/v2/registry"
	kgrpc "github.com/go-kratos/kratos/v2/transport/grpc"
	"github.com/hashicorp/consul/api"
	"github.com/nacos-group/nacos-sdk-go/v2/clients"
	"github.com/nacos-group/nacos-sdk-go/v2/clients/naming_client"
	"github.com/nacos-group/nacos-sdk-go/v2/common/constant"
	"github.com/nacos-group/nacos-sdk-go/v2/vo"
	clientv3 "go.etcd.io/etcd/client/v3"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/test/registries"
)

const (
	registryTTL = 3 * time.Second
	// goneAtOnce is a bound for what a registry is told: the Nacos server of the tests looks at its
	// store once a second, and a loaded machine takes its time.
	goneAtOnce = 5 * time.Second
)

// registryKinds are the registries, each with the discovery of a Kratos service.
var registryKinds = map[string]struct {
	start    func(testing.TB) *registries.Server
	discover func(t *testing.T, s *registries.Server) registry.Discovery
	// after is how long after its death a node is still listed.
	after time.Duration
}{
	"nacos": {registries.StartNacos, func(t *testing.T, s *registries.Server) registry.Discovery {
		return knacos.New(naming(t, s))
	}, 0},
	"etcd": {registries.StartEtcd, func(t *testing.T, s *registries.Server) registry.Discovery {
		c, err := clientv3.New(clientv3.Config{Endpoints: []string{s.Addr}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return ketcd.New(c)
	}, registryTTL},
	"consul": {registries.StartConsul, func(t *testing.T, s *registries.Server) registry.Discovery {
		c, err := api.NewClient(&api.Config{Address: s.Addr})
		if err != nil {
			t.Fatal(err)
		}
		return kconsul.New(c)
	}, registryTTL},
}

func naming(t *testing.T, s *registries.Server) naming_client.INamingClient {
	t.Helper()
	if raceDetector {
		t.Skip("nacos-sdk-go has data races of its own when its server goes; make race runs this without the detector as well")
	}
	dir := t.TempDir()
	c, err := clients.NewNamingClient(vo.NacosClientParam{
		ClientConfig: constant.NewClientConfig(constant.WithLogDir(filepath.Join(dir, "log")), constant.WithCacheDir(filepath.Join(dir, "cache")),
			constant.WithLogLevel("error"), constant.WithNotLoadCacheAtStart(true), constant.WithUpdateCacheWhenEmpty(true)),
		ServerConfigs: []constant.ServerConfig{*constant.NewServerConfig("127.0.0.1", uint64(s.Port()))},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// enlist registers instances as services do. What it returns ends that, and its heartbeat, at the end of the test at the latest.
func enlist(t *testing.T, kind string, s *registries.Server) func(name string, endpoints ...string) (delist func() error) {
	t.Helper()
	registrar, ok := registryKinds[kind].discover(t, s).(registry.Registrar)
	if !ok {
		t.Fatal("it cannot register")
	}
	return func(name string, endpoints ...string) func() error {
		t.Helper()
		_, addr, _ := strings.Cut(endpoints[0], "://")
		i := &registry.ServiceInstance{ID: name + "-" + addr, Name: name, Version: "v1", Endpoints: endpoints}
		if err := registrar.Register(within(t), i); err != nil {
			t.Fatal(err)
		}
		delist := sync.OnceValue(func() error { return registrar.Deregister(context.Background(), i) })
		t.Cleanup(func() { _ = delist() })
		return delist
	}
}

func eachRegistry(t *testing.T, test func(t *testing.T, kind string, s *registries.Server)) {
	t.Helper()
	for kind, k := range registryKinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			test(t, kind, k.start(t))
		})
	}
}

// registered is the configuration of a node that registers itself.
func registered(kind string, s *registries.Server) string {
	return fmt.Sprintf("auth: {mode: trusted, service_token: %s}\nregistry: {type: %s, addrs: %q, ttl: %s}\n", serviceToken, kind, s.Addr, registryTTL)
}

// listed tells under which addresses a Kratos service finds another. That there is none is an error
// for some.
func listed(t *testing.T, d registry.Discovery, name string) []string {
	t.Helper()
	list, err := d.GetService(within(t), name)
	if err != nil {
		return nil
	}
	var addrs []string
	for _, i := range list {
		addrs = append(addrs, strings.TrimPrefix(i.Endpoints[0], "grpc://"))
	}
	return addrs
}

func awaitListed(t *testing.T, d registry.Discovery, name string, bound time.Duration, want ...string) {
	t.Helper()
	began := time.Now()
	slices.Sort(want)
	for {
		got := listed(t, d, name)
		slices.Sort(got)
		if slices.Equal(got, want) {
			return
		}
		if time.Since(began) > bound {
			t.Fatalf("after %s %s is at %v, want %v", bound, name, got, want)
		}
		time.Sleep(pollEvery)
	}
}

// TestFoundByKratos: a Kratos service needs a name and nothing else to call both services of a node.
func TestFoundByKratos(t *testing.T) {
	t.Parallel()
	eachRegistry(t, func(t *testing.T, kind string, s *registries.Server) {
		n := Start(t, registered(kind, s))
		d := registryKinds[kind].discover(t, s)
		awaitListed(t, d, "im-service.grpc", patience, n.IM)
		awaitListed(t, d, "gateway-service.grpc", patience, n.Gateway)
		im, err := kgrpc.DialInsecure(within(t), kgrpc.WithEndpoint("discovery:///im-service.grpc"), kgrpc.WithDiscovery(d), kgrpc.WithTimeout(patience))
		if err != nil {
			t.Fatal(err)
		}
		defer im.Close()
		join(t, imv1.NewIMServiceClient(im), "room", "alice")
		gateway, err := kgrpc.DialInsecure(within(t), kgrpc.WithEndpoint("discovery:///gateway-service.grpc"), kgrpc.WithDiscovery(d), kgrpc.WithTimeout(patience))
		if err != nil {
			t.Fatal(err)
		}
		defer gateway.Close()
		pushSomething(t, gatewayv1.NewGatewayServiceClient(gateway))
		n.Stop()
		outside(t, n)
	})
}

// pushSomething pushes to somebody who is away: what counts is that there is an answer.
func pushSomething(t *testing.T, gateway gatewayv1.GatewayServiceClient) {
	t.Helper()
	_, err := gateway.PushToClient(with(t, "authorization", "Bearer "+serviceToken), &gatewayv1.UnicastPushRequest{TargetType: "openid", TargetId: "nobody", Content: "x"})
	if err != nil {
		t.Errorf("push: %v", err)
	}
}

// outside fails if a node has written anything beside its data directory.
func outside(t *testing.T, n *Node) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(n.LogFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !slices.Contains([]string{"data", "log", "hermod.yaml"}, e.Name()) {
			t.Errorf("the node wrote %s into its working directory", e.Name())
		}
	}
}

// TestFoundWithoutKratos: Nacos' own client and gRPC are enough.
func TestFoundWithoutKratos(t *testing.T) {
	t.Parallel()
	s := registries.StartNacos(t)
	n := Start(t, registered("nacos", s))
	c := naming(t, s)
	find := func(name string) string {
		var at string
		eventually(t, name+" is found", func() bool {
			i, err := c.SelectOneHealthyInstance(vo.SelectOneHealthInstanceParam{ServiceName: name})
			if err != nil {
				return false
			}
			at = net.JoinHostPort(i.Ip, strconv.FormatUint(i.Port, 10))
			return true
		})
		return at
	}
	if im, gateway := find("im-service"), find("gateway-service"); im != n.IM || gateway != n.Gateway {
		t.Errorf("found %s and %s, want %s and %s", im, gateway, n.IM, n.Gateway)
	}
	join(t, imv1.NewIMServiceClient(Dial(t, find("im-service"))), "room", "alice")
	pushSomething(t, gatewayv1.NewGatewayServiceClient(Dial(t, find("gateway-service"))))
}

// TestExampleKratosPush runs the example as its reader does.
func TestExampleKratosPush(t *testing.T) {
	t.Parallel()
	s := registries.StartNacos(t)
	n := Start(t, registered("nacos", s))
	awaitListed(t, registryKinds["nacos"].discover(t, s), "gateway-service.grpc", patience, n.Gateway)
	alice := n.Connect(Hello{User: "alice"})
	cmd := exec.CommandContext(t.Context(), "go", "run", ".", "-port", strconv.Itoa(s.Port()))
	cmd.Dir = filepath.Join("..", "..", "docs", "examples", "kratos-push")
	cmd.Env = append(os.Environ(), "HERMOD_SERVICE_TOKEN="+serviceToken)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if m := alice.Next(); !strings.Contains(m.String(), "from Kratos") {
		t.Errorf("alice got %v", m)
	}
}

// TestKilledNodeDisappears: kill -9 leaves nobody to deregister; the connection of Nacos' client and the
// ttl of the others end the registration. A node that comes back takes its own place.
func TestKilledNodeDisappears(t *testing.T) {
	t.Parallel()
	eachRegistry(t, func(t *testing.T, kind string, s *registries.Server) {
		n, other := Start(t, registered(kind, s)), Start(t, registered(kind, s))
		d := registryKinds[kind].discover(t, s)
		awaitListed(t, d, "im-service.grpc", patience, n.IM, other.IM)
		n.Kill()
		for _, name := range []string{"im-service", "im-service.grpc"} {
			if kind == "nacos" && name == "im-service" {
				continue // Kratos reads its own form there
			}
			awaitListed(t, d, name, registryKinds[kind].after+goneAtOnce, other.IM)
		}
		n.Boot()
		awaitListed(t, d, "im-service.grpc", patience, n.IM, other.IM)
	})
}

// TestDrainingNodeIsNotListed: consumers are told first of all; whoever has not heard is served on.
func TestDrainingNodeIsNotListed(t *testing.T) {
	t.Parallel()
	eachRegistry(t, func(t *testing.T, kind string, s *registries.Server) {
		n := Start(t, "server: {stop: {notice: 8s, drain: 0s, timeout: 15s}}\n"+registered(kind, s))
		d := registryKinds[kind].discover(t, s)
		awaitListed(t, d, "im-service.grpc", patience, n.IM)
		stream := n.Connect(Hello{User: "alice"})
		n.Terminate()
		awaitListed(t, d, "im-service.grpc", goneAtOnce)
		awaitListed(t, d, "gateway-service.grpc", goneAtOnce)
		stream.Flush() // fails unless the stream still works
		join(t, n.Calls(), "room", "bob")
		n.eventually("/readyz tells", func() bool {
			_, body := n.Page("/readyz")
			return strings.Contains(body, "registry: "+kind+": deregistered")
		})
		stream.Disconnected("3000")
		n.Stopped()
	})
}

// TestNodeWithoutItsRegistry: it serves, says what is wrong, and registers once the registry is there.
func TestNodeWithoutItsRegistry(t *testing.T) {
	t.Parallel()
	eachRegistry(t, func(t *testing.T, kind string, s *registries.Server) {
		s.Stop()
		n := Start(t, registered(kind, s))
		n.eventually("/readyz tells", func() bool {
			status, body := n.Page("/readyz")
			return status == 200 && strings.HasPrefix(body, "ready\n") && strings.Contains(body, "registry: "+kind+": fails")
		})
		join(t, n.Calls(), "room", "alice")
		s.Start()
		awaitListed(t, registryKinds[kind].discover(t, s), "im-service.grpc", patience, n.IM)
		n.eventually("/readyz tells", func() bool {
			_, body := n.Page("/readyz")
			return strings.Contains(body, "registry: "+kind+": registered as im-service at "+n.IM)
		})
	})
}

// TestRegistryHangsWhileStopping: what a registry that hangs takes of the time is not added to
// server.stop.timeout, even if a client keeps a listener from stopping in good order.
func TestRegistryHangsWhileStopping(t *testing.T) {
	t.Parallel()
	const timeout = 6 * time.Second
	eachRegistry(t, func(t *testing.T, kind string, s *registries.Server) {
		n := Start(t, fmt.Sprintf("server: {stop: {notice: 500ms, drain: 500ms, timeout: %s}}\n", timeout)+registered(kind, s))
		awaitListed(t, registryKinds[kind].discover(t, s), "im-service.grpc", patience, n.IM)
		holder, err := net.Dial("tcp", n.Ops)
		if err != nil {
			t.Fatal(err)
		}
		defer holder.Close()
		if _, err := holder.Write([]byte("GET /readyz HTTP/1.1\r\n")); err != nil { // and no more
			t.Fatal(err)
		}
		s.Freeze()
		began := time.Now()
		n.Terminate()
		n.Stopped()
		took := time.Since(began)
		if most := timeout + 5*time.Second/2; took > most { // the registry is waited for for 3 s
			t.Errorf("the stop took %s, want %s at most", took, most)
		}
		if least := timeout - time.Second; took < least {
			t.Errorf("the stop took %s: nothing held it up, so this shows nothing", took)
		}
		if log := n.Log(); !strings.Contains(log, "could not deregister itself") && !strings.Contains(log, "holds the node up") {
			t.Errorf("the log does not say why:\n%s", log)
		}
		s.Thaw()
	})
}
