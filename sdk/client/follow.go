package client

import (
	"context"
	"errors"
	"log/slog"
	"reflect"
	"sync"
	"time"

	"github.com/game-im/hermod/sdk/discovery"
)

// followers are the services that clients of this process follow. Each is watched once, however many
// clients of the same Discovery follow it: a watch takes a goroutine and, depending on the
// Discovery, a connection.
var followers = struct {
	sync.Mutex
	all map[followed]*follower
}{all: make(map[followed]*follower)}

type followed struct {
	discovery discovery.ServiceDiscovery
	name      string
}

// A follower watches a service and tells its clients of changes.
type follower struct {
	followed
	cancel context.CancelFunc

	mu      sync.Mutex
	clients map[*Client]struct{}
	latest  []*discovery.ServiceInfo // read by all, changed by nobody
	known   bool
}

// How long a Discovery that ends its watches, which it should not, is left alone.
const (
	firstWatchPause = 100 * time.Millisecond
	lastWatchPause  = 10 * time.Second
)

// follow begins to tell c of changes of the service that it is configured with.
func follow(c *Client, of followed) *follower {
	followers.Lock()
	defer followers.Unlock()
	shared := reflect.ValueOf(of.discovery).Comparable()
	if shared {
		if f := followers.all[of]; f != nil {
			f.add(c)
			return f
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	f := &follower{followed: of, cancel: cancel, clients: map[*Client]struct{}{c: {}}}
	if shared {
		followers.all[of] = f
	}
	go f.run(ctx, c.cfg.Logger)
	return f
}

func (f *follower) add(c *Client) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.clients[c] = struct{}{}
}

// leave ends following for c, and with the last client the watch.
func (f *follower) leave(c *Client) {
	followers.Lock()
	defer followers.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.clients, c)
	if len(f.clients) > 0 {
		return
	}
	f.cancel()
	if reflect.ValueOf(f.discovery).Comparable() && followers.all[f.followed] == f {
		delete(followers.all, f.followed)
	}
}

// services returns the latest list. There is none when nothing is watched.
func (f *follower) services() (list []*discovery.ServiceInfo, known bool) {
	if f == nil {
		return nil, false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.latest, f.known
}

func (f *follower) run(ctx context.Context, log *slog.Logger) {
	for wait := firstWatchPause; ; wait = min(2*wait, lastWatchPause) {
		lists, err := f.discovery.Watch(ctx, f.name)
		if errors.Is(err, discovery.ErrClosed) {
			return
		}
		if err == nil && f.read(ctx, lists) {
			wait = firstWatchPause
		}
		if ctx.Err() != nil {
			return
		}
		log.Warn("the watch of a service has ended; it is begun again", "service", f.name, "error", err)
		if pause(ctx, wait) != nil {
			return
		}
	}
}

// read passes lists on until there are no more. It tells whether there were any.
func (f *follower) read(ctx context.Context, lists <-chan []*discovery.ServiceInfo) (some bool) {
	defer f.set(nil, false) // what is not watched is not known
	for {
		select {
		case list, open := <-lists:
			if !open {
				return some
			}
			some = true
			for _, c := range f.set(present(list), true) {
				c.consider()
			}
		case <-ctx.Done():
			return some
		}
	}
}

// set notes what is known and returns who is to be told.
func (f *follower) set(list []*discovery.ServiceInfo, known bool) []*Client {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.latest, f.known = list, known
	clients := make([]*Client, 0, len(f.clients))
	for c := range f.clients {
		clients = append(clients, c)
	}
	return clients
}

// present leaves out what is no instance.
func present(list []*discovery.ServiceInfo) []*discovery.ServiceInfo {
	kept := make([]*discovery.ServiceInfo, 0, len(list))
	for _, s := range list {
		if s != nil {
			kept = append(kept, s)
		}
	}
	return kept
}
