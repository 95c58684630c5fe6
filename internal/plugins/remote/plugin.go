package remote

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"

	pluginv1 "github.com/game-im/hermod/api/plugin/v1"
	"github.com/game-im/hermod/internal/plugins/frames"
	"github.com/game-im/hermod/plugin"
)

// Plugin is a plugin.Assembled that runs elsewhere.
type Plugin struct {
	name    string
	hello   *pluginv1.Hello
	home    home
	log     *slog.Logger
	meters  *meters
	current atomic.Pointer[life] // nil: there is none

	parts   []any // what the first life could do; set before anybody asks
	can     []pluginv1.Capability
	actions []string

	cancel context.CancelFunc
	ended  chan struct{} // closed when the last life is over
}

// Name implements plugin.Plugin.
func (p *Plugin) Name() string { return p.name }

// Parts implements plugin.Assembled.
func (p *Plugin) Parts() []any { return p.parts }

// Stop ends the plugin, and its process.
func (p *Plugin) Stop(ctx context.Context) error {
	p.cancel()
	select {
	case <-p.ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("its process does not end: %w", ctx.Err())
	}
}

// ask makes a call of whatever life there is. What cannot be told is refused: it is nobody's failure but that of whoever said it.
func (p *Plugin) ask(ctx context.Context, c *pluginv1.Call) (*pluginv1.Answer, error) {
	now := p.current.Load()
	if now == nil {
		return nil, errAway
	}
	a, err := now.link.ask(ctx, c)
	if errors.Is(err, frames.ErrTooLarge) {
		return nil, plugin.Refused("it is too large to be told to a plugin")
	}
	return a, err
}

// settle keeps what the first life can do, and refuses a later one that can do less: the node counts on it.
func (p *Plugin) settle(d *pluginv1.Description) error {
	if p.parts == nil {
		p.can, p.actions = d.GetCapabilities(), slices.Clone(d.GetActions())
		p.parts = append(partsOf(p), stopper{p})
		return nil
	}
	if lost := lacks(d.GetCapabilities(), p.can); len(lost) > 0 {
		return fmt.Errorf("it cannot do any more what it could when the node started: %v", lost)
	}
	if lost := lacks(d.GetActions(), p.actions); len(lost) > 0 {
		return fmt.Errorf("it does not answer actions any more that it did when the node started: %q", lost)
	}
	return nil
}

func lacks[T comparable](has, wanted []T) (lost []T) {
	for _, w := range wanted {
		if !slices.Contains(has, w) {
			lost = append(lost, w)
		}
	}
	return lost
}

// stopper has the host stop the plugin in its turn.
type stopper struct{ of *Plugin }

func (s stopper) Stop(ctx context.Context) error { return s.of.Stop(ctx) }

var _ plugin.Assembled = (*Plugin)(nil)
