package plugins

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/plugin"
)

// member is one plugin of a host, whatever value of it is in use.
type member struct {
	name    string
	current atomic.Pointer[guard]
	meters  *meters
	log     *slog.Logger
	rooms   *rooms // whose events it is asked about and told of
	feed    *feed  // nil: it observes nothing
	ready   bool   // it was chosen by another key as well: its steps are not the host's
	lent    bool   // parts of the node have its value

	configured *conf.Plugin // what current was made of; of whoever reconfigures

	turning sync.Mutex // held while the metric follows a breaker
}

func newMember(p plugin.Plugin, c *conf.Plugin, m *Metrics, log *slog.Logger) *member {
	one := &member{name: c.GetName(), meters: m.of(c.GetName()), log: log.With("plugin", c.GetName()), configured: c, rooms: roomsOf(c.GetRooms())}
	one.current.Store(one.guards(abilitiesOf(p), boundsOf(c)))
	return one
}

func (m *member) guards(a *abilities, b bounds) *guard {
	g := &guard{name: m.name, bounds: b, able: a, places: make(chan struct{}, b.concurrency), retired: make(chan struct{}), meters: m.meters, log: m.log}
	g.breaker = breaker{most: int64(b.failures), rest: b.retryAfter, turned: func(open bool) { m.turned(g, open) }}
	return g
}

// guard is what stands before the value that is in use.
func (m *member) guard() *guard { return m.current.Load() }

func (m *member) plugin() plugin.Plugin { return m.guard().able.plugin }

// call is guard.call on the value that is in use when a place is free.
func (m *member) call(w *watch, h *hook, since time.Time, q question, c *call) (mine bool, err error) {
	for {
		if mine, err = m.guard().call(w, h, since, q, c); err != errRetired { //nolint:errorlint // the guard's own, as it is
			return mine, err
		}
	}
}

// do is guard.do on the value that is in use when a place is free.
func (m *member) do(w *watch, h *hook, since time.Time, fn func(context.Context, *abilities) error, late func(error)) (mine bool, err error) {
	return m.call(w, h, since, &functions{fn, late}, &call{})
}

// turned has metric and log follow the breaker of the value in use.
func (m *member) turned(g *guard, open bool) {
	m.turning.Lock()
	current := m.guard() == g
	if current && open {
		m.meters.open.Set(1)
	} else if current {
		m.meters.open.Set(0)
	}
	m.turning.Unlock()
	switch {
	case !current:
	case open:
		m.log.Error("a plugin failed too often in a row and is left alone", "failures", g.bounds.failures, "for", g.bounds.retryAfter)
	default:
		m.log.Info("a plugin works again")
	}
}

// observes returns the feed of a plugin, which is one whatever it observes: so it has one order.
func (m *member) observes() *feed {
	if m.feed == nil {
		m.feed = &feed{member: m}
	}
	return m.feed
}

// step takes a plugin through a step, unless somebody else does.
func (m *member) step(ctx context.Context, step func(context.Context, plugin.Plugin) error) error {
	if m.ready {
		return nil
	}
	return within(ctx, m.plugin(), step)
}

// abilities are what one value of a plugin can be called for, found out once; nil: not for that.
type abilities struct {
	plugin     plugin.Plugin
	intercepts plugin.MessageInterceptor
	authorizes plugin.Authorizer
	messages   plugin.MessageObserver
	rooms      plugin.RoomObserver
	sessions   plugin.SessionObserver
	refusals   plugin.RefusalObserver
	notifies   plugin.OfflineNotifier
	answers    plugin.ActionHandler
}

func abilitiesOf(p plugin.Plugin) *abilities {
	a := &abilities{plugin: p}
	a.intercepts, _ = plugin.As[plugin.MessageInterceptor](p)
	a.authorizes, _ = plugin.As[plugin.Authorizer](p)
	a.messages, _ = plugin.As[plugin.MessageObserver](p)
	a.rooms, _ = plugin.As[plugin.RoomObserver](p)
	a.sessions, _ = plugin.As[plugin.SessionObserver](p)
	a.refusals, _ = plugin.As[plugin.RefusalObserver](p)
	a.notifies, _ = plugin.As[plugin.OfflineNotifier](p)
	a.answers, _ = plugin.As[plugin.ActionHandler](p)
	return a
}

// which tells for which hooks there is something.
func (a *abilities) which() [8]bool {
	return [...]bool{
		a.intercepts != nil, a.authorizes != nil, a.messages != nil, a.rooms != nil, a.sessions != nil, a.refusals != nil,
		a.notifies != nil, a.answers != nil,
	}
}
