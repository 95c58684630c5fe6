package plugins

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/plugin"
)

// Swaps tells whether new keys of a plugin take effect while the node runs. Those cannot that the node is made of, or that
// run outside of it.
func (h *Host) Swaps(name string) bool {
	for _, m := range h.all {
		if m.name == name {
			_, ok := plugin.As[plugin.Renewable](m.plugin())
			return ok && !m.lent && !m.ready && !m.configured.IsProcess() && !m.configured.IsService()
		}
	}
	return false
}

// Reconfigure has the plugins called as a new list says, which names the same ones. Where keys of their own differ, a
// fresh value gets ready beside the old one and takes its place; one that cannot leaves the old one where it is, with the bounds that it has,
// and the next call tries again. ctx is that of Start. It returns when all plugins are as they will be, and is called by
// one goroutine, until which returns Stop is not called.
func (h *Host) Reconfigure(ctx context.Context, list []*conf.Plugin) {
	for i, to := range list {
		if i < len(h.all) && h.all[i].name == to.GetName() && ctx.Err() == nil {
			h.reconfigure(ctx, h.all[i], to, fmt.Sprintf("plugins[%d]", i))
		}
	}
}

func (h *Host) reconfigure(ctx context.Context, m *member, to *conf.Plugin, at string) {
	if proto.Equal(to, m.configured) {
		m.meters.outdated.Set(0)
		return
	}
	next, err := h.nextOf(ctx, m, to, at)
	if err == nil {
		h.swap(m, next, to)
		m.meters.outdated.Set(0)
		m.meters.changes.WithLabelValues(m.name, "applied").Inc()
		return
	}
	m.log.Error("a plugin goes on as it was configured before", "error", err)
	outcome := "failed"
	if problems := (conf.Problems{}); errors.As(err, &problems) {
		outcome = "refused"
	}
	m.meters.outdated.Set(1)
	m.meters.changes.WithLabelValues(m.name, outcome).Inc()
}

// nextOf returns what is to be called from now on: the value that is in use, unless keys of its own differ.
func (h *Host) nextOf(ctx context.Context, m *member, to *conf.Plugin, at string) (*abilities, error) {
	if problem := samplable(m.plugin(), to.GetSample(), at); problem != nil {
		return nil, conf.Problems{*problem}
	}
	now := m.guard().able
	if proto.Equal(to.GetConfig(), m.configured.GetConfig()) || !h.Swaps(m.name) {
		return now, nil
	}
	able, err := renewed(now, to, at)
	if err != nil {
		return nil, err
	}
	if err := begin(plugin.WithLogger(ctx, m.log), able.plugin); err != nil {
		return nil, fmt.Errorf("%s.config: with these keys it does not start: %w", at, err)
	}
	return able, nil
}

// renewed returns a fresh value of a plugin, with its keys set and checked.
func renewed(now *abilities, to *conf.Plugin, at string) (able *abilities, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &panicked{r}
		}
	}()
	from, _ := plugin.As[plugin.Renewable](now.plugin)
	p := from.Renew()
	if problems := configure(p, at+".config", given{keys: to.GetConfig().AsMap(), at: at + ".config"}); len(problems) > 0 {
		return nil, problems
	}
	able = abilitiesOf(p)
	if p.Name() != to.GetName() || able.which() != now.which() {
		return nil, fmt.Errorf("%s.config: its fresh value has another name, or can do something else", at)
	}
	if now.answers != nil && !slices.Equal(slices.Sorted(slices.Values(able.answers.Actions())), slices.Sorted(slices.Values(now.answers.Actions()))) {
		return nil, fmt.Errorf("%s.config: with these keys it answers other actions, which takes a restart", at)
	}
	return able, nil
}

// begin starts a value. One that does so too late is stopped.
func begin(ctx context.Context, p plugin.Plugin) error {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	var decided atomic.Bool
	err := within(ctx, p, func(ctx context.Context, p plugin.Plugin) error {
		err := start(ctx, p)
		if err == nil && !decided.CompareAndSwap(false, true) { // nobody wants it any more
			ended, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
			defer cancel()
			return stop(ended, p)
		}
		return err
	})
	if err != nil && ctx.Err() != nil && !decided.CompareAndSwap(false, true) {
		return nil // it has started at the last moment
	}
	return err
}

// swap has calls go to another value from now on, or to the same within other bounds. What has served is ended in
// the background when its calls are back.
func (h *Host) swap(m *member, next *abilities, to *conf.Plugin) {
	before := m.guard()
	m.turning.Lock()
	m.current.Store(m.guards(next, boundsOf(to)))
	m.meters.open.Set(0)
	m.turning.Unlock()
	m.configured = to
	close(before.retired)
	h.retiring.Go(func() {
		before.empty(h.ending)
		if before.able == next {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
		defer cancel()
		if err := within(ctx, before.able.plugin, stop); err != nil {
			m.log.Warn("a plugin did not stop with the keys that it had before", "error", err)
		}
	})
}

// empty waits until no call of a retired guard is under way but those that were given up, or until hurry is closed.
func (g *guard) empty(hurry <-chan struct{}) {
	late := time.NewTimer(g.bounds.deadline) // none began later than now
	defer late.Stop()
	for range cap(g.places) {
		select {
		case g.places <- struct{}{}:
		case <-late.C:
			return
		case <-hurry:
			return
		}
	}
}
