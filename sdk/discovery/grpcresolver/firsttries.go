package grpcresolver

import (
	"sync"

	"github.com/game-im/hermod/sdk/discovery"
	"google.golang.org/grpc/balancer"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/resolver"
)

// firstTries is a connection's view of gRPC that knows what became of the first attempt to reach
// each of the first instances. A choice by key waits for these attempts: otherwise whoever is
// connected first would get everything, and the calls of a program's first moments would all be in
// the wrong place. Instances that come later are chosen when they are connected.
type firstTries struct {
	balancer.ClientConn
	mu     sync.Mutex
	states map[string]firstTry // by address
}

type firstTry int

const (
	later     firstTry = iota // no attempt to wait for
	trying                    // it has neither been reached nor failed
	connected                 // it was reached: a picker that does not know is about to be replaced
	failed
)

func (c *firstTries) expect(instances map[string]*discovery.ServiceInfo) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.states = make(map[string]firstTry, len(instances))
	for address := range instances {
		c.states[address] = trying
	}
}

// NewSubConn makes a connection to an address and watches it. What it sees is known before the
// base balancer hears of it and lets waiting calls choose again.
func (c *firstTries) NewSubConn(addresses []resolver.Address, options balancer.NewSubConnOptions) (balancer.SubConn, error) {
	report := options.StateListener
	options.StateListener = func(s balancer.SubConnState) {
		for _, a := range addresses {
			c.observe(a.Addr, s.ConnectivityState)
		}
		report(s)
	}
	return c.ClientConn.NewSubConn(addresses, options) //nolint:staticcheck // base passes one address, as is required
}

func (c *firstTries) observe(address string, state connectivity.State) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.states[address] != trying {
		return
	}
	switch state {
	case connectivity.Ready:
		c.states[address] = connected
	case connectivity.TransientFailure, connectivity.Shutdown:
		c.states[address] = failed
	}
}

func (c *firstTries) of(address string) firstTry {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.states[address]
}
