package plugins

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/linked"
	"github.com/game-im/hermod/plugin"
)

// Chosen has the plugins that keys of the configuration choose one by one, such as auth.mode. They get ready
// before the node is put together, since it is made of them, and are called without a guard, as the parts
// that they stand for. It is used by one goroutine.
type Chosen struct {
	linked   []plugin.Plugin
	listed   []*conf.Plugin
	all      []choice // as they were chosen, each plugin once
	started  int      // of all
	problems conf.Problems
	log      *slog.Logger
}

type choice struct {
	plugin plugin.Plugin
	key    string
}

// Choice is a key that chooses a plugin.
type Choice struct {
	Key  string // such as auth.mode
	Name string // its value
	What string // it chooses among, in the plural: authenticators
	Keys Section
}

// Section is what the schema itself has for such plugins. A plugin is given those keys that it has fields
// for.
type Section struct {
	Keys map[string]any
	At   string // auth.jwt
	Of   string // the only plugin that it is for; empty: any
}

// NewChosen returns the choice among linked plugins. listed is the configuration's list of plugins, which may
// have keys of those that are chosen, too.
func NewChosen(all []plugin.Plugin, listed []*conf.Plugin, log *slog.Logger) *Chosen {
	return &Chosen{linked: all, listed: listed, log: log}
}

// Choose returns the plugin of a choice with its keys set and checked: what the section has of them, and
// then those of its entry in the list. What is wrong is told by Start.
func Choose[C any](ch *Chosen, c Choice) (found C) {
	found, err := linked.Choose[C](ch.linked, c.Key, c.Name, c.What)
	var problems conf.Problems
	if errors.As(err, &problems) {
		ch.problems = append(ch.problems, problems...)
		return found
	}
	if p, ok := any(found).(plugin.Plugin); ok && !slices.ContainsFunc(ch.all, func(other choice) bool { return same(p, other.plugin) }) {
		ch.problems = append(ch.problems, ch.configure(p, c)...)
		ch.all = append(ch.all, choice{p, c.Key})
	}
	return found
}

// same tells whether two are one plugin: two values of a type have the same capabilities, and one name of
// two is refused. They may be of a type that == does not take.
func same(a, b plugin.Plugin) bool {
	return reflect.TypeOf(a) == reflect.TypeOf(b) && a.Name() == b.Name()
}

func (ch *Chosen) configure(p plugin.Plugin, c Choice) conf.Problems {
	var sections []given
	if c.Keys.Of == "" || c.Keys.Of == p.Name() {
		sections = append(sections, given{keys: c.Keys.Keys, at: c.Keys.At, kind: true})
	}
	entry, at := ch.entry(p.Name())
	if at != "" {
		sections = append(sections, given{keys: entry, at: at})
	}
	return configure(p, cmp.Or(at, c.Keys.At, c.Key), sections...)
}

// entry returns the keys of a plugin's entry in the list, and where they stand; "" when it has none.
func (ch *Chosen) entry(name string) (keys map[string]any, at string) {
	for i, l := range ch.listed {
		if l.GetName() == name {
			return l.GetConfig().AsMap(), fmt.Sprintf("plugins[%d].config", i)
		}
	}
	return nil, ""
}

// Link adds plugins that may be chosen from then on.
func (ch *Chosen) Link(more ...plugin.Plugin) { ch.linked = slices.Concat(ch.linked, more) }

// Start gets the plugins ready that were chosen since it was called last, in that order, or says what is wrong with
// the configuration, as conf.Problems. When one fails, the error names it and its key; Stop stops those before it. dir
// is where the node keeps its files.
func (ch *Chosen) Start(ctx context.Context, dir string) error {
	if len(ch.problems) > 0 {
		return ch.problems
	}
	ctx, cancel := context.WithTimeout(plugin.WithDataDir(ctx, dir), startWithin)
	defer cancel()
	for _, c := range ch.all[ch.started:] {
		if err := within(plugin.WithLogger(ctx, ch.log.With("plugin", c.plugin.Name())), c.plugin, start); err != nil {
			return fmt.Errorf("%s: the plugin %s does not start: %w", c.key, c.plugin.Name(), err)
		}
		ch.started++
	}
	return nil
}

// Names returns the names of the plugins that were chosen.
func (ch *Chosen) Names() (names []string) {
	for _, c := range ch.all {
		names = append(names, c.plugin.Name())
	}
	return names
}

// Stop ends the plugins that were started, the last one first, within five seconds. It is called once, when nothing
// uses them any more.
func (ch *Chosen) Stop() {
	ctx, cancel := context.WithTimeout(context.Background(), stopWithin)
	defer cancel()
	for _, c := range slices.Backward(ch.all[:ch.started]) {
		if err := within(ctx, c.plugin, stop); err != nil {
			ch.log.Warn("a plugin did not stop", "plugin", c.plugin.Name(), "error", err)
		}
	}
}
