package cluster

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/game-im/hermod/internal/realtime/broker"
)

// asks are the requests of this node that wait for answers.
type asks struct {
	mu   sync.Mutex
	last uint64
	open map[uint64]*ask
}

// ask is one of them. Its fields are under asks.mu.
type ask struct {
	wake     chan struct{} // holds one
	answers  []broker.Answer
	answered map[string]struct{}
	awaited  map[string]struct{} // nodes of which an answer may come; nil: whoever follows the channel
	expect   int                 // how many got it; -1: not known
	failed   error
}

func newAsks() *asks { return &asks{open: make(map[uint64]*ask)} }

// begin makes an ask for certain nodes or, with nil, for all that follow a channel.
func (as *asks) begin(nodes []string) (uint64, *ask) {
	a := &ask{wake: make(chan struct{}, 1), answered: make(map[string]struct{}), expect: -1}
	if nodes != nil {
		a.awaited = make(map[string]struct{}, len(nodes))
		for _, id := range nodes {
			a.awaited[id] = struct{}{}
		}
	}
	as.mu.Lock()
	defer as.mu.Unlock()
	as.last++
	as.open[as.last] = a
	return as.last, a
}

func (as *asks) end(id uint64) {
	as.mu.Lock()
	defer as.mu.Unlock()
	delete(as.open, id)
}

func (a *ask) kickLocked() {
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// answer takes what a node answered. Only the first of each counts.
func (as *asks) answer(id uint64, from broker.Answer) {
	as.mu.Lock()
	defer as.mu.Unlock()
	a := as.open[id]
	if a == nil {
		return
	}
	if _, again := a.answered[from.Node]; again {
		return
	}
	a.answered[from.Node] = struct{}{}
	delete(a.awaited, from.Node)
	a.answers = append(a.answers, from)
	a.kickLocked()
}

// reached takes how many nodes got a request.
func (as *asks) reached(id uint64, others int) {
	as.mu.Lock()
	defer as.mu.Unlock()
	if a := as.open[id]; a != nil {
		a.expect = others
		a.kickLocked()
	}
}

// fail ends a request that could not be sent.
func (as *asks) fail(id uint64, err error) {
	as.mu.Lock()
	defer as.mu.Unlock()
	if a := as.open[id]; a != nil {
		a.failed = err
		a.kickLocked()
	}
}

// gone stops waiting for a node.
func (as *asks) gone(node string) {
	as.mu.Lock()
	defer as.mu.Unlock()
	for _, a := range as.open {
		if _, awaited := a.awaited[node]; awaited {
			delete(a.awaited, node)
			a.kickLocked()
		}
	}
}

// next returns what has been answered since, whether nothing more is to come, and why it failed.
func (as *asks) next(a *ask) (answers []broker.Answer, complete bool, err error) {
	as.mu.Lock()
	defer as.mu.Unlock()
	answers, a.answers = a.answers, nil
	complete = a.awaited != nil && len(a.awaited) == 0 || a.expect >= 0 && len(a.answered) >= a.expect
	err = a.failed
	if complete && err == nil && len(a.answered) == 0 {
		if err = broker.ErrGone; a.expect == 0 {
			err = broker.ErrNobody
		}
	}
	return answers, complete || err != nil, err
}

// Ask implements broker.Asker.
func (b *Broker) Ask(ctx context.Context, channel string, body []byte, take func(broker.Answer) (more bool)) error {
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, b.opt.AskTimeout)
		defer cancel()
	}
	nodes, err := b.asked(channel)
	if err != nil {
		return b.metrics.asked(err)
	}
	id, a := b.asks.begin(nodes)
	defer b.asks.end(id)
	data := (&envelope{kind: kindRequest, node: b.opt.Self.ID, channel: channel, id: id, body: body}).marshal()
	if err := b.fits(data); err != nil {
		return err
	}
	if !b.out.push(Message{Subject: b.subject(channel), Data: data, Ask: id}, "") {
		b.metrics.dropped("outbox", 1)
		return b.metrics.asked(broker.ErrDown)
	}
	for {
		select {
		case <-ctx.Done():
			return b.metrics.asked(ctx.Err())
		case <-a.wake:
		}
		answers, complete, err := b.asks.next(a)
		for _, answer := range answers {
			if !take(answer) {
				return b.metrics.asked(nil)
			}
		}
		if complete {
			return b.metrics.asked(err)
		}
	}
}

// Tell implements broker.Asker.
func (b *Broker) Tell(channel string, body []byte) error {
	if !b.up.Load() {
		return broker.ErrDown
	}
	data := (&envelope{kind: kindRequest, node: b.opt.Self.ID, channel: channel, body: body}).marshal()
	if err := b.fits(data); err != nil {
		return err
	}
	if !b.out.push(Message{Subject: b.subject(channel), Data: data}, "") {
		b.metrics.dropped("outbox", 1)
		return broker.ErrDown
	}
	return nil
}

// asked returns the nodes that are to answer on a channel; nil is for those that follow it.
func (b *Broker) asked(channel string) (nodes []string, err error) {
	if !b.up.Load() {
		return nil, broker.ErrDown
	}
	id, direct := strings.CutPrefix(channel, broker.EveryNode)
	if !direct {
		return nil, nil
	}
	for _, m := range b.members.list() {
		if id == "" || id == m.ID {
			nodes = append(nodes, m.ID)
		}
	}
	if len(nodes) == 0 {
		return nil, broker.ErrNobody
	}
	return nodes, nil
}

// result names what became of an ask, for metrics.
func result(err error) string {
	switch {
	case err == nil:
		return "answered"
	case errors.Is(err, broker.ErrNobody):
		return "nobody"
	case errors.Is(err, broker.ErrDown):
		return "down"
	}
	return "unanswered"
}
