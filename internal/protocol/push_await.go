package protocol

import (
	"context"
	"sync"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/node"
	"github.com/game-im/hermod/internal/realtime/session"
)

// waitMargin is how much earlier than the asker others end their wait, a tenth of it at most, so that their
// answers come in time.
const waitMargin = 250 * time.Millisecond

// Await implements biz.PushSessions.
func (p *Pusher) Await(ctx context.Context, to []biz.Recipient, push *biz.Push) []biz.AwaitedPush {
	waits := make([]biz.AwaitedPush, len(to))
	here := make([]*node.Awaited, len(to))
	for i, r := range to {
		here[i] = p.node.OfferAwaited(sessionsOf(p.node, r), prepared(push), offering(r, push))
		waits[i] = awaited{here[i], absent(r)}
	}
	var at []int
	for i, r := range to {
		if p.node.ID() != "" && (r.Kind != biz.TargetSession || here[i].Nobody()) {
			at = append(at, i)
		}
	}
	if len(at) == 0 {
		return waits
	}
	e := p.awaitElsewhere(ctx, to, push, at)
	for _, i := range at {
		waits[i] = &awaitedElsewhere{awaited: waits[i].(awaited), all: e, i: i, here: session.Gone}
	}
	return waits
}

// awaited is a biz.AwaitedPush that only this node has.
type awaited struct {
	*node.Awaited
	absent biz.Outcome
}

// Wait implements biz.AwaitedPush.
func (a awaited) Wait(ctx context.Context) biz.Offered {
	return a.offered(a.Awaited.Wait(ctx), whyEnded)
}

func (a awaited) offered(o session.Offered, why string) biz.Offered {
	switch o {
	case session.Queued:
		return biz.Offered{Outcome: biz.OutcomeQueued} // nobody has acknowledged it yet
	case session.Unsure:
		return biz.Offered{Outcome: biz.OutcomeUnknown, Why: why}
	}
	return biz.Offered{Outcome: outcome(o, a.absent)}
}

// elsewhere is the targets of one call as other nodes have them.
type elsewhere struct {
	cancel context.CancelFunc // ends the inquiries
	done   chan struct{}      // closed when they have ended
	acked  []context.CancelFunc
	waits  []context.Context // of each target; ends when another node has said that it is acknowledged

	mu   sync.Mutex
	all  []standing
	open int // waits that have not ended
}

// awaitElsewhere asks other nodes for the targets at these places, until ctx ends or all waits have.
func (p *Pusher) awaitElsewhere(ctx context.Context, to []biz.Recipient, push *biz.Push, at []int) *elsewhere {
	e := &elsewhere{
		done: make(chan struct{}), all: make([]standing, len(to)), open: len(at),
		acked: make([]context.CancelFunc, len(to)), waits: make([]context.Context, len(to)),
	}
	asking, cancel := context.WithCancel(ctx)
	e.cancel = cancel
	for _, i := range at {
		e.watch(ctx, i)
	}
	var wg sync.WaitGroup
	for _, part := range chunks(to, at) {
		q := p.inquire(broker.EveryNode, to, part, e.all)
		q.mu, q.enough = &e.mu, session.Acked
		q.noted = func() { e.notedLocked(part) }
		wg.Go(func() {
			q.askFor(asking, push, waitOf(ctx))
			if len(q.awaited) > 0 { // somebody still waits, for nobody
				q.count(broker.EveryNode)
			}
		})
	}
	go func() {
		wg.Wait()
		close(e.done)
	}()
	return e
}

// watch has a target's wait on this node end when another one has said that it is acknowledged.
func (e *elsewhere) watch(ctx context.Context, i int) {
	waiting, acked := context.WithCancel(ctx)
	e.waits[i], e.acked[i] = waiting, acked //nolint:fatcontext // each target has its own
}

// waitOf is how long others wait for somebody who waits until ctx ends.
func waitOf(ctx context.Context) time.Duration {
	end, ok := ctx.Deadline()
	if !ok {
		return biz.MaxAckWait
	}
	left := time.Until(end)
	return max(left-min(left/10, waitMargin), time.Nanosecond)
}

func (e *elsewhere) notedLocked(at []int) {
	for _, i := range at {
		if e.all[i].best == session.Acked {
			e.acked[i]()
		}
	}
}

// awaitedElsewhere is a biz.AwaitedPush that others may have, too.
type awaitedElsewhere struct {
	awaited
	all  *elsewhere
	i    int
	here session.Offered // after Wait
}

// Wait implements biz.AwaitedPush.
func (a *awaitedElsewhere) Wait(ctx context.Context) biz.Offered {
	e := a.all
	defer e.acked[a.i]() // its context is used no more
	defer e.leave()
	a.here = a.Awaited.Wait(e.waits[a.i])
	if a.here == session.Acked {
		return a.offered(a.here, "")
	}
	select {
	case <-e.done:
	case <-e.waits[a.i].Done():
		if ctx.Err() != nil {
			<-e.done // which ends with it
		}
	}
	o, why := e.best(a.i, a.here)
	if o == session.Queued { // others have waited a little shorter
		<-ctx.Done()
	}
	return a.offered(o, why)
}

// best returns the best of a target with what became of it here.
func (e *elsewhere) best(i int, here session.Offered) (best session.Offered, why string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := &e.all[i]
	if here > s.best || here == session.Queued && s.best == session.Queued {
		s.best, s.why, s.from = here, whyEnded, nil
	}
	return s.best, s.why
}

// leave ends the inquiries when nobody waits any more.
func (e *elsewhere) leave() {
	e.mu.Lock()
	e.open--
	last := e.open == 0
	e.mu.Unlock()
	if last {
		e.cancel()
	}
}

// Leave implements biz.AwaitedPush.
func (a *awaitedElsewhere) Leave() {
	a.all.mu.Lock()
	s := a.all.all[a.i]
	a.all.mu.Unlock()
	if s.from == nil {
		a.Awaited.Leave()
		return
	}
	s.from.count(broker.NodeChannel(s.node), int32(s.at))
}
