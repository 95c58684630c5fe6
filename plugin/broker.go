package plugin

import (
	"context"
	"log/slog"
)

// Broker is the capability to connect the nodes of a cluster. A node that is one of many has one, the plugin
// whose name is cluster.type.
//
// What it carries may be lost, come twice, late and in another order: the store has the truth, and the
// node notices what is missing. All that is asked for is that it mostly arrives, and that an outage is told.
type Broker interface {
	// OpenBus returns the bus of a node. It need not connect before Run, and an engine that cannot be reached
	// is no error. It is called once, when the plugin has started.
	OpenBus(n ClusterNode) (Bus, error)
}

// ClusterNode is a node that takes part in a cluster.
type ClusterNode struct {
	Cluster string // cluster.name, which keeps clusters apart that share an engine; every subject begins with it
	ID      string // of the process: a node that starts again has another one
	Log     *slog.Logger
}

// Bus carries bytes between nodes. What it does is at most once and best effort: its methods are those of
// somebody who shouts into a room.
//
// A subject is up to 200 bytes of letters, digits, colons, dashes, underscores and tildes, with dots between
// its parts. No part of one is a pattern.
type Bus interface {
	// Run connects, and stays connected until ctx ends: after an outage it connects again, for ever, with
	// growing pauses, and restores what is followed. When ctx ends it hands over what was sent, within a
	// second or so, and returns; nothing is told to the sink any more. It is called once. It fails only for what
	// no patience could mend, which ends the node.
	Run(ctx context.Context, sink BusSink) error
	// Follow has messages of these subjects received. Without an error they are from now on, from every
	// node that sends by the same server. With one they are not yet, but the bus knows of it, and calls
	// BusSink.Connected when they are. It is called by one goroutine, also before Run.
	Follow(ctx context.Context, subjects []string) error
	// Leave ends that. It is called by the same goroutine.
	Leave(subjects []string)
	// Send sends messages in this order to all others that follow their subjects. It is called by one
	// goroutine and may block for some seconds. With an error any of them may not have been sent.
	Send(ctx context.Context, batch []BusMessage) error
	// MaxBytes is how large a message's Data may be, as far as it is known: 0 is not.
	MaxBytes() int
}

// BusMessage is what is sent. Nothing of it changes after that, and the bus changes nothing of it.
type BusMessage struct {
	Subject string
	Data    []byte
	// Ask numbers a message of which BusSink.Reached is to tell how many got it; 0: none cares.
	Ask uint64
}

// BusSink takes what a bus has to say. Its methods do not block and are safe for concurrent use.
type BusSink interface {
	// Receive takes a message, for good: data is not used again. Whether this node's own come back does not
	// matter.
	Receive(subject string, data []byte)
	// Reached tells how many others got a message that is an Ask. A bus that cannot know says nothing.
	Reached(ask uint64, others int)
	// Connected tells that messages can be sent and that those of all that is followed are received, from
	// now on; what was sent since Disconnected, or shortly before, is lost.
	Connected()
	// Disconnected tells that neither is so. It is called once for each Connected.
	Disconnected(why error)
	// Dropped tells that what was received was dropped, n messages as far as known, since it was not taken
	// fast enough, and that this is over.
	Dropped(n int)
}
