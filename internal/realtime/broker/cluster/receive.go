package cluster

import (
	"strings"
	"sync/atomic"
	"time"

	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/frame"
)

// sink implements Sink.
type sink struct{ b *Broker }

func (s sink) Receive(subject string, data []byte) {
	s.b.in.push(subject, data, !s.b.isChannel(subject))
}

func (s sink) Reached(ask uint64, others int) { s.b.asks.reached(ask, others) }

func (s sink) Connected() {
	b := s.b
	b.members.spare(time.Now())
	b.up.Store(true)
	b.interest.connected(true)
	b.opt.Log.Info("connected to the cluster")
	if b.before.Swap(true) {
		b.out.lost() // what was under way when the connection was lost
	}
	b.out.kick()
	b.hello()
	b.missed("")
}

func (s sink) Disconnected(why error) {
	b := s.b
	b.up.Store(false)
	b.interest.connected(false)
	if b.left.Load() {
		return // by itself
	}
	b.metrics.outages.Inc()
	b.opt.Log.Warn("the cluster is out of reach; trying again", "error", why)
}

func (s sink) Dropped(n int) {
	s.b.metrics.dropped("client", n)
	s.b.missed("")
}

// hello has the node say that it lives, now.
func (b *Broker) hello() {
	select {
	case b.greet <- struct{}{}:
	default:
	}
}

// missed tells that something may not have come.
func (b *Broker) missed(channel string) {
	b.metrics.missed.Inc()
	if b.handlers.Missed != nil {
		b.handlers.Missed(channel)
	}
}

// isChannel tells whether a subject is that of a channel, and not of nodes.
func (b *Broker) isChannel(subject string) bool {
	rest, ok := strings.CutPrefix(subject, b.prefix)
	return ok && strings.HasPrefix(rest, ".c.") && !strings.HasPrefix(rest, ".c."+broker.EveryNode)
}

// handle takes a message out of the inbox.
func (b *Broker) handle(r received) {
	e, err := unmarshal(r.data)
	if err != nil {
		b.metrics.refused.Inc()
		return
	}
	if e.node == b.opt.Self.ID {
		return
	}
	switch e.kind {
	case kindPublication:
		b.receive(&e)
	case kindHole:
		if e.channel == "" || b.interest.has(e.channel) {
			b.missed(e.channel)
		}
	case kindRequest:
		b.request(&e)
	case kindAnswer:
		b.asks.answer(e.id, broker.Answer{Node: e.node, Body: e.body})
	case kindHello:
		if b.members.hello(broker.Member{ID: e.node, Info: e.body}, e.id, time.Now()) {
			b.hello() // so that it knows of this one
		}
	case kindBye:
		if b.members.bye(e.node, time.Now()) {
			b.asks.gone(e.node)
		}
	}
}

func (b *Broker) receive(e *envelope) {
	if !b.interest.has(e.channel) {
		return
	}
	p, ok := b.open(e)
	if len(e.more) == 0 {
		if ok {
			b.handlers.Publication(p)
		}
		return
	}
	ps := make([]*frame.Publication, 0, 1+len(e.more))
	if ok {
		ps = append(ps, p)
	}
	for _, data := range e.more {
		f, err := e.follower(data)
		if err != nil {
			b.metrics.refused.Inc()
			b.missed(e.channel)
			continue
		}
		if p, ok := b.open(&f); ok {
			ps = append(ps, p)
		}
	}
	if len(ps) > 0 {
		b.handlers.Take(ps)
	}
}

// open makes a publication of an envelope, if it is understood.
func (b *Broker) open(e *envelope) (p *frame.Publication, ok bool) {
	p, err := e.open(b.opt.Codec)
	if err != nil { // of a newer node, perhaps
		b.metrics.refused.Inc()
		if e.ephemeral == "" {
			b.missed(e.channel)
		}
		return nil, false
	}
	b.metrics.received.Inc()
	return p, true
}

func (b *Broker) request(e *envelope) {
	if b.handlers.Request == nil || !b.interest.has(e.channel) {
		return
	}
	to, id := b.subject(broker.NodeChannel(e.node)), e.id
	var answered atomic.Bool
	b.handlers.Request(broker.Request{
		Node: e.node, Channel: e.channel, Body: e.body,
		Answer: func(body []byte) {
			if answered.Swap(true) || id == 0 { // it was told, not asked
				return
			}
			data := (&envelope{kind: kindAnswer, node: b.opt.Self.ID, id: id, body: body}).marshal()
			if err := b.fits(data); err != nil {
				b.opt.Log.Error("an answer to another node is too large", "error", err)
				return
			}
			if !b.out.push(Message{Subject: to, Data: data}, "") {
				b.metrics.dropped("outbox", 1)
			}
		},
	})
}
