package e2e

import (
	"sync"
	"testing"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/client"
	"github.com/game-im/hermod/sdk/discovery"
	"github.com/game-im/hermod/test/registries"
)

// TestFoundBySDK: a client that knows a registry and a name finds the nodes that registered
// themselves there. It leaves one that drains without an error, and comes back from one that died.
func TestFoundBySDK(t *testing.T) {
	t.Parallel()
	// A registry takes a moment to tell of a change: a node that drains waits for that.
	const notice = "server: {stop: {notice: 3s}}\n"
	eachRegistry(t, func(t *testing.T, kind string, s *registries.Server) {
		a := Start(t, notice+registered(kind, s))
		d := registryKinds[kind].discover(t, s)
		awaitListed(t, d, "im-service.grpc", patience, a.IM)
		c, troubles := followingClient(t, sdkDiscovery(t, kind, s))
		sends(t, c)

		b := Start(t, notice+registered(kind, s))
		awaitListed(t, d, "im-service.grpc", patience, a.IM, b.IM)
		a.Stop()
		eventually(t, "the client is on the other node", func() bool {
			return c.IsConnected() && b.Metric("hermod_sessions", `state="active"`) == 1
		})
		sends(t, c)
		if errs := troubles(); len(errs) > 0 {
			t.Errorf("a node drained, and the client was told of %v", errs)
		}

		a.Boot()
		awaitListed(t, d, "im-service.grpc", patience, a.IM, b.IM)
		b.Kill()
		eventually(t, "the client is back on the first node", func() bool {
			return c.IsConnected() && a.Metric("hermod_sessions", `state="active"`) == 1
		})
		sends(t, c)
	})
}

// sdkDiscovery finds what nodes register with their defaults.
func sdkDiscovery(t *testing.T, kind string, s *registries.Server) discovery.ServiceDiscovery {
	t.Helper()
	var (
		d   discovery.ServiceDiscovery
		err error
	)
	switch kind {
	case "nacos":
		d, err = discovery.NewNacosDiscovery([]string{s.Addr}, discovery.WithFolder(t.TempDir()))
	case "etcd":
		d, err = discovery.NewEtcdDiscovery([]string{s.Addr}, "")
	case "consul":
		d, err = discovery.NewConsulDiscovery(s.Addr)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// followingClient connects a client that finds its nodes by d; troubles is what OnError was told.
func followingClient(t *testing.T, d discovery.ServiceDiscovery) (c *client.Client, troubles func() []error) {
	t.Helper()
	var (
		mu   sync.Mutex
		errs []error
	)
	c, err := client.NewClient(&client.Config{
		UserID: "alice", DefaultRoomID: "room", Discovery: d, MaxRetries: -1,
		RetryInterval: 200 * time.Millisecond, MoveWithin: 200 * time.Millisecond,
		OnError: func(err error) {
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, err)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	// What the registry of another kind lists already may not have reached this one.
	eventually(t, "the client is connected", func() bool { return c.Connect() == nil })
	t.Cleanup(func() {
		if err := c.Disconnect(); err != nil {
			t.Error(err)
		}
	})
	return c, func() []error {
		mu.Lock()
		defer mu.Unlock()
		return append([]error(nil), errs...)
	}
}

// sends has the client send a message and waits until it is acknowledged.
func sends(t *testing.T, c *client.Client) {
	t.Helper()
	if _, err := c.Send(within(t), &imv1.MessageRequest{Type: text, Content: []byte("here")}); err != nil {
		t.Error(err)
	}
}
