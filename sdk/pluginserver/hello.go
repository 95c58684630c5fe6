package pluginserver

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"slices"

	"google.golang.org/protobuf/proto"

	pluginv1 "github.com/game-im/hermod/api/plugin/v1"
	"github.com/game-im/hermod/internal/plugins/frames"
	"github.com/game-im/hermod/internal/plugins/keys"
	"github.com/game-im/hermod/plugin"
)

// describe gets the plugin ready for the first node whose configuration it takes, and tells every one what
// it can do. Nodes that have one plugin have one configuration of it.
func (s *server) describe(hello *pluginv1.Hello) *pluginv1.Description {
	s.mu.Lock()
	defer s.mu.Unlock()
	config := hello.GetConfig()
	switch {
	case s.started && proto.Equal(s.config, config):
		return s.description()
	case s.started:
		return wrong(keys.Problem{Text: "the plugin serves another node already that has other keys; all its nodes must have the same"})
	}
	if problems := s.configure(config.AsMap()); len(problems) > 0 {
		return wrong(problems...)
	}
	if err := s.start(); err != nil {
		return &pluginv1.Description{Failure: err.Error()}
	}
	s.config, s.started = config, true
	return s.description()
}

func wrong(problems ...keys.Problem) *pluginv1.Description {
	d := &pluginv1.Description{}
	for _, p := range problems {
		d.Problems = append(d.Problems, &pluginv1.Problem{Key: p.Key, Text: p.Text})
	}
	return d
}

// configure sets the keys and has the plugin check them. What was wrong leaves the defaults behind, so that
// the next node may be right.
func (s *server) configure(given map[string]any) []keys.Problem {
	c, ok := plugin.As[plugin.Configurable](s.plugin)
	var restore func()
	switch {
	case ok:
		into := c.Config()
		if v := reflect.ValueOf(into); v.Kind() == reflect.Pointer && !v.IsNil() {
			defaults := reflect.New(v.Type().Elem()).Elem()
			defaults.Set(v.Elem())
			restore = func() { v.Elem().Set(defaults) }
		}
		if problems := keys.Set(into, given); len(problems) > 0 {
			if restore != nil {
				restore()
			}
			return problems
		}
	case len(given) > 0:
		return []keys.Problem{{Text: fmt.Sprintf("the plugin %s has no keys", s.plugin.Name())}}
	}
	v, ok := plugin.As[plugin.Validator](s.plugin)
	if !ok {
		return nil
	}
	if err := guarded(v.Validate); err != nil {
		if restore != nil {
			restore()
		}
		return []keys.Problem{{Text: err.Error()}}
	}
	return nil
}

func (s *server) start() error {
	starter, ok := plugin.As[plugin.Starter](s.plugin)
	if !ok {
		return nil
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	ctx, cancel := context.WithTimeout(plugin.WithLogger(s.ctx, log), startWithin)
	defer cancel()
	return guarded(func() error { return starter.Start(ctx) })
}

func (s *server) description() *pluginv1.Description {
	d := &pluginv1.Description{Capabilities: frames.Capabilities(s.plugin)}
	if h, ok := plugin.As[plugin.ActionHandler](s.plugin); ok {
		d.Actions = slices.Clone(h.Actions())
	}
	return d
}
