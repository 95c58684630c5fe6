package remote

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	pluginv1 "github.com/game-im/hermod/api/plugin/v1"
	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/plugin"
)

// startWithin is how long the plugins may take until they are ready, all at once: long enough for each to
// say by itself why it is not.
const startWithin = helloWithin + time.Second

// Options are what plugins that run outside need of the node.
type Options struct {
	Version string // of the node
	Log     *slog.Logger
	// Find returns what tells found of what the registry has under names, whenever that changes, until its
	// context ends. It is called once, if there are names.
	Find func(names []string, found func(name string, at []Address)) (run func(context.Context), err error)
}

// Plugins are the plugins of a node that run outside.
type Plugins struct {
	all     []*Plugin
	metrics *metrics
	cancel  context.CancelFunc
	finder  sync.WaitGroup
}

// Open starts the processes that the configuration names and connects to the services, and returns when all
// are ready. What a plugin says is wrong with its keys is told as conf.Problems; one that is not ready
// within thirty seconds is an error that names it. When it fails, nothing is left behind.
func Open(ctx context.Context, configured []*conf.Plugin, o Options) (*Plugins, error) {
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	all := &Plugins{metrics: newMetrics(), cancel: cancel}
	firsts, err := all.begin(life, configured, &o)
	if err == nil {
		err = all.await(ctx, firsts)
	}
	if err != nil {
		all.Close()
		return nil, err
	}
	return all, nil
}

// first is what is heard of a plugin's first life, once.
type first struct {
	of   *Plugin
	at   string // in the configuration
	told chan error
}

// begin has the plugins live.
func (a *Plugins) begin(ctx context.Context, configured []*conf.Plugin, o *Options) (firsts []first, err error) {
	services := map[string][]*service{} // by the names that they look for
	for i, c := range configured {
		if !c.IsProcess() && !c.IsService() {
			continue
		}
		at := fmt.Sprintf("plugins[%d]", i)
		p := &Plugin{
			name: c.GetName(), log: o.Log.With("plugin", c.GetName()), meters: a.metrics.of(c.GetName()), ended: make(chan struct{}),
			hello: &pluginv1.Hello{Name: c.GetName(), NodeVersion: o.Version, Config: c.GetConfig()},
		}
		if p.home, err = homeOf(c, at, p, services); err != nil {
			return nil, err
		}
		life, cancel := context.WithCancel(ctx)
		p.cancel = cancel
		f := first{p, at, make(chan error, 1)}
		a.all, firsts = append(a.all, p), append(firsts, f)
		go p.run(life, f.told)
	}
	return firsts, a.find(ctx, services, o)
}

func homeOf(c *conf.Plugin, at string, p *Plugin, services map[string][]*service) (home, error) {
	if c.IsProcess() {
		run := c.GetProcess()
		return &program{
			command: run.GetCommand(), dir: run.GetDir(), env: run.Environment(), memory: cmp.Or(run.GetMemoryBytes(), conf.DefaultPluginMemory),
			log: p.log, meters: p.meters,
		}, nil
	}
	secured, err := conf.TLSConfig(at+".service.tls", c.GetService().GetTls())
	if err != nil {
		return nil, err
	}
	addrs, names := c.GetService().Split()
	s := newService(addrs, names, secured)
	for _, name := range names {
		services[name] = append(services[name], s)
	}
	return s, nil
}

// find has services told of what the registry has.
func (a *Plugins) find(ctx context.Context, services map[string][]*service, o *Options) error {
	if len(services) == 0 {
		return nil
	}
	var names []string
	for name := range services {
		names = append(names, name)
	}
	run, err := o.Find(names, func(name string, at []Address) {
		for _, s := range services[name] {
			s.tell(name, at)
		}
	})
	if err != nil {
		return err
	}
	a.finder.Go(func() { run(ctx) })
	return nil
}

// await waits until all plugins are ready, or one says that it never will be.
func (a *Plugins) await(ctx context.Context, firsts []first) error {
	ctx, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	var problems conf.Problems
	for _, f := range firsts {
		var err error
		select {
		case err = <-f.told:
		case <-ctx.Done():
			f.of.cancel() // then it tells where it stands
			err = <-f.told
			if err == nil {
				err = ctx.Err()
			}
			err = fmt.Errorf("it is not ready: %w", err)
		}
		var refused *refusal
		switch {
		case err == nil:
		case errors.As(err, &refused) && len(refused.description.GetProblems()) > 0:
			for _, p := range refused.description.GetProblems() {
				problems = append(problems, conf.Problem{Path: below(f.at+".config", p.GetKey()), Text: p.GetText()})
			}
		default:
			return fmt.Errorf("the plugin %s does not start: %w", f.of.name, err)
		}
	}
	if len(problems) > 0 {
		return problems
	}
	return nil
}

func below(at, key string) string {
	if key == "" {
		return at
	}
	return at + "." + key
}

// Linked returns the plugins, to be chosen as those that are linked.
func (a *Plugins) Linked() (all []plugin.Plugin) {
	for _, p := range a.all {
		all = append(all, p)
	}
	return all
}

// Collectors returns the instruments of the plugins, for registration.
func (a *Plugins) Collectors() []prometheus.Collector { return a.metrics.collectors() }

// Close ends what Stop has not ended, in some seconds, and may be called again.
func (a *Plugins) Close() {
	a.cancel()
	for _, p := range a.all {
		select {
		case <-p.ended:
		case <-time.After(2 * graceful):
			p.log.Warn("a plugin that runs outside does not end and is left behind")
		}
	}
	a.finder.Wait()
}
