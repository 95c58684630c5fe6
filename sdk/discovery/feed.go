package discovery

import (
	"context"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"
)

// feeds has each service that is watched followed once, however many watch it: thousands of clients
// of one discovery cost its registry no more than one does.
type feeds struct {
	// follow tells of the instances of a service until ctx ends. It publishes whatever it learns;
	// what has not changed is sent to nobody.
	follow func(ctx context.Context, name string, publish func([]*ServiceInfo))

	mu      sync.Mutex
	byName  map[string]*feed
	closed  bool
	running sync.WaitGroup // goroutines that follow
}

// A feed is a service that is followed, with those who watch it.
type feed struct {
	cancel  context.CancelFunc
	watches map[*watch]struct{}
	known   bool // something was published
	latest  []*ServiceInfo
}

func newFeeds(follow func(context.Context, string, func([]*ServiceInfo))) *feeds {
	return &feeds{follow: follow, byName: make(map[string]*feed)}
}

// watch is Watch of a ServiceDiscovery.
func (f *feeds) watch(ctx context.Context, name string) (<-chan []*ServiceInfo, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, ErrClosed
	}
	if err := context.Cause(ctx); err != nil {
		return nil, err
	}
	w := &watch{name: name, lists: make(chan []*ServiceInfo, 1)}
	fd := f.byName[name]
	if fd == nil {
		fd = f.beginLocked(name)
	}
	fd.watches[w] = struct{}{}
	if fd.known {
		w.sendLocked(cloneAll(fd.latest))
	}
	w.release = context.AfterFunc(ctx, func() { f.leave(fd, w) })
	return w.lists, nil
}

// latest returns what is known of a service that is watched just now.
func (f *feeds) latest(name string) (services []*ServiceInfo, known bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fd := f.byName[name]
	if fd == nil || !fd.known {
		return nil, false
	}
	return cloneAll(fd.latest), true
}

func (f *feeds) beginLocked(name string) *feed {
	ctx, cancel := context.WithCancel(context.Background())
	fd := &feed{cancel: cancel, watches: make(map[*watch]struct{})}
	f.byName[name] = fd
	f.running.Go(func() { f.follow(ctx, name, func(list []*ServiceInfo) { f.publish(ctx, fd, list) }) })
	return fd
}

func (f *feeds) publish(ctx context.Context, fd *feed, list []*ServiceInfo) {
	list = slices.SortedFunc(slices.Values(list), func(a, b *ServiceInfo) int { return strings.Compare(a.Key(), b.Key()) })
	list = slices.CompactFunc(list, func(a, b *ServiceInfo) bool { return a.Key() == b.Key() })
	f.mu.Lock()
	defer f.mu.Unlock()
	if ctx.Err() != nil || fd.known && reflect.DeepEqual(fd.latest, list) {
		return
	}
	fd.known, fd.latest = true, list
	for w := range fd.watches {
		w.sendLocked(cloneAll(list))
	}
}

// leave ends a watch, and with the last one of a service stops following it.
func (f *feeds) leave(fd *feed, w *watch) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, running := fd.watches[w]; !running {
		return
	}
	delete(fd.watches, w)
	close(w.lists)
	if len(fd.watches) == 0 {
		fd.cancel()
		delete(f.byName, w.name)
	}
}

// close ends all watches. It returns false when that has been done before.
func (f *feeds) close() bool {
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return false
	}
	f.closed = true
	for _, fd := range f.byName {
		fd.cancel()
		for w := range fd.watches {
			w.release()
			delete(fd.watches, w)
			close(w.lists)
		}
	}
	clear(f.byName)
	f.mu.Unlock()
	f.running.Wait()
	return true
}

// ready tells why nothing can be done: the discovery is closed, or ctx has ended.
func (f *feeds) ready(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return ErrClosed
	}
	return context.Cause(ctx)
}

func cloneAll(services []*ServiceInfo) []*ServiceInfo {
	clones := make([]*ServiceInfo, len(services))
	for i, s := range services {
		clones[i] = s.Clone()
	}
	return clones
}

// How long a registry that fails is left alone: at first, and at most.
const (
	firstRetry = 100 * time.Millisecond
	lastRetry  = 5 * time.Second
)

// patience is the pauses between attempts, ever longer and never quite the same, as many ask a
// registry that comes back. The zero value is ready; it belongs to one goroutine.
type patience struct{ next time.Duration }

// wait pauses. It returns false when ctx ends.
func (p *patience) wait(ctx context.Context) bool {
	return sleep(ctx, p.pause())
}

func (p *patience) pause() time.Duration {
	p.next = min(max(firstRetry, 2*p.next), lastRetry)
	return p.next/2 + rand.N(p.next/2+1)
}

func (p *patience) reset() { p.next = 0 }

// sleep returns false when ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
