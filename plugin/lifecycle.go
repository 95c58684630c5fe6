package plugin

import (
	"context"
	"log/slog"
)

// A node takes a plugin through these steps, each of which it may leave out:
//
//	Config → Validate → Start → calls → Stop
//
// Plugins start in the order of the configuration, and stop in reverse; those that a key of their own chooses,
// such as auth.mode, start before all others, since the node is made of them. What fails before the node
// serves ends it, with a message that names the plugin. Plugins that the configuration does not name
// take no step.

// Configurable is the capability to have keys of one's own, below plugins[].config. What a key chooses is also
// given those of its section, such as registry.addrs, that it has fields for.
type Configurable interface {
	// Config returns a pointer to a struct that holds the defaults; it is called once. The node then sets
	// the fields that the configuration has keys for, by their json tags. A field is a string, bool,
	// number, time.Duration (written 1m30s), a slice or a map of such, or a struct of fields. A key that
	// no field has is refused, with those that there are.
	Config() any
}

// Validator is the capability to check one's configuration.
type Validator interface {
	// Validate tells what is wrong, naming the key and what is allowed. It is called once, before
	// anything starts, and has no effects.
	Validate() error
}

// Starter is the capability to get ready.
type Starter interface {
	// Start is called once, before any other capability, and returns when the plugin is ready, or ctx is
	// done, after 30 seconds. What it runs in the background goes on until Stop, and logs to Logger(ctx).
	Start(ctx context.Context) error
}

// Stopper is the capability to end in order.
type Stopper interface {
	// Stop is called once, if Start has returned nil or there is none, when no call is under way but
	// those that were given up. It ends what the plugin runs, within five seconds: then ctx is done, and
	// the node goes without it.
	Stop(ctx context.Context) error
}

// Renewable is the capability to take new keys while the node runs. When the configuration of such a plugin has changed,
// a fresh value takes the steps up to Start beside the one that serves. From then on it is called, and the old one
// stops when its calls are back. If the fresh value refuses its keys or does not start, the old one goes on.
// Values that cannot be there at the same time, since each takes the same port for instance, are not for this. What the
// node is made of, such as Transport, and what a key of its own chooses, takes new keys by a restart.
type Renewable interface {
	// Renew returns a fresh value of the plugin, with its defaults: Config has not been called on it. It has the same name
	// and capabilities, and answers the same actions. What both share must be safe for use by both.
	Renew() Plugin
}

type loggerKey struct{}

// WithLogger returns a context that carries a plugin's logger; nodes and tests make it.
func WithLogger(ctx context.Context, log *slog.Logger) context.Context {
	return context.WithValue(ctx, loggerKey{}, log)
}

// Logger returns the node's logger for a plugin from the context of its Start, and the default one from
// any other context. It may be kept.
func Logger(ctx context.Context) *slog.Logger {
	if log, ok := ctx.Value(loggerKey{}).(*slog.Logger); ok {
		return log
	}
	return slog.Default()
}
