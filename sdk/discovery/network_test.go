package discovery_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/game-im/hermod/sdk/discovery"
	"github.com/game-im/hermod/test/registries"
)

// Registries are reached through TLS, by a tls.Config and by files; without them they are not.
func TestTLS(t *testing.T) {
	t.Parallel()
	certs := httptest.NewTLSServer(nil)
	defer certs.Close()
	pool := x509.NewCertPool()
	pool.AddCert(certs.Certificate())
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certs.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, k := range kinds {
		t.Run(name, func(t *testing.T) {
			withoutRaces(t, name)
			server := k.start(t)
			addr := terminateTLS(t, server, certs.TLS.Certificates[0])
			ways := map[string]discovery.Option{"files": discovery.WithTLSFiles(discovery.TLSFiles{CA: ca})}
			if name != "nacos" {
				ways["config"] = discovery.WithTLS(&tls.Config{RootCAs: pool})
			}
			for way, option := range ways {
				d, err := k.open(t, addr, option)
				if err != nil {
					t.Fatalf("%s: %v", way, err)
				}
				t.Cleanup(func() { d.Close() })
				lists := watch(t, d)
				register(t, d, "a")
				awaitIDs(t, lists, "a")
				deregister(t, d, "a")
			}
			plain, err := k.open(t, addr)
			if err != nil {
				return // as it may
			}
			defer plain.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			if _, err := plain.Discover(ctx, service); err == nil {
				t.Error("it was found without TLS")
			}
		})
	}
}

// terminateTLS returns an address at which TLS is spoken with a registry that speaks none; also 1000
// ports above, as Nacos has it.
func terminateTLS(t *testing.T, s *registries.Server, cert tls.Certificate) string {
	t.Helper()
	config := &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2", "http/1.1"}}
	host, text, err := net.SplitHostPort(s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	at := func(port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }
	for own := 10_000; own < 30_000; own += 7 {
		first, err := tls.Listen("tcp", at(own), config)
		if err != nil {
			continue
		}
		second, err := tls.Listen("tcp", at(own+1000), config)
		if err != nil {
			first.Close()
			continue
		}
		relay(t, first, at(port))
		relay(t, second, at(port+1000))
		return at(own)
	}
	t.Fatal("no ports")
	return ""
}

// relay passes what arrives on to another address until the test ends.
func relay(t *testing.T, from net.Listener, to string) {
	var mu sync.Mutex
	var open []net.Conn
	var running sync.WaitGroup
	t.Cleanup(func() {
		from.Close()
		mu.Lock()
		for _, c := range open {
			c.Close()
		}
		mu.Unlock()
		running.Wait()
	})
	running.Go(func() {
		for {
			in, err := from.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				in.Close()
				continue
			}
			mu.Lock()
			open = append(open, in, out)
			mu.Unlock()
			for _, pair := range [][2]net.Conn{{in, out}, {out, in}} {
				running.Go(func() {
					_, _ = io.Copy(pair[0], pair[1]) // it ends when either does
					pair[0].Close()
					pair[1].Close()
				})
			}
		}
	})
}

// Calls do not wait longer than their contexts, also for a registry that takes connections and
// answers nothing.
func TestContextsEndCalls(t *testing.T) {
	t.Parallel()
	for name, k := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			withoutRaces(t, name)
			server := k.start(t)
			d := open(t, k, server.Addr)
			register(t, d, "a")
			server.Freeze()
			defer server.Thaw()
			for call, do := range map[string]func(context.Context) error{
				"Register":   func(ctx context.Context) error { return d.Register(ctx, instance("b")) },
				"Deregister": func(ctx context.Context) error { return d.Deregister(ctx, "a") },
				"Discover": func(ctx context.Context) error {
					_, err := d.Discover(ctx, "another-service")
					return err
				},
			} {
				ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
				began := time.Now()
				err := do(ctx)
				cancel()
				if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took > 3*time.Second {
					t.Errorf("%s: %v after %v, want that of the context after 300 ms", call, err, took)
				}
			}
		})
	}
}

// registrant tells a process of this test what to register, where: it then waits to be killed.
const registrant = "HERMOD_TEST_REGISTRANT"

func init() {
	kind := os.Getenv(registrant)
	if kind == "" {
		return
	}
	addr, folder := os.Args[1], os.Args[2]
	var d discovery.ServiceDiscovery
	var err error
	switch kind {
	case "consul":
		d, err = discovery.NewConsulDiscovery(addr, discovery.WithHealthCheck(discovery.HealthCheck{Interval: time.Second}))
	case "etcd":
		d, err = discovery.NewEtcdDiscovery([]string{addr}, "", discovery.WithLease(3*time.Second))
	case "nacos":
		d, err = discovery.NewNacosDiscovery([]string{addr}, discovery.WithFolder(folder))
	}
	if err == nil {
		err = d.Register(context.Background(), instance("victim"))
	}
	if err != nil {
		panic(err)
	}
	select {}
}

// A program that is killed is not chosen any more after its lease, its connection or its health check
// has ended.
func TestKilledProgramIsNotFound(t *testing.T) {
	t.Parallel()
	for name, k := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			withoutRaces(t, name)
			server := k.start(t)
			lists := watch(t, open(t, k, server.Addr))
			program := exec.Command(os.Args[0], server.Addr, t.TempDir())
			program.Env = append(os.Environ(), registrant+"="+name)
			program.Stderr = os.Stderr
			if err := program.Start(); err != nil {
				t.Fatal(err)
			}
			usable := func(want bool) {
				t.Helper()
				for late := time.After(within); ; {
					select {
					case list := <-lists:
						if len(list) == 1 && list[0].Usable() == want || len(list) == 0 && !want {
							return
						}
					case <-late:
						t.Fatalf("it has not become usable: %v", want)
					}
				}
			}
			usable(true)
			if err := program.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = program.Wait() // it was killed
			began := time.Now()
			usable(false)
			t.Logf("gone after %v", time.Since(began).Round(time.Millisecond))
		})
	}
}

// What is registered in one namespace, or below one prefix, is not found in another.
func TestNacosNamespaces(t *testing.T) {
	t.Parallel()
	withoutRaces(t, "nacos")
	k := kinds["nacos"]
	server := k.start(t)
	var lists []<-chan []*discovery.ServiceInfo
	var all []discovery.ServiceDiscovery
	for _, namespace := range []string{"blue", "green"} {
		d, err := k.open(t, server.Addr, discovery.WithNamespace(namespace))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { d.Close() })
		all, lists = append(all, d), append(lists, watch(t, d))
	}
	register(t, all[0], "a")
	register(t, all[1], "b")
	awaitIDs(t, lists[0], "a")
	awaitIDs(t, lists[1], "b")
}
