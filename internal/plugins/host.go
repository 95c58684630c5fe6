package plugins

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/plugin"
)

const (
	startWithin = 30 * time.Second
	stopWithin  = 5 * time.Second
)

// Host has the plugins that a node uses.
type Host struct {
	all          []*member
	interceptors *Interceptors
	authorizers  *Authorizers
	messages     []observer
	rooms        []observer
	sessions     []observer
	notifiers    []*notifier
	handlers     map[string]*handler
	carriers     []*Carrier
	stopped      sync.Once
	retiring     sync.WaitGroup // of values that others have taken the place of
	ending       chan struct{}  // closed when they must hurry
	log          *slog.Logger
}

// New returns a host of those linked plugins that the configuration names, in its order, with their keys
// set and checked. Those whose names are ready are so already. What is wrong with the configuration is told
// as conf.Problems.
func New(configured []*conf.Plugin, linked []plugin.Plugin, m *Metrics, log *slog.Logger, ready ...string) (*Host, error) {
	h := &Host{log: log, ending: make(chan struct{})}
	var problems conf.Problems
	for i, c := range configured {
		at := fmt.Sprintf("plugins[%d]", i)
		p, problem := find(linked, c.GetName(), at)
		if problem != nil {
			problems = append(problems, *problem)
			continue
		}
		if problem := samplable(p, c.GetSample(), at); problem != nil {
			problems = append(problems, *problem)
		}
		its := newMember(p, c, m, log)
		its.ready = slices.Contains(ready, c.GetName())
		if !its.ready && !c.IsProcess() && !c.IsService() { // those were told when they were connected to
			problems = append(problems, configure(p, at+".config", given{keys: c.GetConfig().AsMap(), at: at + ".config"})...)
		}
		h.all = append(h.all, its)
	}
	if len(problems) > 0 {
		return nil, problems
	}
	if err := h.gather(); err != nil {
		return nil, err
	}
	return h, nil
}

// find returns the plugin with a name.
func find(linked []plugin.Plugin, name, at string) (plugin.Plugin, *conf.Problem) {
	var found plugin.Plugin
	var names []string
	for _, p := range linked {
		if p.Name() == name && found != nil {
			return nil, &conf.Problem{Path: at + ".name", Text: fmt.Sprintf("two plugins are named %q; link one of them, or give one that runs outside another name", name)}
		}
		if p.Name() == name {
			found = p
		}
		names = append(names, p.Name())
	}
	if found == nil {
		slices.Sort(names)
		return nil, &conf.Problem{Path: at + ".name", Text: fmt.Sprintf("%q is not linked into this node; one of %s. A plugin that runs outside needs process.command or service.targets", name, strings.Join(slices.Compact(names), ", "))}
	}
	return found, nil
}

func boundsOf(c *conf.Plugin) bounds {
	return bounds{
		deadline:    cmp.Or(c.GetDeadline().AsDuration(), 500*time.Millisecond),
		concurrency: int(cmp.Or(c.GetConcurrency(), 64)),
		queue:       int(cmp.Or(c.GetQueue(), 4096)),
		failures:    int(cmp.Or(c.GetFailures(), 5)),
		retryAfter:  cmp.Or(c.GetRetryAfter().AsDuration(), 10*time.Second),
		open:        c.GetOnFailure() == conf.OnFailureOpen,
		sample:      sampleOf(c.GetSample()),
	}
}

// gather finds out, once, what the plugins can do.
func (h *Host) gather() (err error) {
	var chain, first []*checkpoint
	var handlers []*handler
	for _, m := range h.all {
		able := m.guard().able
		if able.intercepts != nil {
			chain = append(chain, &checkpoint{member: m, hook: m.meters.hook("intercept_message")})
		}
		if able.authorizes != nil {
			who := &authorizer{m, m.meters.hook("authorize")}
			first = append(first, &checkpoint{member: m, authorizes: true, hook: who.hook})
			h.authorizes(who)
		}
		if able.notifies != nil {
			h.notifiers = append(h.notifiers, newNotifier(m))
		}
		if able.answers != nil {
			handlers = append(handlers, &handler{m, m.meters.hook("handle_action")})
		}
		if p, ok := plugin.As[plugin.Transport](able.plugin); ok {
			m.lent = true
			h.carriers = append(h.carriers, &Carrier{p, m, m.meters.hook("accept_conns")})
		}
	}
	h.messages = observers(h.all, "observe_message", func(a *abilities) bool { return a.messages != nil })
	h.rooms = observers(h.all, "observe_room", func(a *abilities) bool { return a.rooms != nil })
	h.sessions = observers(h.all, "observe_session", func(a *abilities) bool { return a.sessions != nil })
	refused := refusals(observers(h.all, "observe_refusal", func(a *abilities) bool { return a.refusals != nil }))
	if chain = append(first, chain...); len(chain) > 0 {
		h.interceptors = &Interceptors{chain: chain, whose: len(first)+len(refused) > 0, lines: newLines(), refusals: refused}
	}
	if h.authorizers != nil {
		h.authorizers.refusals = refused
	}
	h.handlers, err = handlersOf(handlers)
	return err
}

// observers returns those of the plugins that observe something.
func observers(all []*member, hook string, does func(*abilities) bool) (found []observer) {
	for _, m := range all {
		if does(m.guard().able) {
			found = append(found, observer{m.observes(), m.meters.hook(hook)})
		}
	}
	return found
}

// With returns those plugins of a host that have the capability C, in their order. They keep their keys for as long
// as the node runs. It is called before the node serves.
func With[C any](h *Host) (found []C) {
	for _, m := range h.all {
		if p, ok := plugin.As[C](m.plugin()); ok {
			m.lent = true
			found = append(found, p)
		}
	}
	return found
}

// Collectors returns the instruments that plugins have of their own. They are registered once: a plugin that is Renewable
// hands them on to the value that takes its place.
func (h *Host) Collectors() (all []prometheus.Collector) {
	for _, m := range h.all {
		if p, ok := plugin.As[interface{ Collectors() []prometheus.Collector }](m.plugin()); ok {
			all = append(all, p.Collectors()...)
		}
	}
	return all
}

// Interceptor returns what decides about messages, nil if no plugin does.
func (h *Host) Interceptor() biz.Interceptor {
	if h.interceptors == nil {
		return nil
	}
	return h.interceptors
}

// Authorizer returns what decides about joining and pushing, nil if no plugin does.
func (h *Host) Authorizer() biz.Authorizer {
	if h.authorizers == nil {
		return nil
	}
	return h.authorizers
}

func (h *Host) authorizes(who *authorizer) {
	if h.authorizers == nil {
		h.authorizers = &Authorizers{}
	}
	h.authorizers.chain = append(h.authorizers.chain, who)
}

// Observe returns live, or what tells plugins of that which live is given, if there are any to tell.
func (h *Host) Observe(live Live) Live {
	if len(h.messages) == 0 && len(h.rooms) == 0 && len(h.notifiers) == 0 {
		return live
	}
	return &observed{Live: live, messages: h.messages, rooms: h.rooms, notifiers: h.notifiers}
}

// Answer returns services, or what has plugins answer their actions first, if there are any.
func (h *Host) Answer(services biz.Upstream) biz.Upstream {
	if len(h.handlers) == 0 {
		return services
	}
	return &answering{handlers: h.handlers, services: services}
}

// Start gets the plugins ready, in their order. When one fails, those before it are stopped, and the
// error names it.
func (h *Host) Start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	for i, m := range h.all {
		if err := m.step(plugin.WithLogger(ctx, m.log), start); err != nil {
			h.stop(h.all[:i])
			return fmt.Errorf("the plugin %s does not start: %w", m.name, err)
		}
		h.log.Info("a plugin is used", "plugin", m.name)
	}
	return nil
}

// Stop tells observers what waits for them, and then ends the plugins, the last one first. It takes five
// seconds for each of the two at most, and is called when nothing is delivered any more. It may be called
// again.
func (h *Host) Stop() { h.stopped.Do(h.end) }

func (h *Host) end() {
	if h.interceptors != nil {
		h.interceptors.crew.stop()
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
	defer cancel()
	for _, m := range h.all {
		if m.feed != nil {
			m.feed.settle(ctx)
		}
	}
	for _, n := range h.notifiers {
		n.settle(ctx)
	}
	close(h.ending)
	h.stop(h.all)
	h.retiring.Wait() // each has its own five seconds, and they began before
}

func (h *Host) stop(started []*member) {
	ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
	defer cancel()
	for _, m := range slices.Backward(started) {
		if err := m.step(ctx, stop); err != nil {
			h.log.Warn("a plugin did not stop", "plugin", m.name, "error", err)
		}
	}
}

func start(ctx context.Context, p plugin.Plugin) error {
	if s, ok := plugin.As[plugin.Starter](p); ok {
		return s.Start(ctx)
	}
	return nil
}

func stop(ctx context.Context, p plugin.Plugin) error {
	if s, ok := plugin.As[plugin.Stopper](p); ok {
		return s.Stop(ctx)
	}
	return nil
}

// within waits for a step of a plugin until ctx is done. One that panics has failed.
func within(ctx context.Context, p plugin.Plugin, step func(context.Context, plugin.Plugin) error) error {
	done := make(chan error, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				done <- &panicked{r}
			}
		}()
		done <- step(ctx, p)
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("it did not come back: %w", ctx.Err())
	}
}
