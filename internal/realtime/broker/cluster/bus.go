package cluster

import "context"

// Bus is an engine that carries bytes between nodes, such as NATS. What it does is at most once and best
// effort: its methods are those of somebody who shouts into a room.
type Bus interface {
	// Run connects, and stays connected until ctx ends: after an outage it connects again, for ever, with
	// growing pauses, and restores what is followed. When ctx ends it hands over what was sent, within a
	// second or so, and returns. It is called once. It fails only for what no patience could mend.
	Run(ctx context.Context, sink Sink) error
	// Follow has messages of these subjects received. Without an error they are from now on, from every
	// node that sends by the same server. With one they are not yet, but the bus knows of it, and calls
	// Sink.Connected when they are. It is called by one goroutine, also before Run.
	Follow(ctx context.Context, subjects []string) error
	// Leave ends that. It is called by the same goroutine.
	Leave(subjects []string)
	// Send sends messages in this order to all others that follow their subjects. It is called by one
	// goroutine and may block for some seconds. With an error any of them may not have been sent.
	Send(ctx context.Context, batch []Message) error
	// MaxBytes is how large a message's Data may be, as far as it is known: 0 is not.
	MaxBytes() int
}

// Message is what is sent. Nothing of it changes after that.
type Message struct {
	Subject string
	Data    []byte
	// Ask numbers a message of which Sink.Reached is to tell how many got it; 0: none cares.
	Ask uint64
}

// Sink takes what a bus has to say. Its methods do not block and are safe for concurrent use.
type Sink interface {
	// Receive takes a message, for good. Whether this node's own come back does not matter.
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
