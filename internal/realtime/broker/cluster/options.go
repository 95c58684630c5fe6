package cluster

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/game-im/hermod/internal/realtime/broker"
)

// Options say how a node takes part.
type Options struct {
	// Name keeps clusters apart that share an engine: letters, digits, dashes, underscores. Default: hermod.
	Name string
	// Self is what the others are told of this node. ID is new with every start of the process, and has
	// the same characters as Name. Info is at most maxInfo bytes.
	Self broker.Member
	// Codec makes payloads of frames into bytes.
	Codec Codec
	// Log takes what operators should know: outages, not messages.
	Log *slog.Logger

	// OutboxBytes and InboxBytes bound what waits to be sent and to be handled; beyond, it is dropped.
	// Default: 64 MiB each.
	OutboxBytes, InboxBytes int
	// Lanes is how many goroutines handle what comes. Default: 4.
	Lanes int
	// Hello is how often a node says that it lives; Expiry after how long a silence it is gone.
	// After an outage of the engine it has 10 s more. Default: 1 s and 4 s.
	Hello, Expiry time.Duration
	// Heads is how often it is told again how far logs reach on which something was published lately, three
	// times after the last: a publication that was lost is known to be missing after as long, when what tells
	// of it is not lost too. Default: 1 s.
	Heads time.Duration
	// SubscribeWait is how long Subscribe waits for the engine. Default: 1 s.
	SubscribeWait time.Duration
	// AskTimeout bounds an Ask whose context has no deadline. Default: 5 s.
	AskTimeout time.Duration
}

// maxInfo bounds what a node says of itself, since it says it all the time.
const maxInfo = 4096

// filled returns the options with their defaults, or what is wrong with them.
func (o Options) filled() (Options, error) {
	set(&o.Name, "hermod")
	set(&o.OutboxBytes, 64<<20)
	set(&o.InboxBytes, 64<<20)
	set(&o.Lanes, 4)
	set(&o.Hello, time.Second)
	set(&o.Expiry, 4*o.Hello)
	set(&o.Heads, time.Second)
	set(&o.SubscribeWait, time.Second)
	set(&o.AskTimeout, 5*time.Second)
	switch {
	case !plain(o.Self.ID) || strings.Contains(o.Self.ID, ":") || len(o.Self.ID) > maxPlain:
		return o, fmt.Errorf("cluster: node id %q: it takes 1 to %d letters, digits, dashes and underscores", o.Self.ID, maxPlain)
	case len(o.Self.Info) > maxInfo:
		return o, fmt.Errorf("cluster: a node says %d bytes of itself, %d are allowed", len(o.Self.Info), maxInfo)
	case o.Codec == nil || o.Log == nil:
		return o, errors.New("cluster: a codec and a log are needed")
	case o.Expiry < 2*o.Hello:
		return o, fmt.Errorf("cluster: nodes say hello every %v and would be gone after %v: at least twice as long is needed", o.Hello, o.Expiry)
	case o.OutboxBytes < 0 || o.InboxBytes < 0 || o.Lanes < 0 || o.Hello < 0 || o.Heads < 0 || o.SubscribeWait < 0 || o.AskTimeout < 0:
		return o, errors.New("cluster: bounds and times are positive")
	}
	return o, nil
}

func set[T comparable](field *T, to T) {
	var zero T
	if *field == zero {
		*field = to
	}
}
