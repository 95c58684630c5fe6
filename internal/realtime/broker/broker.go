// Package broker carries publications between the nodes of a cluster, asks other nodes, and tells
// which there are. It is never the truth: what has a seq is in the store before it is published, so
// what a broker brings is a hint, and all of it may be lost, come twice, late and in another order.
//
// What a consumer may rely on, whatever the broker, and nothing else:
//
//   - what this node publishes on a channel that it follows, and what has an Origin, is handled before
//     Publish returns, also while no other node can be reached;
//   - what a broker knows to have lost, it tells by Handlers.Missed, when it can be read again;
//   - an answer belongs to its request, and comes at most once from each node;
//   - a node that said that it leaves is never back under the same id.
//
// What needs an order has a seq, or is published by one node. The conformance suite for
// implementations, with a layer that loses, repeats, reorders and delays, is in brokertest. Memory is
// the broker of a node that is alone, package cluster that of many.
package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/game-im/hermod/internal/realtime/frame"
)

// Handlers take what arrives. None of them may block; they are called by several goroutines, also for
// the same channel. Those that are nil are not called.
type Handlers struct {
	// Publication takes a publication, which it must not change.
	Publication func(p *frame.Publication)
	// Publications takes those of one channel that were published at once, in their order, and without an ID. When
	// it is nil, Publication takes one after another.
	Publications func(ps []*frame.Publication)
	// Missed tells that publications of a channel that this node follows may not have come, up to now;
	// an empty name means every channel. It may come often, and without anything being missing.
	Missed func(channel string)
	// Request takes what another node asks; see Asker.
	Request func(r Request)
	// Member tells that another node has come, or is gone. Calls follow one another.
	Member func(m Member, here bool)
}

// Take hands over publications of one channel.
func (h *Handlers) Take(ps []*frame.Publication) {
	if h.Publications != nil && !slices.ContainsFunc(ps, func(p *frame.Publication) bool { return p.ID != "" }) {
		h.Publications(ps)
		return
	}
	if h.Publication == nil {
		return
	}
	for _, p := range ps {
		h.Publication(p)
	}
}

// Broker is one node's connection to the others. All methods are safe for concurrent use.
type Broker interface {
	// Attach names who takes what arrives. It is called once, before any other method.
	Attach(h Handlers)
	// Run does what the broker has to do in the background. When ctx ends it sends what waits, as far as
	// that takes seconds, and returns.
	Run(ctx context.Context) error
	// Subscribe tells that the node has somebody on a channel now: from its return on, publications of
	// that channel arrive. If that takes longer than a moment it returns all the same, and Missed tells
	// when they do. Subscribing again changes nothing. The error is that of ctx, or says that the broker
	// does not take the name.
	Subscribe(ctx context.Context, channel string) error
	// Unsubscribe tells that it has nobody left.
	Unsubscribe(ctx context.Context, channel string) error
	// Publish sends p to every node that is subscribed, this one included; to this one also when p
	// has an Origin, whose session waits for the reply. It does not wait for the others, and no slow one
	// of them holds it up. An error means that p could not have been sent at all: it is too large, or
	// cannot be encoded. What is lost on the way is no error.
	Publish(ctx context.Context, p *frame.Publication) error
}

// Gatherer is a Broker that takes at once what was stored together.
type Gatherer interface {
	// PublishAll does what Publish does, for publications of one channel in the order of their seq, of which there is
	// at least one; all of them have one. They travel together as far as that is possible, and any of them
	// may be lost by itself. An error is the first that Publish would have returned.
	PublishAll(ctx context.Context, ps []*frame.Publication) error
}

// What Asker.Ask fails with.
var (
	ErrNobody = errors.New("broker: no other node takes such requests") // nobody else follows the channel
	ErrGone   = fmt.Errorf("%w any more", ErrNobody)                    // who may have got it is gone, and has not answered
	ErrDown   = errors.New("broker: other nodes are out of reach")
)

// Asker asks the other nodes.
type Asker interface {
	// Ask sends a request to the other nodes that follow a channel and gives take their answers, one
	// after another, until it returns false, all of them have answered, or ctx ends. How many there
	// are is not always known, and then that alone, or some seconds, end it: context.DeadlineExceeded.
	// A request that nobody takes is ErrNobody, as far as that is known at once; ErrGone is one, too.
	//
	// NodeChannel is followed by one node, EveryNode by all, without subscribing; of those it is known.
	// The seconds are for a ctx without a deadline.
	Ask(ctx context.Context, channel string, body []byte, take func(Answer) (more bool)) error
	// Tell sends them a request that nobody answers, and does not wait. An error means that it was not sent.
	Tell(channel string, body []byte) error
}

// Request is what another node asks. Answer may be called from anywhere, at once or later; only the first
// call counts. Whoever has nothing to say to a channel's request need not call it, which has the asker wait.
type Request struct {
	Node    string // who asks
	Channel string
	Body    []byte
	Answer  func(body []byte)
}

// Answer is what a node answered.
type Answer struct {
	Node string
	Body []byte
}

// Directory knows the nodes of the cluster.
type Directory interface {
	// Self is this node's id; empty: it is no part of a cluster.
	Self() string
	// Members returns the other nodes, in no order.
	Members() []Member
}

// Cluster is all of it, which is what a node needs.
type Cluster interface {
	Broker
	Gatherer
	Asker
	Directory
}

// Member is a node of the cluster.
type Member struct {
	ID   string // of the process: a node that starts again has another one
	Info []byte // what it says of itself, such as where it is reached
}

// EveryNode is a channel that every node follows, for requests alone.
const EveryNode = "node:"

// NodeChannel names the channel that one node follows, for requests alone.
func NodeChannel(id string) string { return EveryNode + id }
