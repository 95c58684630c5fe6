package registry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/game-im/hermod/internal/conf"
)

const (
	// callTimeout bounds one call of a registry.
	callTimeout = 5 * time.Second
	// leaveTimeout bounds deregistering: the node has to stop even if its registry hangs. It leaves some
	// of what there is for closing the connection.
	leaveTimeout = conf.RegistryLeave - 500*time.Millisecond
	firstRetry   = 250 * time.Millisecond
	// lastRetry is how far apart the attempts get while a registry is away, and so how long after its
	// return a node may still be missing.
	lastRetry = 10 * time.Second
)

// Options are what a Keeper is told of its node.
type Options struct {
	Type string        // of the registry, for people
	TTL  time.Duration // how long a node that died is listed
	// Healthy tells why the node does not serve, nil when it does. A node that does not is not listed.
	Healthy func(ctx context.Context) error
	Status  *Status
	Metrics *Metrics
	Log     *slog.Logger
}

// Keeper keeps the instances of a node registered while Run runs. A registry that fails changes
// nothing for the node: the Keeper tries again, ever less often, and says once that it began to fail
// and once that it is over.
type Keeper struct {
	registrar Registrar
	opts      Options
	weight    atomic.Int64
	changed   chan struct{}

	entries []*entry // Run's goroutine owns what follows
	failing bool
	retry   time.Duration
}

// entry is one instance and what the registry was told of it.
type entry struct {
	Instance
	registered bool
	weight     int // that was registered
}

// NewKeeper returns the keeper of a node that is not registered yet. It owns the registrar from now
// on.
func NewKeeper(r Registrar, instances []Instance, o Options) *Keeper {
	k := &Keeper{registrar: r, opts: o, changed: make(chan struct{}, 1)}
	for _, i := range instances {
		k.entries = append(k.entries, &entry{Instance: i})
		o.Metrics.set(i, false)
		k.weight.Store(int64(i.Weight))
	}
	if len(k.entries) > 0 {
		o.Status.set(o.Type + ": not registered yet")
	}
	return k
}

// SetWeight changes how much of the traffic the node is to get, from 1 to 10000, and makes it known at
// once. Safe for concurrent use.
func (k *Keeper) SetWeight(weight int) error {
	if weight < 1 || weight > 10_000 {
		return fmt.Errorf("a weight of %d is not possible; 1 to 10000 is", weight)
	}
	if k.weight.Swap(int64(weight)) == int64(weight) {
		return nil
	}
	select {
	case k.changed <- struct{}{}:
	default: // Run has not yet looked at an earlier change
	}
	return nil
}

// Run keeps the node registered until ctx ends, and deregisters it before it returns. It returns no
// error: without its registry a node serves on.
func (k *Keeper) Run(ctx context.Context) error {
	if len(k.entries) == 0 {
		<-ctx.Done()
		return nil
	}
	defer k.leave()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-k.changed:
		case <-timer.C:
		}
		timer.Reset(k.round(ctx))
	}
}

// round looks after all instances once, and returns when to do so again.
func (k *Keeper) round(ctx context.Context) time.Duration {
	call, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var err error
	var kept atomic.Bool // some are, whatever becomes of the others
	if unhealthy := k.opts.Healthy(call); unhealthy != nil {
		err = k.each(func(e *entry) error {
			err := k.drop(call, e)
			k.opts.Metrics.set(e.Instance, e.registered)
			return err
		})
		k.opts.Status.set(k.opts.Type + ": not registered, the node is not ready: " + unhealthy.Error())
	} else if err = k.each(func(e *entry) error {
		err := k.tend(call, e)
		if err == nil {
			kept.Store(true)
		}
		k.opts.Metrics.set(e.Instance, err == nil)
		return err
	}); err == nil {
		k.opts.Status.set(k.opts.Type + ": registered as " + k.names())
	}
	switch {
	case ctx.Err() != nil:
		return 0
	case err != nil && kept.Load(): // those that are listed are still to be renewed in time
		return min(k.failed(err), k.opts.TTL/3)
	case err != nil:
		return k.failed(err)
	}
	k.worked()
	return k.opts.TTL / 3
}

// each runs f for all instances at once: a registry that hangs takes as long for four as for one.
func (k *Keeper) each(f func(*entry) error) error {
	errs := make([]error, len(k.entries))
	var wg sync.WaitGroup
	for n, e := range k.entries {
		wg.Go(func() { errs[n] = f(e) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err // the others rarely say anything else
		}
	}
	return nil
}

// tend registers an instance, or keeps it registered.
func (k *Keeper) tend(ctx context.Context, e *entry) error {
	weight := int(k.weight.Load())
	if e.registered && e.weight == weight {
		err := k.registrar.Renew(ctx, e.Instance)
		if !errors.Is(err, ErrMissing) {
			return err
		}
		k.opts.Log.Warn("the registry had lost a service of this node, which registers it again", "registry", k.opts.Type, "service", e.Name())
	}
	e.Weight = weight
	if err := k.registrar.Register(ctx, e.Instance); err != nil {
		return err
	}
	if !e.registered {
		k.opts.Log.Info("registered", "registry", k.opts.Type, "service", e.Name(), "address", e.Addr())
	}
	e.registered, e.weight = true, weight
	return nil
}

func (k *Keeper) drop(ctx context.Context, e *entry) error {
	if !e.registered {
		return nil
	}
	if err := k.registrar.Deregister(ctx, e.Instance); err != nil {
		return err
	}
	e.registered = false
	return nil
}

func (k *Keeper) failed(err error) time.Duration {
	k.opts.Metrics.failures.Inc()
	if !k.failing {
		k.failing, k.retry = true, firstRetry
		k.opts.Log.Warn("the registry fails; the node serves on and tries again", "registry", k.opts.Type, "error", err)
	}
	k.opts.Status.set(k.opts.Type + ": fails, tried again and again: " + err.Error())
	wait := k.retry/2 + rand.N(k.retry/2+1)
	k.retry = min(2*k.retry, lastRetry)
	return wait
}

func (k *Keeper) worked() {
	if k.failing {
		k.failing = false
		k.opts.Log.Info("the registry works again", "registry", k.opts.Type)
	}
}

// leave deregisters whatever may be registered: also what an attempt was made for that seemed to fail.
func (k *Keeper) leave() {
	ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
	defer cancel()
	err := k.each(func(e *entry) error {
		k.opts.Metrics.set(e.Instance, false)
		return k.registrar.Deregister(ctx, e.Instance)
	})
	if err != nil {
		k.opts.Metrics.failures.Inc()
		k.opts.Log.Warn("the node could not deregister itself; the registry will notice that it is gone", "registry", k.opts.Type, "error", err)
	}
	k.opts.Status.set(k.opts.Type + ": deregistered")
	if err := k.registrar.Close(); err != nil {
		k.opts.Log.Warn("the connection to the registry did not close", "registry", k.opts.Type, "error", err)
	}
}

// names lists the services, each once.
func (k *Keeper) names() string {
	text := ""
	for _, e := range k.entries {
		if !e.Suffixed {
			if text != "" {
				text += ", "
			}
			text += e.Service + " at " + e.Addr()
		}
	}
	return text
}
