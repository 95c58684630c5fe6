package brokertest

import (
	"context"
	"slices"
	"sync/atomic"

	"github.com/game-im/hermod/internal/realtime/broker/cluster"
)

// Line is the bus of one node on a network, with which something can be wrong.
type Line struct {
	cluster.Bus
	Mute  atomic.Bool  // what it sends is lost, as if the node were killed
	Blind atomic.Bool  // how many got a request is not known, unless nobody did, as with NATS
	Sent  atomic.Int64 // messages that were not lost
	lose  atomic.Pointer[func(cluster.Message) bool]
}

// Line returns one that works.
func (n *Network) Line() *Line { return &Line{Bus: n.Bus()} }

// Losing has what lose says lost, from now on.
func (l *Line) Losing(lose func(cluster.Message) bool) { l.lose.Store(&lose) }

// Send implements cluster.Bus.
func (l *Line) Send(ctx context.Context, batch []cluster.Message) error {
	if l.Mute.Load() {
		return nil
	}
	if lose := l.lose.Load(); lose != nil {
		batch = slices.DeleteFunc(slices.Clone(batch), *lose)
	}
	l.Sent.Add(int64(len(batch)))
	return l.Bus.Send(ctx, batch)
}

// Run implements cluster.Bus.
func (l *Line) Run(ctx context.Context, s cluster.Sink) error { return l.Bus.Run(ctx, lineSink{s, l}) }

type lineSink struct {
	cluster.Sink
	line *Line
}

func (s lineSink) Reached(ask uint64, others int) {
	if others == 0 || !s.line.Blind.Load() {
		s.Sink.Reached(ask, others)
	}
}
