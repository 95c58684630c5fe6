package remote

import (
	"context"
	"crypto/tls"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

// Address is where a plugin is that somebody else runs.
type Address struct {
	Address string // host:port
	Secure  bool   // speaks TLS, by what the registry says
}

// service is a home that somebody else keeps, at one of some addresses.
type service struct {
	fixed []Address
	names []string    // to look for in the registry
	tls   *tls.Config // nil: without, but where the registry says otherwise

	mu      sync.Mutex
	found   map[string][]Address
	changed chan struct{} // closed when found changes
	turn    atomic.Uint32
}

func newService(addrs, names []string, secured *tls.Config) *service {
	s := &service{names: names, tls: secured, found: map[string][]Address{}, changed: make(chan struct{})}
	for _, a := range addrs {
		s.fixed = append(s.fixed, Address{Address: a})
	}
	return s
}

func (*service) patient() bool { return true }

// tell notes what there is under a name.
func (s *service) tell(name string, at []Address) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.found[name] = slices.Clone(at)
	close(s.changed)
	s.changed = make(chan struct{})
}

// all returns the addresses that there are, and what is closed when that changes.
func (s *service) all() ([]Address, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := slices.Clone(s.fixed)
	for _, name := range s.names {
		all = append(all, s.found[name]...)
	}
	return all, s.changed
}

// next returns an address, each in its turn, and waits until there is one.
func (s *service) next(ctx context.Context) (Address, error) {
	for {
		all, changed := s.all()
		if len(all) > 0 {
			return all[int(s.turn.Add(1))%len(all)], nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return Address{}, fmt.Errorf("the registry has no instance of %v", s.names)
		}
	}
}

// open implements home. A residence is over when the registry has others and no longer its address.
func (s *service) open(ctx context.Context) (*residence, error) {
	at, err := s.next(ctx)
	if err != nil {
		return nil, err
	}
	creds := insecure.NewCredentials()
	switch {
	case s.tls != nil:
		creds = credentials.NewTLS(s.tls)
	case at.Secure:
		creds = credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12})
	}
	ctx, cancel := context.WithCancel(ctx)
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		if s.gone(ctx, at) {
			close(over)
		}
	}()
	return &residence{target: "passthrough:///" + at.Address, creds: creds, over: over, close: func() string {
		cancel()
		<-ended
		return fmt.Sprintf(" (at %s)", at.Address)
	}}, nil
}

// gone waits until an address is listed no more while others are, and returns false if ctx ends before. An empty list, as that of a
// registry that has lost everything, is no reason to leave who answers.
func (s *service) gone(ctx context.Context, at Address) bool {
	for {
		all, changed := s.all()
		if len(all) > 0 && !slices.Contains(all, at) {
			return true
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return false
		}
	}
}
