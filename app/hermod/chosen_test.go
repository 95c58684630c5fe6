package hermod

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/game-im/hermod/plugin"
	"github.com/game-im/hermod/plugin/plugintest"
)

// shelf is somebody's registry, in memory.
type shelf struct {
	keys struct {
		Addrs string `json:"addrs"` // of the section registry
		Floor int    `json:"floor"` // of the entry in the list of plugins
	}
	mu        sync.Mutex
	instances map[string]plugin.Instance
}

func (*shelf) Name() string { return "shelf" }

func (s *shelf) Config() any { return &s.keys }

// OpenRegistry implements plugin.Registry.
func (s *shelf) OpenRegistry(plugin.RegistryUse) (plugin.RegistryConn, error) {
	return shelfConn{s}, nil
}

type shelfConn struct{ *shelf }

func (c shelfConn) Register(ctx context.Context, i plugin.Instance) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.instances == nil {
		c.instances = map[string]plugin.Instance{}
	}
	c.instances[i.ID()] = i
	return ctx.Err()
}

func (c shelfConn) Renew(ctx context.Context, i plugin.Instance) error {
	if there, _ := c.Listed(ctx, i); !there {
		return plugin.ErrMissing
	}
	return ctx.Err()
}

func (c shelfConn) Listed(_ context.Context, i plugin.Instance) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, there := c.instances[i.ID()]
	return there, nil
}

func (c shelfConn) Deregister(_ context.Context, i plugin.Instance) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.instances, i.ID())
	return nil
}

func (shelfConn) Close() error { return nil }

func (s *shelf) all() map[string]plugin.Instance {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]plugin.Instance{}
	for _, i := range s.instances {
		all[i.Name()] = i
	}
	return all
}

// TestARegistryOfOnesOwn: a node is known to it while it serves, with all that the configuration says, and it has
// the keys of the section that it has fields for, and those of its entry in the list.
func TestARegistryOfOnesOwn(t *testing.T) {
	t.Setenv("HERMOD_DATA_DIR", t.TempDir())
	s := &shelf{}
	plugintest.Registry(t, func(*testing.T) plugin.RegistryConn { return shelfConn{s} })
	p := startWith(t, []plugin.Plugin{s}, configured(t,
		"auth: {mode: trusted, service_token: sixteen-characters}",
		"registry: {type: shelf, addrs: 'upstairs:1', weight: 7, zone: attic, metadata: [{name: k, value: v}]}",
		"server: {stop: {notice: 0s, drain: 0s}}",
		"plugins: [{name: shelf, config: {floor: 3}}]")...)
	await(t, "four instances", func() bool { return len(s.all()) == 4 })
	i := s.all()["im-service.grpc"]
	if i.Addr() != p.addr || i.Weight != 7 || i.Version != Version || i.Metadata["zone"] != "attic" || i.Metadata["k"] != "v" {
		t.Errorf("got %+v", i)
	}
	if s.keys.Addrs != "upstairs:1" || s.keys.Floor != 3 {
		t.Errorf("keys %+v", s.keys)
	}
	await(t, "/readyz to say so", func() bool {
		_, body := p.get(t, "/readyz")
		return strings.Contains(body, "shelf: registered as im-service")
	})
	p.stop()
	if left := s.all(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
