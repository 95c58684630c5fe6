package upstream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
)

const (
	defaultLease = 30 * time.Second
	minLease     = 5 * time.Second // gateways give no shorter one
	// registerTimeout bounds one call to a gateway.
	registerTimeout = 3 * time.Second
	// stopTimeout bounds Stop, whatever its context says.
	stopTimeout = 2 * registerTimeout
)

// Registration is what gateways are told of a service.
type Registration struct {
	// Address is host:port of the service's gRPC server, as gateways reach it. Required.
	Address string
	// Name is what rules of a gateway's configuration call the service. A service without a Zone must
	// have one.
	Name string
	// Zone is the zone whose clients the service answers, such as 001. Empty: those of all zones.
	Zone string
	// Lease is how long a gateway believes the service to be there when it hears nothing more of it. In
	// seconds, from 5 s; 0: 30 s. The gateway may give another one. It is renewed three times as often.
	Lease time.Duration
	// OnChange is called when a gateway has taken the registration, with a nil error, and when it refuses
	// it or cannot be reached, with the reason: once, and again when that is another one. It may be nil;
	// calls come one at a time, and must not wait for Stop.
	OnChange func(gateway string, err error)
	// Log gets the same. nil: slog.Default().
	Log *slog.Logger
}

func (r *Registration) validate() error {
	host, port, err := net.SplitHostPort(r.Address)
	number, bad := strconv.Atoi(port)
	switch {
	case err != nil || bad != nil || number < 1 || number > 65535:
		return fmt.Errorf("upstream: Registration.Address %q is not an address; host:port is required", r.Address)
	case host == "" || net.ParseIP(host).IsUnspecified():
		return fmt.Errorf("upstream: Registration.Address %q is none that a gateway can reach; the host must be a name or the IP address of an interface", r.Address)
	case r.Name == "" && r.Zone == "":
		return errors.New("upstream: Registration has neither Name nor Zone; one of them is required")
	case r.Lease != 0 && (r.Lease < minLease || r.Lease%time.Second != 0):
		return fmt.Errorf("upstream: Registration.Lease %v is not possible; whole seconds from %v are allowed, or 0 for %v", r.Lease, minLease, defaultLease)
	}
	return nil
}

// Registrar keeps a service known to gateways: it renews the lease, registers again at a gateway that
// was restarted or was away, follows those that come and go, and at the end has all of them forget the
// service. Start and Stop are hooks of a Kratos application, AfterStart and BeforeStop, or called by hand.
type Registrar struct {
	what     Registration
	gateways Gateways
	cfg      config

	stop     sync.Once
	stopping chan struct{} // closed by Stop
	cut      func()        // ends what does not end by itself; nil before Start
	done     sync.WaitGroup

	mu      sync.Mutex
	keepers map[string]*keeper // by address

	telling sync.Mutex // held during OnChange
}

// NewRegistrar returns a registrar that has done nothing yet. It takes the options of a UnicastClient, such
// as WithTLS and WithToken; WithTimeout means nothing to it.
func NewRegistrar(g Gateways, what Registration, opts ...Option) (*Registrar, error) {
	if err := what.validate(); err != nil {
		return nil, err
	}
	if what.Lease == 0 {
		what.Lease = defaultLease
	}
	if what.Log == nil {
		what.Log = slog.Default()
	}
	r := &Registrar{what: what, gateways: g, stopping: make(chan struct{}), keepers: map[string]*keeper{}}
	// Before the caller's own, which win.
	r.cfg.dial = []grpc.DialOption{grpc.WithConnectParams(grpc.ConnectParams{
		Backoff:           backoff.Config{BaseDelay: firstBackoff, Multiplier: 1.6, Jitter: 0.2, MaxDelay: lastBackoff},
		MinConnectTimeout: registerTimeout,
	})}
	for _, o := range opts {
		o(&r.cfg)
	}
	return r, nil
}

// Start begins to register and returns at once: that a gateway is down is no error. The service must be
// ready to be called. The end of ctx does not end it. It is called once, and before Stop.
func (r *Registrar) Start(ctx context.Context) error {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r.cut = cancel
	lists, err := r.gateways(ctx)
	if err != nil {
		r.cut()
		return fmt.Errorf("upstream: gateways: %w", err)
	}
	r.done.Go(func() {
		for {
			select {
			case addrs, ok := <-lists:
				if !ok {
					lists = nil // those that are known stay
					continue
				}
				r.follow(ctx, addrs)
			case <-r.stopping:
				return
			}
		}
	})
	return nil
}

// Stop has the gateways forget the service and returns when they have, or when ctx ends or 6 s are over.
// Requests that are on their way still come: the server is stopped after this, and gracefully. It never
// fails, or else a service could not stop cleanly while a gateway is away: one that could not be told is
// logged, and forgets the service when its lease is over.
func (r *Registrar) Stop(ctx context.Context) error {
	if r.cut == nil {
		return nil // never started
	}
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	defer context.AfterFunc(ctx, r.cut)()
	r.stop.Do(func() { close(r.stopping) })
	r.done.Wait()
	r.cut()
	return nil
}

// Registered lists the gateways that know the service now, in order of their addresses.
func (r *Registrar) Registered() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var known []string
	for addr, k := range r.keepers {
		if k.registered {
			known = append(known, addr)
		}
	}
	slices.Sort(known)
	return known
}

// follow has a keeper for each address. One whose gateway is listed no more goes on until its gateway is
// gone: a gateway leaves its registry before it sends its sessions away, and a registry that has
// lost its memory is no reason to leave gateways.
func (r *Registrar) follow(ctx context.Context, addrs []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for addr, k := range r.keepers {
		k.listed = slices.Contains(addrs, addr)
	}
	for _, addr := range addrs {
		if r.keepers[addr] != nil {
			continue
		}
		conn, err := grpc.NewClient(addr, r.cfg.dialOptions()...)
		if err != nil {
			r.what.Log.Error("a gateway has an impossible address", "gateway", addr, "error", err)
			continue
		}
		k := &keeper{r: r, gateway: addr, conn: conn, listed: true}
		r.keepers[addr] = k
		r.done.Go(func() { k.run(ctx) })
	}
}

// left removes a keeper, if it may end: its gateway is gone and not listed.
func (r *Registrar) left(k *keeper) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if k.listed {
		return false
	}
	delete(r.keepers, k.gateway)
	return true
}
