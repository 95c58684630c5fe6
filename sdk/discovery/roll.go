package discovery

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"
)

const (
	// farewell bounds how long Close tries to deregister: a program has to end even if its registry
	// does not answer.
	farewell = 3 * time.Second
	// tendTimeout bounds one look at what is registered.
	tendTimeout = 5 * time.Second
)

// A roll is what a discovery has registered. It has a goroutine, while it is not empty, that looks
// after it: registries forget.
type roll struct {
	// tend makes sure that the registry has these instances, and puts them there again if not.
	tend func(ctx context.Context, services []*ServiceInfo) error
	// remove makes an instance unknown. Of one that was not registered here only the ID is known.
	remove   func(ctx context.Context, s *ServiceInfo) error
	interval time.Duration // between two looks
	log      *slog.Logger

	// turn is held by who talks to the registry about what is registered, so that a look does not
	// bring back what is just being deregistered. It is a channel, as waiting for it ends with ctx.
	turn chan struct{}

	mu       sync.Mutex
	services map[string]*ServiceInfo // by ID
	leaving  map[string]*ServiceInfo // that could not be removed so far
	stop     context.CancelFunc      // nil: nobody looks after it
	running  sync.WaitGroup
}

func newRoll(interval time.Duration, log *slog.Logger, tend func(context.Context, []*ServiceInfo) error,
	remove func(context.Context, *ServiceInfo) error) *roll {
	return &roll{
		tend: tend, remove: remove, interval: interval, log: log, turn: make(chan struct{}, 1),
		services: make(map[string]*ServiceInfo), leaving: make(map[string]*ServiceInfo),
	}
}

// register has put make the instance known, and keeps it so if it did. What it replaces is given to
// put as well, nil if there is nothing.
func (r *roll) register(ctx context.Context, service *ServiceInfo, put func(s, before *ServiceInfo) error) error {
	s := registered(service)
	if err := r.take(ctx); err != nil {
		return err
	}
	defer r.give()
	if err := put(s, r.get(s.ID)); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.services[s.ID] = s
	delete(r.leaving, s.ID)
	if r.stop == nil {
		tending, cancel := context.WithCancel(context.Background())
		r.stop = cancel
		r.running.Go(func() { r.keep(tending) })
	}
	return nil
}

// deregister makes an instance unknown. If that fails it is tried again with every look, as the
// instance is to go.
func (r *roll) deregister(ctx context.Context, id string) error {
	if err := r.take(ctx); err != nil {
		return err
	}
	defer r.give()
	return r.dismiss(ctx, r.leave(id))
}

// leave returns the instance with an ID, which is not looked after any more.
func (r *roll) leave(id string) *ServiceInfo {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.services[id]
	if s == nil {
		s = r.leaving[id]
	}
	if s == nil {
		return &ServiceInfo{ID: id}
	}
	delete(r.services, id)
	r.leaving[id] = s
	return s
}

// dismiss removes an instance that leaves. Whoever calls has the turn.
func (r *roll) dismiss(ctx context.Context, s *ServiceInfo) error {
	if err := r.remove(ctx, s); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.leaving, s.ID)
	return nil
}

// close stops looking after the instances and removes them all.
func (r *roll) close() error {
	r.mu.Lock()
	if r.stop != nil {
		r.stop()
	}
	r.mu.Unlock()
	r.running.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	if err := r.take(ctx); err != nil {
		return err
	}
	defer r.give()
	var faults []error
	for _, s := range slices.Concat(r.all(r.services), r.all(r.leaving)) {
		faults = append(faults, r.remove(ctx, s))
	}
	return errors.Join(faults...)
}

func (r *roll) keep(ctx context.Context) {
	failing := false
	var retry patience
	for wait := r.interval; ; {
		if !sleep(ctx, wait) {
			return
		}
		err := r.look(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !failing:
			r.log.Warn("discovery: the registry fails; what is registered is registered again when it is back", "error", err)
		case err == nil && failing:
			r.log.Info("discovery: the registry works again")
		}
		failing = err != nil
		if wait = r.interval; failing {
			wait = min(retry.pause(), r.interval)
		} else {
			retry.reset()
		}
	}
}

func (r *roll) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, tendTimeout)
	defer cancel()
	if err := r.take(ctx); err != nil {
		return err
	}
	defer r.give()
	for _, s := range r.all(r.leaving) {
		if err := r.dismiss(ctx, s); err != nil {
			return err
		}
	}
	services := r.all(r.services)
	if len(services) == 0 {
		return nil
	}
	return r.tend(ctx, services)
}

func (r *roll) take(ctx context.Context) error {
	select {
	case r.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (r *roll) give() { <-r.turn }

func (r *roll) get(id string) *ServiceInfo {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.services[id]
}

func (r *roll) all(of map[string]*ServiceInfo) []*ServiceInfo {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(maps.Values(of))
}
