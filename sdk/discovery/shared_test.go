package discovery_test

import (
	"context"
	"sync"
	"testing"

	"github.com/game-im/hermod/sdk/discovery"
)

// sharedRegistry is one memory with several clients, each of which takes with it what it
// registered.
type sharedRegistry struct {
	once  sync.Once
	store *discovery.StaticDiscovery
}

func (r *sharedRegistry) open(t *testing.T) discovery.ServiceDiscovery {
	r.once.Do(func() {
		var err error
		if r.store, err = discovery.NewStaticDiscovery(); err != nil {
			t.Fatal(err)
		}
	})
	own, err := discovery.NewStaticDiscovery()
	if err != nil {
		t.Fatal(err)
	}
	c := &sharedClient{StaticDiscovery: own, store: r.store, mine: map[string]bool{}}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c
}

// A sharedClient answers from the common store; its own discovery only knows whether it is closed.
type sharedClient struct {
	*discovery.StaticDiscovery
	store  *discovery.StaticDiscovery
	ctx    context.Context // ends with Close
	cancel context.CancelFunc

	mu   sync.Mutex
	mine map[string]bool
}

func (c *sharedClient) Register(ctx context.Context, s *discovery.ServiceInfo) error {
	if err := c.StaticDiscovery.Register(ctx, s); err != nil {
		return err
	}
	c.mu.Lock()
	c.mine[s.Key()] = true
	c.mu.Unlock()
	return c.store.Register(ctx, s)
}

func (c *sharedClient) Deregister(ctx context.Context, id string) error {
	if err := c.StaticDiscovery.Deregister(ctx, id); err != nil {
		return err
	}
	return c.store.Deregister(ctx, id)
}

func (c *sharedClient) Discover(ctx context.Context, name string) ([]*discovery.ServiceInfo, error) {
	if _, err := c.StaticDiscovery.Discover(ctx, name); err != nil {
		return nil, err
	}
	return c.store.Discover(ctx, name)
}

func (c *sharedClient) Watch(ctx context.Context, name string) (<-chan []*discovery.ServiceInfo, error) {
	if _, err := c.StaticDiscovery.Discover(ctx, name); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	context.AfterFunc(c.ctx, cancel)
	return c.store.Watch(ctx, name)
}

func (c *sharedClient) Close() error {
	c.cancel()
	c.mu.Lock()
	defer c.mu.Unlock()
	for id := range c.mine {
		if err := c.store.Deregister(context.Background(), id); err != nil {
			return err
		}
	}
	return c.StaticDiscovery.Close()
}
