package client_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/game-im/hermod/sdk/client"
	"github.com/game-im/hermod/sdk/discovery"
	"github.com/game-im/hermod/test/registries"
)

func consulServiceDiscovery(config *client.Config, address string) {
	// 创建Consul服务发现
	consulDiscovery, err := discovery.NewConsulDiscovery(address)
	if err != nil {
		log.Fatalf("创建Consul服务发现失败: %v", err)
	}

	config.Discovery = consulDiscovery
}

func etcdServiceDiscovery(config *client.Config, address string) {
	// 创建ETCD服务发现
	etcdDiscovery, err := discovery.NewEtcdDiscovery(
		[]string{address},
		"/im-services",
	)
	if err != nil {
		log.Fatalf("创建ETCD服务发现失败: %v", err)
	}

	config.Discovery = etcdDiscovery
}

// The document's blocks find a node that is registered in a real registry.
func TestSeedServiceDiscovery(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		start func(testing.TB) *registries.Server
		block func(*client.Config, string)
	}{
		"consul": {registries.StartConsul, consulServiceDiscovery},
		"etcd":   {registries.StartEtcd, etcdServiceDiscovery},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := tt.start(t)
			config := client.DefaultConfig()
			config.UserID = "finder-" + name
			tt.block(config, server.Addr)
			defer config.Discovery.Close()
			err := config.Discovery.Register(t.Context(), &discovery.ServiceInfo{
				ID: "im-service-1", Name: "im-service", Address: "127.0.0.1", Port: port(t), Health: "healthy",
			})
			if err != nil {
				t.Fatal(err)
			}
			imClient, err := client.NewClient(config)
			if err != nil {
				t.Fatal(err)
			}
			deadline := time.Now().Add(patience)
			for err = imClient.Connect(); err != nil && time.Now().Before(deadline); err = imClient.Connect() {
				time.Sleep(20 * time.Millisecond) // Consul's catalog is a moment behind its agent
			}
			if err != nil {
				t.Fatal(err)
			}
			imClient.Disconnect()
		})
	}
}

// Both of the document's modes with Nacos, as programs of their own that find a node there.
func TestNacosExamples(t *testing.T) {
	t.Parallel()
	if raceDetector {
		t.Skip("the Nacos SDK has data races; make race runs this without the detector")
	}
	server := registries.StartNacos(t)
	nacos, err := discovery.NewNacosDiscovery([]string{server.Addr}, discovery.WithFolder(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	defer nacos.Close()
	err = nacos.Register(t.Context(), &discovery.ServiceInfo{Name: "im-service", Address: "127.0.0.1", Port: port(t)})
	if err != nil {
		t.Fatal(err)
	}
	for found := 0; found == 0; time.Sleep(20 * time.Millisecond) {
		list, err := nacos.Discover(t.Context(), "im-service")
		if err != nil {
			t.Fatal(err)
		}
		found = len(list)
	}
	host := connect(t, "host", "lobby")
	for program, says := range map[string]string{
		"own": "hello with connections of my own", "injected": "hello over a connection that I was given",
	} {
		t.Run(program, func(t *testing.T) {
			out := example(t, "./"+program, server.Addr, "user-"+program)
			if !strings.Contains(out, "connected") || !strings.Contains(out, "sent") {
				t.Errorf("it said %s", out)
			}
			host.await(says)
		})
	}
}

// example builds and runs one of the programs in docs/examples/im-nacos.
func example(t *testing.T, program, nacos, user string) string {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, filepath.Base(program))
	build := exec.Command("go", "build", "-o", file, program)
	build.Dir = filepath.Join("..", "..", "docs", "examples", "im-nacos")
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=readonly", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	run := exec.CommandContext(t.Context(), file, user)
	run.Dir = dir
	run.Env = append(os.Environ(), "NACOS="+nacos, "TMPDIR="+dir)
	out, err := run.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}
