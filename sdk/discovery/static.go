package discovery

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"sync"
)

// StaticDiscovery is a ServiceDiscovery in the memory of one process: what it is given and what is
// registered with it, in that order. It is for programs that know their addresses, or learn them
// in a way of their own, and for tests. It keeps no goroutine and is safe for concurrent use.
type StaticDiscovery struct {
	mu       sync.Mutex
	services []*ServiceInfo
	watches  map[*watch]struct{}
	closed   bool
}

// A watch is one call of Watch that has not ended.
type watch struct {
	name    string
	lists   chan []*ServiceInfo // holds one list, and is closed by who takes the watch out of watches
	release func() bool         // of the callback of its context
}

// NewStaticDiscovery returns a discovery that knows these instances. They must pass
// ServiceInfo.Validate and differ in their Keys.
func NewStaticDiscovery(services ...*ServiceInfo) (*StaticDiscovery, error) {
	d := &StaticDiscovery{watches: make(map[*watch]struct{})}
	for _, s := range services {
		if err := s.Validate(); err != nil {
			return nil, err
		}
		if d.indexLocked(s.Key()) >= 0 {
			return nil, fmt.Errorf("discovery: instance %s is given twice", s.Key())
		}
		d.services = append(d.services, registered(s))
	}
	return d, nil
}

// Register makes the instance known, in the place of the one with the same ID if there is one.
func (d *StaticDiscovery) Register(ctx context.Context, service *ServiceInfo) error {
	if err := service.Validate(); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.readyLocked(ctx); err != nil {
		return err
	}
	s := registered(service)
	at := d.indexLocked(s.ID)
	if at < 0 {
		d.services = append(d.services, s)
		d.publishLocked(s.Name)
		return nil
	}
	before := d.services[at].Name
	if reflect.DeepEqual(d.services[at], s) {
		return nil // watches tell of changes
	}
	d.services[at] = s
	d.publishLocked(s.Name)
	if before != s.Name {
		d.publishLocked(before)
	}
	return nil
}

// Deregister makes the instance unknown.
func (d *StaticDiscovery) Deregister(ctx context.Context, serviceID string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.readyLocked(ctx); err != nil {
		return err
	}
	if at := d.indexLocked(serviceID); at >= 0 {
		name := d.services[at].Name
		d.services = slices.Delete(d.services, at, at+1)
		d.publishLocked(name)
	}
	return nil
}

// Discover returns the instances of a service in the order in which they were registered.
func (d *StaticDiscovery) Discover(ctx context.Context, serviceName string) ([]*ServiceInfo, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.readyLocked(ctx); err != nil {
		return nil, err
	}
	return d.namedLocked(serviceName), nil
}

// Watch sends the instances of a service, as Discover returns them, now and whenever they change.
func (d *StaticDiscovery) Watch(ctx context.Context, serviceName string) (<-chan []*ServiceInfo, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.readyLocked(ctx); err != nil {
		return nil, err
	}
	w := &watch{name: serviceName, lists: make(chan []*ServiceInfo, 1)}
	w.release = context.AfterFunc(ctx, func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.endLocked(w)
	})
	d.watches[w] = struct{}{}
	w.sendLocked(d.namedLocked(serviceName))
	return w.lists, nil
}

// Close ends all watches. It always returns nil.
func (d *StaticDiscovery) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	d.services = nil
	for w := range d.watches {
		w.release()
		d.endLocked(w)
	}
	return nil
}

func (d *StaticDiscovery) endLocked(w *watch) {
	if _, running := d.watches[w]; running {
		delete(d.watches, w)
		close(w.lists)
	}
}

func (d *StaticDiscovery) publishLocked(name string) {
	for w := range d.watches {
		if w.name == name {
			w.sendLocked(d.namedLocked(name))
		}
	}
}

// sendLocked replaces the list that waits. There is room then, as nobody else sends.
func (w *watch) sendLocked(services []*ServiceInfo) {
	select {
	case <-w.lists:
	default:
	}
	w.lists <- services
}

func (d *StaticDiscovery) readyLocked(ctx context.Context) error {
	if d.closed {
		return ErrClosed
	}
	return context.Cause(ctx)
}

func (d *StaticDiscovery) namedLocked(name string) []*ServiceInfo {
	var found []*ServiceInfo
	for _, s := range d.services {
		if s.Name == name {
			found = append(found, s.Clone())
		}
	}
	return found
}

func (d *StaticDiscovery) indexLocked(id string) int {
	return slices.IndexFunc(d.services, func(s *ServiceInfo) bool { return s.ID == id })
}

// registered returns the copy of an instance that is kept.
func registered(s *ServiceInfo) *ServiceInfo {
	c := s.Clone()
	c.ID = s.Key()
	return c
}
