package discovery_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/game-im/hermod/sdk/discovery"
)

// within is how long anything may take to be seen after an outage: the longest pause between two
// looks, and the time to notice that the registry is back.
const within = 30 * time.Second

// A registry that restarts, loses everything or hangs ends no watch, and has afterwards what it had
// before.
func TestOutages(t *testing.T) {
	t.Parallel()
	for name, k := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			withoutRaces(t, name)
			server := k.start(t)
			mine, others := open(t, k, server.Addr), open(t, k, server.Addr)
			register(t, mine, "a")
			lists := watch(t, others)
			awaitIDs(t, lists, "a")

			server.Stop()
			server.Start()
			register(t, mine, "b") // it may take a moment until it can
			awaitIDs(t, lists, "a", "b")

			server.RestartEmpty()
			awaitIDs(t, watch(t, open(t, k, server.Addr)), "a", "b") // one that had not seen them before
			register(t, mine, "c")
			awaitIDs(t, lists, "a", "b", "c")

			server.Kill()
			quiet(t, lists)
			server.Start()
			deregister(t, mine, "c")
			awaitIDs(t, lists, "a", "b")
		})
	}
}

// A registry that is not there yet is waited for.
func TestRegistryComesLater(t *testing.T) {
	t.Parallel()
	for name, k := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			withoutRaces(t, name)
			server := k.start(t)
			server.Stop()
			began := time.Now()
			d := open(t, k, server.Addr)
			t.Logf("opened after %v", time.Since(began).Round(time.Millisecond))
			lists := watch(t, d)
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			if err := d.Register(ctx, instance("a")); err == nil {
				t.Error("Register succeeded without a registry")
			}
			server.Start()
			register(t, d, "a")
			awaitIDs(t, lists, "a")
		})
	}
}

// Closing ends in time although the registry does not answer.
func TestCloseWithoutRegistry(t *testing.T) {
	t.Parallel()
	for name, k := range kinds {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			withoutRaces(t, name)
			server := k.start(t)
			d, err := k.open(t, server.Addr)
			if err != nil {
				t.Fatal(err)
			}
			register(t, d, "a")
			lists := watch(t, d)
			awaitIDs(t, lists, "a")
			server.Kill()
			began := time.Now()
			t.Logf("Close: %v", d.Close())
			if took := time.Since(began); took > 15*time.Second {
				t.Errorf("Close took %v", took)
			}
			for range lists {
				continue
			}
		})
	}
}

func open(t *testing.T, k kind, addr string) discovery.ServiceDiscovery {
	t.Helper()
	d := k.opener(addr)(t)
	t.Cleanup(func() { _ = d.Close() }) // the registry may be gone
	return d
}

const service = "im-service"

func instance(id string) *discovery.ServiceInfo {
	return &discovery.ServiceInfo{ID: id, Name: service, Address: "127.0.0.1", Port: 9000 + int(id[0]), Health: discovery.HealthHealthy}
}

// register tries until the registry takes it.
func register(t *testing.T, d discovery.ServiceDiscovery, id string) {
	t.Helper()
	retry(t, "register "+id, func(ctx context.Context) error { return d.Register(ctx, instance(id)) })
}

func deregister(t *testing.T, d discovery.ServiceDiscovery, id string) {
	t.Helper()
	retry(t, "deregister "+id, func(ctx context.Context) error { return d.Deregister(ctx, id) })
}

func retry(t *testing.T, what string, try func(context.Context) error) {
	t.Helper()
	var err error
	for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		err = try(ctx)
		cancel()
		if err == nil {
			return
		}
	}
	t.Fatalf("%s: %v", what, err)
}

func watch(t *testing.T, d discovery.ServiceDiscovery) <-chan []*discovery.ServiceInfo {
	t.Helper()
	lists, err := d.Watch(t.Context(), service)
	if err != nil {
		t.Fatalf("Watch: %v", err)
	}
	return lists
}

func awaitIDs(t *testing.T, lists <-chan []*discovery.ServiceInfo, want ...string) []*discovery.ServiceInfo {
	t.Helper()
	began, late := time.Now(), time.After(within)
	var seen []string
	for {
		select {
		case list, open := <-lists:
			if !open {
				t.Fatalf("the watch ended, want %v", want)
			}
			ids := ids(list)
			if seen = append(seen, fmt.Sprint(ids)); slices.Equal(ids, want) {
				t.Logf("%v after %v", want, time.Since(began).Round(time.Millisecond))
				return list
			}
		case <-late:
			t.Fatalf("the watch sent %s, want %v", strings.Join(seen, ", "), want)
		}
	}
}

func ids(list []*discovery.ServiceInfo) []string {
	var ids []string
	for _, s := range list {
		ids = append(ids, s.ID)
	}
	slices.Sort(ids)
	return ids
}

// quiet makes sure that a watch of a registry that is down neither spins nor ends.
func quiet(t *testing.T, lists <-chan []*discovery.ServiceInfo) {
	t.Helper()
	select {
	case list, open := <-lists:
		t.Errorf("the watch sent %v (open: %v) although the registry is down", ids(list), open)
	case <-time.After(time.Second):
	}
}
