package discoverytest

import (
	"context"
	"strconv"
	"time"

	"github.com/game-im/hermod/sdk/discovery"
)

func watchBeginsWithThePresent(b *bench) {
	b.receives(b.watch(b.ctx)) // none
	b.register(b.instance("a"), b.instance("b"))
	b.discovers("a", "b")
	b.receives(b.watch(b.ctx), "a", "b")
}

func watchSeesChangesInOrder(b *bench) {
	lists := b.watch(b.ctx)
	b.receives(lists)
	b.register(b.instance("a"))
	b.receives(lists, "a")

	// Nothing that was there already may be missing while others come.
	for _, suffix := range []string{"b", "c", "d", "e"} {
		b.register(b.instance(suffix))
	}
	before := 0
	for _, list := range b.receives(lists, "a", "b", "c", "d", "e") {
		if len(list) < before {
			b.t.Errorf("the watch went back to %v", b.suffixes(list))
		}
		before = len(list)
	}
	b.deregister("a")
	b.receives(lists, "b", "c", "d", "e")
	b.deregister("e")
	b.receives(lists, "b", "c", "d")
}

func watchIsOfOneService(b *bench) {
	other := b.registry.bench(b.t)
	other.ServiceDiscovery = b.ServiceDiscovery
	mine, others := b.watch(b.ctx), other.watch(b.ctx)
	b.receives(mine)
	other.receives(others)
	other.register(other.instance("x"))
	b.register(b.instance("a"))
	for _, list := range append(b.receives(mine, "a"), other.receives(others, "x")...) {
		if len(list) > 1 {
			b.t.Errorf("a watch of one service sent %d instances", len(list))
		}
	}
}

// watchKeepsTheLatest changes an instance many times while nobody reads.
func watchKeepsTheLatest(b *bench) {
	const changes = 40
	idle, attentive := b.watch(b.ctx), b.watch(b.ctx)
	instance := b.instance("a")
	for i := 1; i <= changes; i++ {
		instance.Metadata["zone"] = strconv.Itoa(i)
		b.register(instance)
	}
	latest := func(list []*discovery.ServiceInfo) bool {
		return len(list) == 1 && list[0].Metadata["zone"] == strconv.Itoa(changes)
	}
	b.receivesThat(attentive, "is the latest", latest)
	if read := len(b.receivesThat(idle, "is the latest", latest)); read > changes/2 {
		b.t.Errorf("a late reader had to read %d lists for %d changes", read, changes)
	}
}

// watchIsQuiet makes sure that a watch does not send what has not changed.
func watchIsQuiet(b *bench) {
	const span, most = 300 * time.Millisecond, 3 // registries may look twice at what is new
	b.register(b.instance("a"))
	b.discovers("a")
	lists := b.watch(b.ctx)
	b.receives(lists, "a")
	sent := 0
	for over := time.After(span); ; {
		select {
		case _, open := <-lists:
			if !open {
				b.t.Fatal("the watch ended")
			}
			if sent++; sent > most {
				b.t.Fatalf("the watch sent %d lists although nothing changed", sent)
			}
		case <-over:
			return
		}
	}
}

func watchEndsWithContext(b *bench) {
	ctx, cancel := context.WithCancel(b.ctx)
	ending, staying := b.watch(ctx), b.watch(b.ctx)
	b.receives(staying)
	cancel()
	b.ends(ending)
	b.register(b.instance("a"))
	b.receives(staying, "a")
}

func closeEndsWatches(b *bench) {
	ctx, cancel := context.WithCancel(b.ctx)
	defer cancel()
	read, unread := b.watch(ctx), b.watch(ctx)
	b.receives(read)
	if err := b.Close(); err != nil {
		b.t.Fatalf("Close: %v", err)
	}
	b.ends(read)
	b.ends(unread)
	cancel() // must not close them again
	if err := b.Close(); err != nil {
		b.t.Errorf("Close again: %v", err)
	}
}
