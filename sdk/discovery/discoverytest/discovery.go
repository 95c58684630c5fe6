package discoverytest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/game-im/hermod/sdk/discovery"
)

// Discovery tests a ServiceDiscovery. Each test opens its own.
func Discovery(t *testing.T, registry Registry) {
	t.Helper()
	tests := []struct {
		name string
		test func(*bench)
	}{
		{"RegisterDiscoverDeregister", registerDiscoverDeregister},
		{"KeepsWhatWasRegistered", keepsWhatWasRegistered},
		{"RegisterAgainReplaces", registerAgainReplaces},
		{"RegisterWithoutID", registerWithoutID},
		{"RegisterRefuses", registerRefuses},
		{"DeregisterUnknown", deregisterUnknown},
		{"SharesNothing", sharesNothing},
		{"EndedContext", endedContext},
		{"WatchBeginsWithThePresent", watchBeginsWithThePresent},
		{"WatchSeesChangesInOrder", watchSeesChangesInOrder},
		{"WatchIsOfOneService", watchIsOfOneService},
		{"WatchKeepsTheLatest", watchKeepsTheLatest},
		{"WatchIsQuiet", watchIsQuiet},
		{"WatchEndsWithContext", watchEndsWithContext},
		{"CloseEndsWatches", closeEndsWatches},
		{"CloseTwice", closeTwice},
		{"Concurrently", concurrently},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.test(registry.bench(t))
		})
	}
	if registry.Shared {
		t.Run("CloseDeregisters", func(t *testing.T) {
			t.Parallel()
			closeDeregisters(registry.bench(t))
		})
	}
}

func registerDiscoverDeregister(b *bench) {
	b.discovers()
	b.register(b.instance("a"))
	b.discovers("a")
	b.register(b.instance("b"))
	b.discovers("a", "b")
	b.deregister("a")
	b.discovers("b")
	b.deregister("b")
	b.discovers()
}

func keepsWhatWasRegistered(b *bench) {
	want := b.instance("a")
	b.register(want)
	got := b.discovers("a")[0]
	if got.ID != want.ID || got.Name != want.Name || got.Target() != want.Target() {
		b.t.Errorf("found %s of %s at %s, want %s of %s at %s",
			got.ID, got.Name, got.Target(), want.ID, want.Name, want.Target())
	}
	for key, value := range want.Metadata { // a registry may add to it
		if got.Metadata[key] != value {
			b.t.Errorf("metadata %s is %q, want %q", key, got.Metadata[key], value)
		}
	}
	if !slices.Equal(got.Tags, want.Tags) {
		b.t.Errorf("tags are %v, want %v", got.Tags, want.Tags)
	}
	b.discoversThat(b, "is not unhealthy", func(list []*discovery.ServiceInfo) bool {
		return len(list) == 1 && list[0].Health != discovery.HealthUnhealthy
	})
}

func registerAgainReplaces(b *bench) {
	instance := b.instance("a")
	b.register(instance)
	lists := b.watch(b.ctx)
	b.receives(lists, "a")
	instance.Metadata = map[string]string{"zone": "moved"}
	b.register(instance)
	moved := func(list []*discovery.ServiceInfo) bool {
		return len(list) == 1 && list[0].Metadata["zone"] == "moved"
	}
	b.receivesThat(lists, "has the new metadata", moved)
	b.discoversThat(b, "has the new metadata", moved)
}

func registerWithoutID(b *bench) {
	instance := b.instance("a")
	instance.ID = ""
	b.register(instance)
	if instance.ID != "" {
		b.t.Errorf("Register changed its argument: the ID is %q", instance.ID)
	}
	found := b.discoversThat(b, "has one instance", func(list []*discovery.ServiceInfo) bool { return len(list) == 1 })
	if found[0].ID != instance.Key() {
		b.t.Errorf("the ID is %q, want %q", found[0].ID, instance.Key())
	}
	if err := b.Deregister(b.ctx, instance.Key()); err != nil {
		b.t.Errorf("Deregister: %v", err)
	}
	b.discovers()
}

func registerRefuses(b *bench) {
	nameless, weightless := b.instance("nameless"), b.instance("weightless")
	nameless.Name = ""
	weightless.Metadata[discovery.MetadataWeight] = "0"
	for _, s := range []*discovery.ServiceInfo{nil, nameless, weightless} {
		if err := b.Register(b.ctx, s); err == nil {
			b.t.Errorf("Register took %+v", s)
		}
	}
	var fault *discovery.WeightError
	if err := b.Register(b.ctx, weightless); !errors.As(err, &fault) {
		b.t.Errorf("Register with weight 0: %v, want a *WeightError", err)
	}
}

func deregisterUnknown(b *bench) {
	b.deregister("never-there")
	b.register(b.instance("a"))
	b.discovers("a")
	b.deregister("a")
	b.discovers()
	b.deregister("a")
}

func sharesNothing(b *bench) {
	instance := b.instance("a")
	b.register(instance)
	spoil(instance)
	first, second := b.watch(b.ctx), b.watch(b.ctx)
	for range 2 {
		for _, s := range b.discovers("a") {
			b.intact(s, "Discover")
			spoil(s)
		}
	}
	for _, lists := range []<-chan []*discovery.ServiceInfo{first, second} {
		all := b.receives(lists, "a")
		last := all[len(all)-1][0]
		b.intact(last, "Watch")
		spoil(last)
	}
}

func spoil(s *discovery.ServiceInfo) {
	s.Metadata["zone"] = "spoiled"
	s.Tags[0] = "spoiled"
	s.Address = "spoiled"
}

func (b *bench) intact(s *discovery.ServiceInfo, by string) {
	b.t.Helper()
	if s.Metadata["zone"] != "a" || s.Tags[0] != "grpc" || s.Address != "127.0.0.1" {
		b.t.Errorf("%s returned what somebody else had changed: %+v", by, s)
	}
}

func endedContext(b *bench) {
	ended, cancel := context.WithCancel(b.ctx)
	cancel()
	if err := b.Register(ended, b.instance("a")); !errors.Is(err, context.Canceled) {
		b.t.Errorf("Register: %v, want context.Canceled", err)
	}
	if err := b.Deregister(ended, b.id("a")); !errors.Is(err, context.Canceled) {
		b.t.Errorf("Deregister: %v, want context.Canceled", err)
	}
	if _, err := b.Discover(ended, b.service); !errors.Is(err, context.Canceled) {
		b.t.Errorf("Discover: %v, want context.Canceled", err)
	}
	lists, err := b.Watch(ended, b.service)
	switch {
	case err == nil:
		b.ends(lists)
	case !errors.Is(err, context.Canceled):
		b.t.Errorf("Watch: %v, want context.Canceled or a closed channel", err)
	}
}

func closeTwice(b *bench) {
	for range 2 {
		if err := b.Close(); err != nil {
			b.t.Fatalf("Close: %v", err)
		}
	}
	if err := b.Register(b.ctx, b.instance("a")); !errors.Is(err, discovery.ErrClosed) {
		b.t.Errorf("Register: %v, want ErrClosed", err)
	}
	if err := b.Deregister(b.ctx, b.id("a")); !errors.Is(err, discovery.ErrClosed) {
		b.t.Errorf("Deregister: %v, want ErrClosed", err)
	}
	if _, err := b.Discover(b.ctx, b.service); !errors.Is(err, discovery.ErrClosed) {
		b.t.Errorf("Discover: %v, want ErrClosed", err)
	}
	if _, err := b.Watch(b.ctx, b.service); !errors.Is(err, discovery.ErrClosed) {
		b.t.Errorf("Watch: %v, want ErrClosed", err)
	}
}

func closeDeregisters(b *bench) {
	other := b.open()
	b.register(b.instance("a"))
	b.discoversBy(other, "a")
	lists, err := other.Watch(b.ctx, b.service)
	if err != nil {
		b.t.Fatalf("Watch: %v", err)
	}
	b.receives(lists, "a")
	if err := b.Close(); err != nil {
		b.t.Fatalf("Close: %v", err)
	}
	b.discoversBy(other)
	b.receives(lists)
}

// concurrently lets several register, watch and leave at once, and one stay.
func concurrently(b *bench) {
	const workers = 4
	b.register(b.instance("stays"))
	var wg sync.WaitGroup
	for i := range workers {
		instance := b.instance(fmt.Sprint("worker", i))
		wg.Go(func() {
			for range 5 {
				ctx, cancel := context.WithCancel(b.ctx)
				if err := b.roundTrip(ctx, instance); err != nil {
					b.t.Error(err)
				}
				cancel()
			}
		})
	}
	wg.Wait()
	b.discovers("stays")
}

func (b *bench) roundTrip(ctx context.Context, instance *discovery.ServiceInfo) error {
	lists, err := b.Watch(ctx, b.service)
	if err != nil {
		return fmt.Errorf("watch: %w", err)
	}
	if err := b.Register(ctx, instance); err != nil {
		return fmt.Errorf("register: %w", err)
	}
	late := time.After(b.registry.Within)
	for seen := false; !seen; {
		select {
		case list := <-lists:
			seen = slices.ContainsFunc(list, func(s *discovery.ServiceInfo) bool { return s.ID == instance.ID })
		case <-late:
			return fmt.Errorf("the watch has not shown %s within %v", instance.ID, b.registry.Within)
		}
	}
	if err := b.Deregister(ctx, instance.ID); err != nil {
		return fmt.Errorf("deregister: %w", err)
	}
	return nil
}
