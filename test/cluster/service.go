package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/game-im/hermod/sdk/upstream"
)

// listener is somebody to push to.
type listener interface {
	name() string
	saw(id string) int
}

func (e *ear) name() string { return e.user }

// pushed is one push to one target, and the outcome that the service was told.
type pushed struct {
	id     string
	to     listener
	status upstream.Status
	waited bool // for an acknowledgement
	stored bool // kept for who is away
}

// service pushes to some people, at whatever node answers. It belongs to the goroutine of run.
type service struct {
	name  string
	nodes []*upstream.UnicastClient
	to    []listener
	rng   *rand.Rand
	said  *speeches // where faults are noted

	pushed []pushed
	moved  int // how often another node had to be asked
}

// run pushes until ctx ends.
func (s *service) run(ctx context.Context, pause time.Duration) {
	for number := 1; doze(ctx, pause); number++ {
		id := fmt.Sprintf("%s %d", s.name, number)
		if number%10 == 0 {
			s.batch(id)
			continue
		}
		s.one(id)
	}
}

// one pushes to one: every other push is kept until it is acknowledged, and one in four is asked about.
func (s *service) one(id string) {
	p := pushed{id: id, to: s.to[s.rng.IntN(len(s.to))], stored: s.rng.IntN(2) == 0, waited: s.rng.IntN(4) == 0}
	opts := s.options(id, p.stored)
	if p.waited {
		opts = append(opts, upstream.WaitForAck(2*time.Second))
	}
	s.insist(id, func(ctx context.Context, c *upstream.UnicastClient) error {
		o, err := c.Push(ctx, upstream.OpenID(p.to.name()), note(id), opts...)
		p.status = o.Status
		return err
	})
	s.pushed = append(s.pushed, p)
}

// batch pushes one thing to several at once.
func (s *service) batch(id string) {
	var to []upstream.Target
	var all []pushed
	for _, i := range s.rng.Perm(len(s.to))[:min(10, len(s.to))] {
		to = append(to, upstream.OpenID(s.to[i].name()))
		all = append(all, pushed{id: id, to: s.to[i], stored: true})
	}
	s.insist(id, func(ctx context.Context, c *upstream.UnicastClient) error {
		results, err := c.PushBatch(ctx, to, note(id), s.options(id, true)...)
		if err != nil {
			return err
		}
		if len(results) != len(to) {
			return fmt.Errorf("%d results of %d targets", len(results), len(to))
		}
		for i, r := range results {
			if r.Target != to[i] {
				s.said.wrong("%s: result %d is of %v, want %v", id, i, r.Target, to[i])
			}
			all[i].status = r.Outcome.Status
		}
		return nil
	})
	s.pushed = append(s.pushed, all...)
}

// options have the node know the push again when it is repeated at another one.
func (s *service) options(id string, stored bool) []upstream.CallOption {
	opts := []upstream.CallOption{upstream.IdempotencyKey(id)}
	if stored {
		opts = append(opts, upstream.StoreOffline())
	}
	return opts
}

func note(id string) upstream.Notification {
	return upstream.Notification{MsgType: "chaos", Data: []byte(id)}
}

// insist asks one node after another until one answers, be it with a refusal of a target.
func (s *service) insist(id string, ask func(context.Context, *upstream.UnicastClient) error) {
	at := s.rng.IntN(len(s.nodes))
	for deadline := time.Now().Add(patience); ; at++ {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		err := ask(ctx, s.nodes[at%len(s.nodes)])
		cancel()
		refused, ok := errors.AsType[*upstream.PushError](err)
		switch {
		case err == nil, ok && refused.Target != (upstream.Target{}):
			return // an outcome
		case time.Now().After(deadline):
			s.said.wrong("%s: no node answers: %v", id, err)
			return
		}
		s.moved++
		doze(context.Background(), 50*time.Millisecond)
	}
}

// ledger is what all services were told.
type ledger []pushed

// missing tells whether something that must arrive has not.
func (l ledger) missing() bool {
	return slices.ContainsFunc(l, func(p pushed) bool { return p.must() && p.to.saw(p.id) == 0 })
}

// must tells whether the push must arrive, although nodes die: its client has acknowledged it, or it is kept.
func (p pushed) must() bool {
	switch p.status {
	case upstream.Delivered:
		return p.waited
	case upstream.Queued:
		return p.stored && p.waited // kept by the inbox, or by a session that was not heard of, and then by the inbox
	}
	return false
}

// may tells whether the push may arrive.
func (p pushed) may() bool {
	switch p.status {
	case upstream.Delivered, upstream.Queued, upstream.Unknown:
		return true
	}
	return false
}

// audit compares outcomes with what was seen (A8): exactly one for each push, and nobody sees what did not go out, nor
// anything twice.
func (l ledger) audit() (faults []string) {
	for _, p := range l {
		saw := p.to.saw(p.id)
		switch {
		case p.status == "":
			faults = append(faults, fmt.Sprintf("push %s to %s has no outcome", p.id, p.to.name()))
		case saw > 1, saw > 0 && !p.may(), saw == 0 && p.must():
			faults = append(faults, fmt.Sprintf("%s saw push %s %d times, which was %s (waited %v, stored %v)", p.to.name(), p.id, saw, p.status, p.waited, p.stored))
		}
	}
	return faults
}

// String adds the outcomes up.
func (l ledger) String() string {
	count, seen, lost := map[upstream.Status]int{}, 0, 0
	for _, p := range l {
		count[p.status]++
		switch saw := p.to.saw(p.id); {
		case saw > 0:
			seen++
		case p.may() && p.status != upstream.Unknown:
			lost++
		}
	}
	var parts []string
	for _, status := range slices.Sorted(maps.Keys(count)) {
		parts = append(parts, fmt.Sprintf("%d %s", count[status], status))
	}
	return fmt.Sprintf("%d pushes: %s; %d seen, %d gone with a session before anybody acknowledged them", len(l), strings.Join(parts, ", "), seen, lost)
}
