package grpcresolver

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/game-im/hermod/sdk/discovery"
	"google.golang.org/grpc"
	"google.golang.org/grpc/attributes"
	"google.golang.org/grpc/resolver"
)

// Scheme is the scheme of targets: hermod:///name-of-the-service.
const Scheme = "hermod"

const (
	firstRetry     = time.Second // of a watch that failed; then twice as long each time
	maxRetry       = 30 * time.Second
	resolveTimeout = 10 * time.Second
	// gRPC asks for a new resolution whenever a connection fails. The watch knows already; what
	// is left are watches that hang.
	minResolveInterval = 5 * time.Second
)

// DialOptions are the options of a connection that finds its service by d and chooses by policy,
// which is RoundRobin, Random, WeightedRoundRobin, ConsistentHash or one that was registered. d must
// remain open as long as the connection.
func DialOptions(d discovery.ServiceDiscovery, policy string) []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithResolvers(NewBuilder(d)),
		grpc.WithDefaultServiceConfig(ServiceConfig(policy)),
	}
}

// Builder builds the resolvers of connections. It is a resolver.Builder.
type Builder struct {
	discovery discovery.ServiceDiscovery
}

// NewBuilder returns a builder of resolvers that ask d.
func NewBuilder(d discovery.ServiceDiscovery) *Builder { return &Builder{discovery: d} }

// Scheme returns Scheme.
func (*Builder) Scheme() string { return Scheme }

// Build starts to resolve the service that the target names. Resolving goes on in a goroutine that
// ends with the resolver's Close.
func (b *Builder) Build(target resolver.Target, conn resolver.ClientConn, _ resolver.BuildOptions) (resolver.Resolver, error) {
	service := strings.TrimPrefix(target.Endpoint(), "/")
	if service == "" || target.URL.Host != "" {
		return nil, fmt.Errorf("grpcresolver: target %s: want %s:///name-of-the-service", &target.URL, Scheme)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &watcher{
		discovery: b.discovery, service: service, conn: conn,
		again: make(chan struct{}, 1), cancel: cancel, ended: make(chan struct{}),
	}
	go r.run(ctx)
	return r, nil
}

// A watcher resolves one service for one connection.
type watcher struct {
	discovery discovery.ServiceDiscovery
	service   string
	conn      resolver.ClientConn
	again     chan struct{} // ResolveNow was called
	cancel    context.CancelFunc
	ended     chan struct{}
}

// ResolveNow asks the discovery, unless it was asked in the last few seconds.
func (w *watcher) ResolveNow(resolver.ResolveNowOptions) {
	select {
	case w.again <- struct{}{}:
	default:
	}
}

// Close ends the resolver and waits for it.
func (w *watcher) Close() {
	w.cancel()
	<-w.ended
}

// run watches, and watches again when that fails, until ctx ends or the discovery is closed. What
// is known stays in use meanwhile: gRPC drops an error while it has addresses.
func (w *watcher) run(ctx context.Context) {
	defer close(w.ended)
	retry := firstRetry
	for {
		lists, err := w.discovery.Watch(ctx, w.service)
		if err == nil {
			if w.follow(ctx, lists) {
				retry = firstRetry
			}
			err = errors.New("the watch ended")
		}
		if ctx.Err() != nil {
			return
		}
		w.conn.ReportError(fmt.Errorf("grpcresolver: watch %s: %w", w.service, err))
		if errors.Is(err, discovery.ErrClosed) {
			return
		}
		select {
		case <-time.After(retry/2 + rand.N(retry/2)):
			retry = min(2*retry, maxRetry)
		case <-ctx.Done():
			return
		}
	}
}

// follow passes on what a watch sends until that ends, and tells whether there was anything.
func (w *watcher) follow(ctx context.Context, lists <-chan []*discovery.ServiceInfo) (anything bool) {
	var asked time.Time
	for {
		select {
		case list, open := <-lists:
			if !open {
				return anything
			}
			anything = true
			w.update(list)
		case <-w.again:
			if time.Since(asked) >= minResolveInterval {
				asked = time.Now()
				w.resolve(ctx)
			}
		case <-ctx.Done():
			return anything
		}
	}
}

func (w *watcher) resolve(ctx context.Context) {
	bounded, cancel := context.WithTimeout(ctx, resolveTimeout)
	defer cancel()
	list, err := w.discovery.Discover(bounded, w.service)
	switch {
	case ctx.Err() != nil:
	case err != nil:
		w.conn.ReportError(fmt.Errorf("grpcresolver: discover %s: %w", w.service, err))
	default:
		w.update(list)
	}
}

// update passes a list on. An empty one, as that of a registry that has lost everything, leaves gRPC what it has, as sdk/client and
// Kratos do: who is really gone answers no call, and then the reason is what calls see.
func (w *watcher) update(list []*discovery.ServiceInfo) {
	state := stateOf(list)
	if len(state.Addresses) == 0 {
		w.conn.ReportError(fmt.Errorf("grpcresolver: there is no instance of %s", w.service))
		return
	}
	_ = w.conn.UpdateState(state) // an error is for resolvers that poll, which would try again then
}

// stateOf describes instances to gRPC. Two at the same address are one.
func stateOf(list []*discovery.ServiceInfo) resolver.State {
	var state resolver.State
	known := make(map[string]bool, len(list))
	for _, s := range list {
		if s == nil || known[s.Target()] {
			continue
		}
		known[s.Target()] = true
		address := resolver.Address{Addr: s.Target()}
		state.Addresses = append(state.Addresses, address)
		state.Endpoints = append(state.Endpoints, resolver.Endpoint{
			Addresses:  []resolver.Address{address},
			Attributes: attributes.New(instanceKey{}, s),
		})
	}
	return state
}

type instanceKey struct{}

// Instance returns the instance that a Builder's resolver found at this endpoint, with its ID,
// metadata and health, or nil if the endpoint is from another resolver. It is for those who write
// a balancer of their own; the instance must not be changed.
func Instance(endpoint resolver.Endpoint) *discovery.ServiceInfo {
	s, _ := endpoint.Attributes.Value(instanceKey{}).(*discovery.ServiceInfo)
	return s
}
