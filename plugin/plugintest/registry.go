package plugintest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/game-im/hermod/plugin"
)

// registryPatience is how long a registry may take to tell of a change.
const registryPatience = 30 * time.Second

// Registry checks the connections of a registry that works. open makes one more; nothing else registers
// services whose names begin with plugintest.
func Registry(t *testing.T, open func(t *testing.T) plugin.RegistryConn) {
	t.Helper()
	r := &registryTest{t: t, mine: open(t), theirs: open(t)}
	service := fmt.Sprint("plugintest-", time.Now().UnixNano())
	one := plugin.Instance{
		Service: service, Suffixed: true, Host: "127.0.0.1", Port: 20001, Version: "v1", Weight: 100, Metadata: map[string]string{"zone": "a"},
	}
	two := one
	two.Port, two.Secure, two.Suffixed = 20002, true, false
	r.listed(one, false)
	r.do("deregister what was never there", func(ctx context.Context) error { return r.mine.Deregister(ctx, one) })
	found, stop := r.watch(one.Name())
	r.do("register", func(ctx context.Context) error { return r.mine.Register(ctx, one) })
	r.listed(one, true)
	found(plugin.Endpoint{Address: "127.0.0.1:20001"})
	r.do("renew", func(ctx context.Context) error { return r.mine.Renew(ctx, one) })
	heavier := one
	heavier.Weight = 7
	r.do("register again", func(ctx context.Context) error { return r.mine.Register(ctx, heavier) })
	r.do("renew", func(ctx context.Context) error { return r.mine.Renew(ctx, heavier) })
	r.do("register another", func(ctx context.Context) error { return r.mine.Register(ctx, two) })
	r.listed(two, true)
	found(plugin.Endpoint{Address: "127.0.0.1:20001"}) // it is of another name
	for _, i := range []plugin.Instance{heavier, two} {
		r.do("deregister", func(ctx context.Context) error { return r.mine.Deregister(ctx, i) })
		r.listed(i, false)
		r.missing(i)
	}
	stop()
	for _, conn := range []plugin.RegistryConn{r.mine, r.theirs} {
		if err := conn.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
}

type registryTest struct {
	t            *testing.T
	mine, theirs plugin.RegistryConn
}

// do makes a call until it succeeds: what failed is asked for again.
func (r *registryTest) do(what string, call func(context.Context) error) {
	r.t.Helper()
	r.until(what, func() error {
		ctx, cancel := context.WithTimeout(r.t.Context(), registryPatience)
		defer cancel()
		return call(ctx)
	})
}

// until waits until something holds.
func (r *registryTest) until(what string, holds func() error) {
	r.t.Helper()
	for deadline := time.Now().Add(registryPatience); ; time.Sleep(50 * time.Millisecond) {
		err := holds()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			r.t.Fatalf("%s: %v", what, err)
		}
	}
}

// listed waits until both connections say whether an instance is there.
func (r *registryTest) listed(i plugin.Instance, want bool) {
	r.t.Helper()
	for _, conn := range []plugin.RegistryConn{r.mine, r.theirs} {
		r.until("listed "+i.ID(), func() error {
			is, err := conn.Listed(r.t.Context(), i)
			if err == nil && is != want {
				err = fmt.Errorf("it says %t, want %t", is, want)
			}
			return err
		})
	}
}

// missing waits until it is said that an instance is not there.
func (r *registryTest) missing(i plugin.Instance) {
	r.t.Helper()
	r.until("renew what is not there", func() error {
		if err := r.mine.Renew(r.t.Context(), i); !errors.Is(err, plugin.ErrMissing) {
			return fmt.Errorf("got %w, want ErrMissing", err)
		}
		return nil
	})
}

// watch follows a name by the other connection, if that can. found waits until it has told exactly of some.
func (r *registryTest) watch(name string) (found func(...plugin.Endpoint), stop func()) {
	w, ok := r.theirs.(plugin.RegistryWatcher)
	if !ok {
		return func(...plugin.Endpoint) {}, func() {}
	}
	var mu sync.Mutex
	var last []plugin.Endpoint
	ctx, cancel := context.WithCancel(r.t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			err := w.Watch(ctx, name, func(all []plugin.Endpoint) {
				mu.Lock()
				defer mu.Unlock()
				last = slices.Clone(all)
			})
			if err == nil && ctx.Err() == nil {
				r.t.Error("Watch ended without an error before its context did")
				return
			}
			select {
			case <-ctx.Done():
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	found = func(want ...plugin.Endpoint) {
		r.t.Helper()
		r.until("watch "+name, func() error {
			mu.Lock()
			defer mu.Unlock()
			if !slices.Equal(last, want) {
				return fmt.Errorf("it tells of %v, want %v", last, want)
			}
			return nil
		})
	}
	return found, func() {
		cancel()
		select {
		case <-ended:
		case <-time.After(registryPatience):
			r.t.Error("Watch goes on without its context")
		}
	}
}
