// This node refuses messages that shout, and tells its log who joins which room.
package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"unicode"

	"github.com/game-im/hermod/app/hermod"
	"github.com/game-im/hermod/plugin"
)

func main() {
	quiet := NewQuiet(slog.New(slog.NewTextHandler(os.Stderr, nil)))
	hermod.Main(append(hermod.Standard(), quiet)...)
}

// Quiet is a plugin: a name, keys of its own, and capabilities.
type Quiet struct {
	keys struct {
		MaxCapitals int `json:"max_capitals"` // in a row
	}
	log *slog.Logger
}

// NewQuiet returns the plugin with its defaults.
func NewQuiet(log *slog.Logger) *Quiet {
	q := &Quiet{log: log}
	q.keys.MaxCapitals = 10
	return q
}

// Name is what the configuration calls it.
func (*Quiet) Name() string { return "quiet" }

// Config returns what the keys below plugins[].config are set on.
func (q *Quiet) Config() any { return &q.keys }

// Validate tells what is wrong with them.
func (q *Quiet) Validate() error {
	if q.keys.MaxCapitals < 1 {
		return errors.New("max_capitals must be 1 at least")
	}
	return nil
}

// InterceptMessage is asked before a message is stored.
func (q *Quiet) InterceptMessage(_ context.Context, m plugin.Message) (plugin.Message, error) {
	row := 0
	for _, r := range string(m.Content) {
		switch {
		case unicode.IsUpper(r):
			row++
		case unicode.IsLower(r):
			row = 0
		}
		if m.Type == plugin.Text && row > q.keys.MaxCapitals {
			return m, plugin.Refused("please do not shout")
		}
	}
	return m, nil
}

// ObserveRoom hears who joins and leaves.
func (q *Quiet) ObserveRoom(_ context.Context, e plugin.RoomEvent) error {
	q.log.Info("a room has changed", "room", e.RoomID, "user", e.UserID, "what", e.Kind)
	return nil
}
