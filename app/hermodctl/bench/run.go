package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

const (
	tickEvery = 200 * time.Millisecond
	// quietLimit bounds the wait for silence after everybody has connected: the node may have other
	// users.
	quietLimit = 10 * time.Second
	// stallLimit is how long nothing may come, while something should, before it is given up.
	stallLimit = 10 * time.Second
)

// The phases of a run.
const (
	phaseConnecting = "connecting"
	phaseWarmUp     = "warming up"
	phaseMeasuring  = "measuring"
	phaseDraining   = "waiting for the last"
)

// Progress is where a run is.
type Progress struct {
	Phase   string        // connecting, warming up, measuring, or waiting for the last
	Elapsed time.Duration // in the phase
	Share   float64       // of the phase that is over, 0 to 1
	Counts  Counts        // so far, Expected and Missing aside
	// Connected is how many clients are; Errors how many things have gone wrong.
	Connected int
	Errors    int64
}

// work is what the clients of a mode do.
type work interface {
	drive(ctx context.Context) // until ctx ends
	settled() bool             // all that is to come has come
	counts() Counts
	account(n *Counts) // completes the counts, once nothing comes any more
	close() error
}

// newWork makes what a mode does, and the clients that it does it with.
func newWork(l *load) (work, []*client, error) {
	switch l.plan.Mode {
	case Broadcast, Push:
		p, err := newPushing(l)
		if err != nil {
			return nil, nil, err
		}
		return p, p.all, nil
	case Request:
		if l.plan.Protocol == Upstream {
			c, err := newCalling(l)
			return c, nil, err
		}
		a := newAsking(l)
		return a, a.all, nil
	case Idle:
		return resting{}, newResting(l), nil
	default:
		t := newTalk(l)
		all := t.clients()
		return t, all, nil
	}
}

// Run does what the plan says and tells watch, from its own goroutine, how far it is; watch may be nil. An error means
// that there is nothing to tell, since the plan is wrong, the clients could not connect or the node's
// process could not be read. Whatever goes wrong later is in the result. When ctx ends while there is
// a result, that is the result so far.
func Run(ctx context.Context, p Plan, watch func(Progress)) (*Result, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	if watch == nil {
		watch = func(Progress) {}
	}
	l := &load{plan: &p, run: rand.Uint64() >> 16}
	w, clients, err := newWork(l)
	if err != nil {
		return nil, err
	}
	r := &run{load: l, work: w, clients: clients, fleet: newFleet(l), watch: watch}
	out, err := r.perform(ctx)
	if err := errors.Join(err, r.fleet.close(), w.close()); err != nil {
		return nil, err
	}
	r.finish(out)
	return out, nil
}

// run is a load that is under way.
type run struct {
	load    *load
	work    work
	clients []*client
	fleet   *fleet
	watch   func(Progress)
	base    Usage // before the first client
}

func (r *run) perform(ctx context.Context) (*Result, error) {
	p := r.load.plan
	var err error
	if p.Server != nil {
		if r.base, err = p.Server.Read(ctx); err != nil {
			return nil, fmt.Errorf("what the node's process uses cannot be read: %w", err)
		}
	}
	if err := r.connect(ctx); err != nil {
		return nil, err
	}
	out := &Result{Mode: p.Mode, Transport: p.Transport, Protocol: p.Protocol, Connections: p.Connections, Size: p.Size}
	if p.hasRooms() {
		out.Rooms = p.Rooms
	}
	driving, stop := context.WithCancel(ctx)
	defer stop()
	done := make(chan struct{})
	go func() { defer close(done); r.work.drive(driving) }()
	r.wait(driving, phaseWarmUp, p.WarmUp)
	from := r.mark()
	r.load.from.Store(from.when.UnixNano())
	r.wait(driving, phaseMeasuring, p.Duration)
	to := r.mark()
	r.load.until.Store(to.when.UnixNano())
	stop()
	<-done
	out.between(r.base, from, to)
	out.Interrupted = ctx.Err() != nil
	r.drain()
	r.fleet.countLost()
	return out, nil
}

// connect connects everybody, telling how far it is.
func (r *run) connect(ctx context.Context) error {
	ended := make(chan error, 1)
	go func() { ended <- r.fleet.connect(ctx, r.clients) }()
	start := time.Now()
	for {
		select {
		case err := <-ended:
			if err != nil {
				return err
			}
			return r.settle(ctx)
		case <-time.After(tickEvery):
			n := len(r.fleet.connected())
			r.watch(Progress{Phase: phaseConnecting, Elapsed: time.Since(start), Connected: n, Share: float64(n) / float64(len(r.clients))})
		}
	}
}

// settle waits until joining has caused what it does, and a service has shown that it is there.
func (r *run) settle(ctx context.Context) error {
	if w, ok := r.work.(*calling); ok {
		return w.prepare(ctx)
	}
	r.fleet.quiet(ctx, quietLimit)
	return ctx.Err()
}

// wait lets a phase last, unless ctx ends or nobody is connected any more.
func (r *run) wait(ctx context.Context, phase string, d time.Duration) {
	start := time.Now()
	for {
		left := d - time.Since(start)
		if left <= 0 || !pause(ctx, min(left, tickEvery)) || r.fleet.allLost() {
			return
		}
		r.tell(phase, start, float64(time.Since(start))/float64(d))
	}
}

// drain waits until all that was accepted has come, or nothing does any more.
func (r *run) drain() {
	start, last, since := time.Now(), int64(-1), time.Now()
	for told := start; !r.work.settled() && time.Since(since) < stallLimit; {
		if n := r.fleet.frames() + r.work.counts().Accepted; n != last {
			last, since = n, time.Now()
		}
		if time.Since(told) > tickEvery {
			told = time.Now()
			r.tell(phaseDraining, start, 1)
		}
		time.Sleep(pollEvery)
	}
}

func (r *run) tell(phase string, start time.Time, share float64) {
	r.watch(Progress{
		Phase: phase, Elapsed: time.Since(start), Share: min(share, 1), Counts: r.work.counts(),
		Connected: len(r.fleet.connected()), Errors: r.load.tally.total(),
	})
}

// mark notes the present. That the node's process cannot be read any more is an error of the result.
func (r *run) mark() mark {
	m := mark{}
	if meter := r.load.plan.Server; meter != nil {
		u, err := meter.Read(context.Background())
		if err != nil {
			r.load.tally.add("the node's process was not read", 1, err.Error())
		}
		m.usage, m.read = u, err == nil
	}
	m.when, m.counts = time.Now(), r.work.counts()
	return m
}

// finish collects what the goroutines that have ended have noted.
func (r *run) finish(out *Result) {
	var answer, delivery histogram
	for _, c := range r.clients {
		answer.merge(&c.answer)
		delivery.merge(&c.delivery)
	}
	if w, ok := r.work.(interface{ services() []*caller }); ok {
		for _, c := range w.services() {
			answer.merge(&c.times)
		}
	}
	out.Answer, out.Delivery = newLatency(&answer), newLatency(&delivery)
	out.Total = r.work.counts()
	r.work.account(&out.Total)
	out.Errors = r.load.tally.list()
}
