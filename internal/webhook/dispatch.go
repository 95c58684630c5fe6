package webhook

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// dispatcher owns what a courier knows of rooms, for one lease. One goroutine runs it.
type dispatcher struct {
	*Courier
	lease biz.WebhookLease
	rooms *rooms
	gate  gate

	flying    int
	landed    chan *flight
	delivered int64 // requests
	settling  bool
	settled   chan settlement
	nextNote  time.Time // when progress is noted; zero: there is none
	broken    bool      // the endpoint, as far as the log was told
	ended     bool      // the lease is another's
	helpers   sync.WaitGroup
}

func newDispatcher(c *Courier, l biz.WebhookLease) *dispatcher {
	return &dispatcher{
		Courier: c, lease: l, rooms: newRooms(), gate: gate{first: c.opts.Backoff, most: c.opts.MaxBackoff},
		landed: make(chan *flight), settled: make(chan settlement),
	}
}

// run delivers until ctx ends. What is on its way then has a moment to come back; sending is its context, and cut ends
// that.
func (d *dispatcher) run(ctx, sending context.Context, cut func()) {
	defer d.helpers.Wait()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil && !d.ended {
		timer.Reset(d.step(sending))
		select {
		case <-ctx.Done():
		case <-d.heard.woken:
			for _, room := range d.heard.take(fewRooms) {
				d.rooms.hear(room)
			}
		case f := <-d.landed:
			d.land(f)
		case s := <-d.settled:
			d.noted(s)
		case <-timer.C:
		}
	}
	defer time.AfterFunc(stopGrace, cut).Stop()
	if d.ended {
		cut()
	}
	for d.flying > 0 || d.settling {
		select {
		case f := <-d.landed:
			d.land(f)
		case s := <-d.settled:
			d.noted(s)
		}
	}
}

// step begins whatever can begin now, and returns how long at most nothing else can.
func (d *dispatcher) step(sending context.Context) time.Duration {
	now := time.Now()
	next := now.Add(time.Minute)
	sooner := func(at time.Time) {
		if !at.IsZero() && at.Before(next) {
			next = at
		}
	}
	sooner(d.rooms.wake(now))
	for len(d.rooms.queue) > 0 && d.flying < d.opts.Concurrency && d.gate.open(now, d.flying) {
		d.start(sending)
	}
	if len(d.rooms.queue) > 0 && now.Before(d.gate.shut) {
		sooner(d.gate.shut)
	}
	if !d.nextNote.IsZero() && !d.settling {
		if !now.Before(d.nextNote) {
			d.settle(sending)
		} else {
			sooner(d.nextNote)
		}
	}
	return max(0, time.Until(next))
}

func (d *dispatcher) start(sending context.Context) {
	f := newFlight(d.rooms.next())
	d.flying++
	d.helpers.Go(func() {
		d.fly(sending, d.lease, f)
		d.landed <- f
	})
}

// land takes what came of a flight.
func (d *dispatcher) land(f *flight) {
	d.flying--
	now := time.Now()
	if f.err != nil {
		if !errors.Is(f.err, context.Canceled) {
			d.log.Warn("a room cannot be read; it is tried again", "error", f.err)
		}
		for _, p := range f.parts {
			p.room.flying = false
			d.rooms.postpone(p.room, now.Add(storeRetry))
		}
		return
	}
	if f.sent {
		d.heed(&f.response, now)
	}
	sharers := 0
	for _, p := range f.parts {
		if len(p.wanted) > 0 {
			sharers++
		}
	}
	for _, p := range f.parts {
		p.room.flying = false
		d.landPart(f, p, sharers > 1, now)
	}
}

// heed takes what a response says of the endpoint.
func (d *dispatcher) heed(r *response, now time.Time) {
	if r.verdict == unreachable || r.after > 0 {
		d.gate.unreached(now, r.after)
	} else {
		d.gate.reached()
	}
	if r.verdict == delivered {
		d.delivered++
		d.note(func(s *biz.WebhookStatus) { s.Delivered = now })
		if d.broken {
			d.broken = false
			d.rooms.back(now)
			d.log.Info("the webhook is delivered again")
		}
		return
	}
	d.note(func(s *biz.WebhookStatus) { s.Failed, s.Error = now, r.reason })
	if !d.broken {
		d.broken = true
		d.log.Warn("the webhook is not delivered; it is tried again", "reason", r.reason)
	}
}

// landPart moves a room on, or has it wait.
func (d *dispatcher) landPart(f *flight, p *part, shared bool, now time.Time) {
	r := p.room
	if p.epoch != r.epoch { // it was sent from where the room is no longer
		d.rooms.enqueue(r)
		return
	}
	if r.place == nil && p.known {
		r.place = &p.place
	}
	switch {
	case !p.read: // there was no room for it
		d.rooms.enqueue(r)
		return
	case len(p.wanted) == 0 || f.verdict == delivered:
		if len(p.wanted) > 0 {
			r.succeeded()
		}
		d.metrics.passed(d.opts.Name, len(p.wanted), p.missed)
		d.advance(p, nil)
	case f.verdict == gone:
		d.giveUp(p, f.reason, now)
	case f.verdict == refused && (shared || len(p.wanted) > 1):
		r.narrow(2 * len(p.wanted))
		if !shared {
			r.narrow(len(p.wanted))
		}
		p.more = true
	case f.verdict == refused:
		d.giveUp(p, f.reason, now)
	default:
		d.landFailed(f, p, shared, now)
		return
	}
	if p.more || r.again {
		d.rooms.enqueue(r)
		return
	}
	d.rooms.settled(r)
}

// landFailed has a room wait, or gives up what has failed too often or for too long. An attempt counts that was
// answered, or that failed while others were delivered: an endpoint that is away costs no message its attempts.
func (d *dispatcher) landFailed(f *flight, p *part, shared bool, now time.Time) {
	r := p.room
	r.failures++
	counts := f.verdict == failed || r.failures > 1 && d.delivered > r.seen
	if counts {
		r.attempts++
	}
	r.seen, r.away = d.delivered, f.verdict == unreachable
	old := now.Sub(p.wanted[0].Time) > d.opts.MaxAge
	switch {
	case old:
		p.wanted = p.wanted[:countOlder(p.wanted, now.Add(-d.opts.MaxAge))]
		p.to = p.wanted[len(p.wanted)-1].Seq
		fallthrough
	case !shared && len(p.wanted) == 1 && r.attempts >= d.opts.Attempts:
		d.giveUp(p, f.reason, now)
		d.rooms.enqueue(r)
		return
	case !counts && r.failures < patience: // it is hardly theirs
	case shared:
		r.narrow(2 * len(p.wanted))
	default:
		r.narrow(len(p.wanted))
	}
	d.rooms.postpone(r, now.Add(backoff(d.opts.Backoff, d.opts.MaxBackoff, r.failures)))
}

func countOlder(messages []*biz.Message, than time.Time) int {
	n := 0
	for n < len(messages) && messages[n].Time.Before(than) {
		n++
	}
	return max(n, 1)
}

// giveUp moves a room on without what it has not delivered.
func (d *dispatcher) giveUp(p *part, reason string, now time.Time) {
	first, last := p.wanted[0].Seq, p.wanted[len(p.wanted)-1].Seq
	d.log.Error("messages are given up", "room", p.room.id, "from", first, "to", last, "reason", reason)
	d.metrics.died(d.opts.Name, len(p.wanted))
	p.room.failures, p.room.attempts = 0, 0
	d.advance(p, &biz.WebhookDead{Webhook: d.opts.Name, Room: p.room.id, From: first, To: last, Died: now, Reason: reason})
}

// advance notes how far a room is, to be written with others.
func (d *dispatcher) advance(p *part, dead *biz.WebhookDead) {
	r := p.room
	if p.to == r.place.Seq && dead == nil {
		return
	}
	if r.move == nil {
		r.move = &biz.WebhookMove{From: *r.place}
	}
	r.move.To = p.to
	if dead != nil {
		r.move.Dead = append(r.move.Dead, *dead)
	}
	r.place.Seq = p.to
	d.rooms.dirty[r] = struct{}{}
	if d.nextNote.IsZero() {
		d.nextNote = time.Now().Add(settleEvery)
	}
}

// settlement is what came of noting progress.
type settlement struct {
	moves []biz.WebhookMove
	lost  []biz.RoomID
	err   error
}

// settledAtOnce bounds how many rooms one transaction notes.
const settledAtOnce = 256

// settle has progress noted, beside what goes on.
func (d *dispatcher) settle(ctx context.Context) {
	moves := d.moves()
	d.nextNote = time.Time{}
	if len(moves) == 0 {
		return
	}
	d.settling = true
	d.helpers.Go(func() {
		lost, err := d.stores.Queue.Settle(ctx, d.lease, moves)
		d.settled <- settlement{moves, lost, err}
	})
}

// moves takes what is to be noted from the rooms.
func (d *dispatcher) moves() (moves []biz.WebhookMove) {
	for r := range d.rooms.dirty {
		if len(moves) == settledAtOnce {
			break
		}
		moves = append(moves, *r.move)
	}
	return moves
}

// noted takes what came of it.
func (d *dispatcher) noted(s settlement) {
	d.settling = false
	if s.err != nil {
		if errors.Is(s.err, biz.ErrWebhookLost) {
			d.ended = true
			return
		}
		d.log.Warn("what was delivered cannot be noted; it is tried again", "error", s.err)
		d.nextNote = time.Now().Add(storeRetry)
		return
	}
	for _, m := range s.moves {
		d.notedRoom(m)
	}
	for _, id := range s.lost {
		d.overtaken(id)
	}
	if len(d.rooms.dirty) > 0 {
		d.nextNote = time.Now().Add(settleEvery)
	}
}

// notedRoom leaves what was delivered meanwhile to be noted next.
func (d *dispatcher) notedRoom(m biz.WebhookMove) {
	r := d.rooms.all[m.From.Room]
	mark := &biz.WebhookMark{Made: m.From.Made, Seq: m.To}
	r.move.Dead = r.move.Dead[len(m.Dead):]
	r.move.From.Seq, r.move.From.Mark = m.To, mark
	if r.place != nil {
		r.place.Mark = mark
	}
	if r.move.To == m.To && len(r.move.Dead) == 0 {
		r.move = nil
		delete(d.rooms.dirty, r)
	}
	d.rooms.settled(r)
}

// overtaken reads the place of a room anew that an operator has moved.
func (d *dispatcher) overtaken(id biz.RoomID) {
	r := d.rooms.all[id]
	if r == nil {
		d.rooms.hear(id)
		return
	}
	r.place, r.move = nil, nil
	r.epoch++
	delete(d.rooms.dirty, r)
	d.rooms.hear(id)
}

// settleLast notes what is left when nothing runs any more.
func (d *dispatcher) settleLast(ctx context.Context) {
	if d.ended {
		return
	}
	for {
		moves := d.moves()
		if len(moves) == 0 {
			return
		}
		lost, err := d.stores.Queue.Settle(ctx, d.lease, moves)
		if err != nil {
			d.log.Warn("what was delivered last cannot be noted; it will come again", "error", err)
			return
		}
		d.noted(settlement{moves: moves, lost: lost})
	}
}
