package brokertest

import (
	"context"
	"errors"
	"sync"

	"github.com/game-im/hermod/internal/realtime/broker/cluster"
)

// Network is an engine within the process, for tests of what is above engines. It can be cut.
type Network struct {
	mu    sync.Mutex
	buses map[*networkBus]struct{}
	cut   bool
}

// NewNetwork returns a network that works.
func NewNetwork() *Network { return &Network{buses: make(map[*networkBus]struct{})} }

// Bus returns the bus of one more node.
func (n *Network) Bus() cluster.Bus {
	return &networkBus{network: n, follows: make(map[string]struct{})}
}

var errCut = errors.New("the network is cut")

// Cut has nothing come through until Heal.
func (n *Network) Cut() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut = true
	for b := range n.buses {
		b.sink.Disconnected(errCut)
	}
}

// Heal ends a Cut.
func (n *Network) Heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut = false
	for b := range n.buses {
		b.sink.Connected()
	}
}

// maxNetworkBytes is a limit as engines have them.
const maxNetworkBytes = 4 << 20

// networkBus is one node's. Its fields are under Network.mu.
type networkBus struct {
	network *Network
	sink    cluster.Sink
	follows map[string]struct{}
}

// Run implements cluster.Bus.
func (b *networkBus) Run(ctx context.Context, sink cluster.Sink) error {
	n := b.network
	n.mu.Lock()
	b.sink = sink
	n.buses[b] = struct{}{}
	if !n.cut {
		sink.Connected()
	}
	n.mu.Unlock()
	<-ctx.Done()
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.buses, b)
	return nil
}

// Follow implements cluster.Bus.
func (b *networkBus) Follow(_ context.Context, subjects []string) error {
	n := b.network
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range subjects {
		b.follows[s] = struct{}{}
	}
	if b.sink == nil || n.cut {
		return errCut
	}
	return nil
}

// Leave implements cluster.Bus.
func (b *networkBus) Leave(subjects []string) {
	n := b.network
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, s := range subjects {
		delete(b.follows, s)
	}
}

// Send implements cluster.Bus.
func (b *networkBus) Send(_ context.Context, batch []cluster.Message) error {
	n := b.network
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cut || b.sink == nil {
		return errCut
	}
	for _, m := range batch {
		others := 0
		for to := range n.buses {
			if _, follows := to.follows[m.Subject]; follows && to != b {
				to.sink.Receive(m.Subject, m.Data)
				others++
			}
		}
		if m.Ask != 0 {
			b.sink.Reached(m.Ask, others)
		}
	}
	return nil
}

// MaxBytes implements cluster.Bus.
func (b *networkBus) MaxBytes() int { return maxNetworkBytes }
