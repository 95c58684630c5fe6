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
	member *member
	hook   *hook
}

// Carriers returns the plugins that carry sessions.
func (h *Host) Carriers() []*Carrier { return h.carriers }

// Name is the plugin's.
func (c *Carrier) Name() string { return c.member.name }

// Rest is how long it is left alone when it does not accept connections any more.
func (c *Carrier) Rest() time.Duration { return c.member.guard().bounds.retryAfter }

// Failed is told when it does not. An error of nil is one too: it returned too soon.
func (c *Carrier) Failed(err error) {
	if err == nil {
		err = errors.New("it has stopped accepting connections")
	}
	c.hook.outcome(err).Inc()
	c.member.log.Error("a transport does not accept connections and is asked again", "error", err, "after", c.member.guard().bounds.retryAfter)
}

// Panicked is told of a panic, in the goroutine in which that was.
func (c *Carrier) Panicked(value any) {
	err := &panicked{value}
	c.hook.outcome(err).Inc()
	c.member.guard().complain(c.hook, fmt.Errorf("%w\n%s", err, debug.Stack()), 0)
}
