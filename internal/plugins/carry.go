package plugins

import (
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/game-im/hermod/plugin"
)

// Carrier is a plugin that carries sessions, with what the node has to tell of it.
type Carrier struct {
	plugin.Transport
	guard *guard
	hook  *hook
}

// Carriers returns the plugins that carry sessions.
func (h *Host) Carriers() []*Carrier { return h.carriers }

// Name is the plugin's.
func (c *Carrier) Name() string { return c.guard.name }

// Rest is how long it is left alone when it does not accept connections any more.
func (c *Carrier) Rest() time.Duration { return c.guard.bounds.retryAfter }

// Failed is told when it does not. An error of nil is one too: it returned too soon.
func (c *Carrier) Failed(err error) {
	if err == nil {
		err = errors.New("it has stopped accepting connections")
	}
	c.hook.outcome(err).Inc()
	c.guard.log.Error("a transport does not accept connections and is asked again", "error", err, "after", c.guard.bounds.retryAfter)
}

// Panicked is told of a panic, in the goroutine in which that was.
func (c *Carrier) Panicked(value any) {
	err := &panicked{value}
	c.hook.outcome(err).Inc()
	c.guard.complain(c.hook, fmt.Errorf("%w\n%s", err, debug.Stack()), 0)
}
