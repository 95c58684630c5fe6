// Package broker carries publications between the nodes of a cluster. It is never the truth: what
// has a seq is in the store before it is published, and a node that sees a hole reads it from
// there, so a broker may lose, repeat and delay. The conformance suite for implementations is in
// brokertest.
package broker

import (
	"context"

	"github.com/game-im/hermod/internal/realtime/frame"
)

// Handler takes the publications that arrive. It must not block, and must not change them.
type Handler func(p *frame.Publication)

// Broker is one node's connection to the others. All methods are safe for concurrent use.
type Broker interface {
	// Attach names the handler of what arrives. It is called once, before any other method.
	Attach(h Handler)
	// Run does what the broker has to do in the background, and returns when ctx ends.
	Run(ctx context.Context) error
	// Subscribe tells that the node has somebody on a channel now; from its return on, publications
	// of that channel arrive. Subscribing again changes nothing.
	Subscribe(ctx context.Context, channel string) error
	// Unsubscribe tells that it has nobody left.
	Unsubscribe(ctx context.Context, channel string) error
	// Publish sends p to every node that is subscribed, this one included; to this one also when p
	// has an Origin, whose session waits for the reply. What one goroutine publishes on one channel
	// arrives in that order, and all nodes see publications without a seq in one order.
	Publish(ctx context.Context, p *frame.Publication) error
}
