package broker

import (
	"context"
	"slices"
	"sync"

	"github.com/game-im/hermod/internal/realtime/frame"
)

// Memory is the broker of a node that is alone. Publications are handed over by reference, in the
// goroutine that publishes them: none is lost, and they keep the order in which they were published.
type Memory struct {
	handlers Handlers
	mu       sync.RWMutex
	channels map[string]struct{}
}

// NewMemory returns a broker for one node.
func NewMemory() *Memory { return &Memory{channels: make(map[string]struct{})} }

// Attach implements Broker.
func (m *Memory) Attach(h Handlers) { m.handlers = h }

// Run implements Broker.
func (m *Memory) Run(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// Subscribe implements Broker.
func (m *Memory) Subscribe(_ context.Context, channel string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.channels[channel] = struct{}{}
	return nil
}

// Unsubscribe implements Broker.
func (m *Memory) Unsubscribe(_ context.Context, channel string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.channels, channel)
	return nil
}

// Publish implements Broker.
func (m *Memory) Publish(_ context.Context, p *frame.Publication) error {
	if p.Origin != "" || m.subscribed(p.Channel) {
		m.handlers.Publication(p)
	}
	return nil
}

// PublishAll implements Gatherer.
func (m *Memory) PublishAll(_ context.Context, ps []*frame.Publication) error {
	if m.subscribed(ps[0].Channel) || slices.ContainsFunc(ps, func(p *frame.Publication) bool { return p.Origin != "" }) {
		m.handlers.Take(ps)
	}
	return nil
}

func (m *Memory) subscribed(channel string) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	_, ok := m.channels[channel]
	return ok
}

// Ask implements Asker: there is nobody else.
func (m *Memory) Ask(context.Context, string, []byte, func(Answer) bool) error { return ErrNobody }

// Tell implements Asker.
func (m *Memory) Tell(string, []byte) error { return nil }

// Self implements Directory.
func (m *Memory) Self() string { return "" }

// Members implements Directory.
func (m *Memory) Members() []Member { return nil }
