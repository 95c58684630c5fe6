package discoverytest

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/game-im/hermod/sdk/discovery"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
)

// Opener returns a new client of one and the same registry. The tests close it.
type Opener func(t *testing.T) discovery.ServiceDiscovery

// Registry is what Discovery tests.
type Registry struct {
	// Open is called at least once by every test.
	Open Opener
	// Shared says that what one client registers is seen by another.
	Shared bool
	// Within is how long a change may take to be seen. Default 30 s; only failing tests wait
	// that long.
	Within time.Duration
}

const (
	defaultWithin = 30 * time.Second
	pollInterval  = 10 * time.Millisecond
)

// A bench is one test's client of the registry and a service of its own.
type bench struct {
	discovery.ServiceDiscovery
	t        *testing.T
	registry Registry
	service  string
	ctx      context.Context // bounds every call
}

func (r Registry) bench(t *testing.T) *bench {
	t.Helper()
	if r.Within == 0 {
		r.Within = defaultWithin
	}
	b := &bench{t: t, registry: r, service: "test-" + strings.ToLower(rand.Text()[:12])}
	var cancel context.CancelFunc
	b.ctx, cancel = context.WithTimeout(t.Context(), 4*r.Within)
	t.Cleanup(cancel)
	b.ServiceDiscovery = b.open()
	return b
}

// open returns a further client of the registry.
func (b *bench) open() discovery.ServiceDiscovery {
	b.t.Helper()
	d := b.registry.Open(b.t)
	b.t.Cleanup(func() {
		if err := d.Close(); err != nil {
			b.t.Errorf("Close: %v", err)
		}
	})
	return d
}

// instance returns an instance of the service, with the ID `service-suffix`. Something answers
// health checks at its address, for registries that ask.
func (b *bench) instance(suffix string) *discovery.ServiceInfo {
	b.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.t.Fatal(err)
	}
	server := grpc.NewServer()
	healthv1.RegisterHealthServer(server, health.NewServer())
	served := make(chan struct{})
	go func() {
		defer close(served)
		if err := server.Serve(listener); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
			b.t.Errorf("Serve: %v", err)
		}
	}()
	b.t.Cleanup(func() {
		server.Stop()
		<-served
	})
	return &discovery.ServiceInfo{
		ID: b.id(suffix), Name: b.service,
		Address: "127.0.0.1", Port: listener.Addr().(*net.TCPAddr).Port,
		Tags:     []string{"grpc", "test"},
		Metadata: map[string]string{discovery.MetadataWeight: "3", "zone": suffix},
	}
}

func (b *bench) id(suffix string) string { return b.service + "-" + suffix }

func (b *bench) register(services ...*discovery.ServiceInfo) {
	b.t.Helper()
	for _, s := range services {
		if err := b.Register(b.ctx, s); err != nil {
			b.t.Fatalf("Register %s: %v", s.ID, err)
		}
	}
}

func (b *bench) deregister(suffix string) {
	b.t.Helper()
	if err := b.Deregister(b.ctx, b.id(suffix)); err != nil {
		b.t.Fatalf("Deregister %s: %v", suffix, err)
	}
}

func (b *bench) watch(ctx context.Context) <-chan []*discovery.ServiceInfo {
	b.t.Helper()
	lists, err := b.Watch(ctx, b.service)
	if err != nil {
		b.t.Fatalf("Watch: %v", err)
	}
	return lists
}

// discovers waits until the service consists of exactly the instances named.
func (b *bench) discovers(suffixes ...string) []*discovery.ServiceInfo {
	b.t.Helper()
	return b.discoversBy(b, suffixes...)
}

func (b *bench) discoversBy(d discovery.ServiceDiscovery, suffixes ...string) []*discovery.ServiceInfo {
	b.t.Helper()
	return b.discoversThat(d, "consists of "+strings.Join(suffixes, ", "), b.consistsOf(suffixes...))
}

// discoversThat waits until the list of instances is as wanted.
func (b *bench) discoversThat(d discovery.ServiceDiscovery, what string, wanted func([]*discovery.ServiceInfo) bool) []*discovery.ServiceInfo {
	b.t.Helper()
	deadline := time.Now().Add(b.registry.Within)
	for {
		found, err := d.Discover(b.ctx, b.service)
		if err != nil {
			b.t.Fatalf("Discover: %v", err)
		}
		if wanted(found) {
			return found
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("after %v the service has %v, want one that %s", b.registry.Within, b.suffixes(found), what)
		}
		time.Sleep(pollInterval)
	}
}

// receives reads lists until one consists of exactly the instances named, and returns all that it
// read.
func (b *bench) receives(lists <-chan []*discovery.ServiceInfo, suffixes ...string) [][]*discovery.ServiceInfo {
	b.t.Helper()
	return b.receivesThat(lists, "consists of "+strings.Join(suffixes, ", "), b.consistsOf(suffixes...))
}

func (b *bench) receivesThat(lists <-chan []*discovery.ServiceInfo, what string, wanted func([]*discovery.ServiceInfo) bool) [][]*discovery.ServiceInfo {
	b.t.Helper()
	late := time.After(b.registry.Within)
	var all [][]*discovery.ServiceInfo
	for {
		select {
		case list, open := <-lists:
			if !open {
				b.t.Fatalf("the watch ended, want a list that %s", what)
			}
			if all = append(all, list); wanted(list) {
				return all
			}
		case <-late:
			b.t.Fatalf("within %v the watch sent %d lists, none of which %s", b.registry.Within, len(all), what)
		}
	}
}

// ends reads until the channel is closed.
func (b *bench) ends(lists <-chan []*discovery.ServiceInfo) {
	b.t.Helper()
	late := time.After(b.registry.Within)
	for {
		select {
		case _, open := <-lists:
			if !open {
				return
			}
		case <-late:
			b.t.Fatalf("the watch has not ended within %v", b.registry.Within)
		}
	}
}

func (b *bench) consistsOf(suffixes ...string) func([]*discovery.ServiceInfo) bool {
	want := slices.Sorted(slices.Values(suffixes))
	return func(list []*discovery.ServiceInfo) bool { return slices.Equal(b.suffixes(list), want) }
}

// suffixes names instances, sorted.
func (b *bench) suffixes(list []*discovery.ServiceInfo) []string {
	var names []string
	for _, s := range list {
		names = append(names, strings.TrimPrefix(s.ID, b.service+"-"))
	}
	slices.Sort(names)
	return names
}
