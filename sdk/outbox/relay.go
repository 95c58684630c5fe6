package outbox

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"
)

// firstLook is how long after an Add a relay looks for the first time; the waits double from there.
const firstLook = time.Millisecond

// maxHeads is how many lanes one statement visits.
const maxHeads = 256

// Relay calls Hermod with what has been committed to a Box.
type Relay struct {
	box      *Box
	clients  Clients
	opts     Options
	gates    map[kind]*gate // one for each kind that there is a client for
	counters counters
	running  atomic.Bool
}

// NewRelay returns a relay, which does nothing before Run. It fails without any client and for options that are not
// possible; those errors name every field that is wrong.
func NewRelay(box *Box, clients Clients, opts Options) (*Relay, error) {
	opts = opts.withDefaults()
	if err := opts.check(); err != nil {
		return nil, fmt.Errorf("outbox: options: %w", err)
	}
	r := &Relay{box: box, clients: clients, opts: opts, gates: map[kind]*gate{}}
	if clients.IM != nil {
		r.gates[kindMessage] = &gate{opts: opts}
	}
	if clients.Gateway != nil {
		r.gates[kindPush] = &gate{opts: opts}
	}
	if len(r.gates) == 0 {
		return nil, errors.New("outbox: Clients is empty; IM, Gateway or both are required")
	}
	return r, nil
}

// Run delivers until ctx ends, and returns nil then: what is being sent is sent to its end first, within
// CallTimeout, and all the rest is left to others at once. It goes on whatever happens to Hermod or the database; the
// only error is that it runs already.
func (r *Relay) Run(ctx context.Context) error {
	if !r.running.CompareAndSwap(false, true) {
		return errors.New("outbox: the relay runs already; Run may be called again when it has returned")
	}
	defer r.running.Store(false)
	newDispatch(r).run(ctx)
	return nil
}

// dispatch gives lanes to workers. It belongs to the goroutine of Run.
type dispatch struct {
	r      *Relay
	inHand map[string]kind // by lane
	from   map[kind]string // the lane behind which the next search begins
	ended  chan report
	look   time.Duration // how soon to look again, while somebody may be about to commit; 0: nobody is known to be
	down   int           // how often in a row the database has failed
}

// report is a worker's last word about its lane.
type report struct {
	lane  string
	again time.Time // when there is something to do in it; zero: nothing is known
	err   error     // of the database
}

func newDispatch(r *Relay) *dispatch {
	return &dispatch{r: r, inHand: map[string]kind{}, from: map[kind]string{}, ended: make(chan report, r.opts.Lanes)}
}

func (d *dispatch) run(ctx context.Context) {
	var due soonest
	for ctx.Err() == nil {
		due.note(d.begin(ctx))
		timer := time.NewTimer(d.wait(&due))
		select {
		case <-ctx.Done():
		case <-timer.C:
			d.look *= 2
		case <-d.r.box.bell:
			d.look = firstLook
		case e := <-d.ended:
			due.note(d.end(ctx, e))
		}
		timer.Stop()
	}
	for len(d.inHand) > 0 {
		d.end(ctx, <-d.ended)
	}
}

// wait is the time until the next look.
func (d *dispatch) wait(due *soonest) time.Duration {
	most := d.r.opts.Poll
	if d.down > 0 {
		return d.r.opts.backoff(d.down)
	}
	if d.look >= most {
		d.look = 0
	}
	if d.look > 0 {
		most = d.look
	}
	return due.within(time.Now(), most)
}

// begin takes as many lanes as it may and returns when a gate opens that is closed now.
func (d *dispatch) begin(ctx context.Context) (again time.Time) {
	for _, k := range slices.Sorted(maps.Keys(d.r.gates)) {
		lanes, opens := d.r.gates[k].room(time.Now(), d.count(k), d.r.opts.Lanes)
		again = earlier(again, opens)
		if lanes = min(lanes, d.r.opts.Lanes-len(d.inHand)); lanes == 0 {
			continue
		}
		if taken, err := d.search(ctx, k, lanes); err != nil || taken == 0 {
			d.database(ctx, err)
		}
	}
	return again
}

// search takes lanes from behind the one where the last search has ended, until it has enough or has been once around:
// so none is passed over for ever. It returns how many it has taken.
func (d *dispatch) search(ctx context.Context, k kind, most int) (taken int, err error) {
	start := d.from[k]
	taken, err = d.pass(ctx, k, most, "")
	if err != nil || taken == most {
		return taken, err
	}
	if d.from[k] = ""; start == "" {
		return taken, nil
	}
	more, err := d.pass(ctx, k, most-taken, start)
	return taken + more, err
}

// pass takes lanes from where the search is to until, or to the last one if that is empty.
func (d *dispatch) pass(ctx context.Context, k kind, most int, until string) (taken int, err error) {
	// Those in hand may be among the first.
	for window := most + len(d.inHand); ; window = maxHeads {
		now := time.Now().UnixMilli()
		heads, err := d.r.box.heads(ctx, k, d.from[k], window)
		if err != nil {
			return taken, err
		}
		for _, h := range heads {
			if taken == most {
				return taken, nil
			}
			if d.from[k] = h.Lane; h.ReadyAt <= now && d.hand(ctx, k, h) {
				taken++
			}
		}
		if taken == most || len(heads) < window || until != "" && d.from[k] >= until {
			return taken, nil
		}
	}
}

// hand gives a lane to a worker, unless one has it.
func (d *dispatch) hand(ctx context.Context, k kind, h head) bool {
	if _, taken := d.inHand[h.Lane]; taken {
		return false
	}
	d.inHand[h.Lane] = k
	d.r.counters.inHand.Add(1)
	go func() { d.ended <- d.r.work(ctx, h) }()
	return true
}

func (d *dispatch) end(ctx context.Context, e report) (again time.Time) {
	delete(d.inHand, e.lane)
	d.r.counters.inHand.Add(-1)
	d.database(ctx, e.err)
	return e.again
}

func (d *dispatch) count(k kind) (n int) {
	for _, other := range d.inHand {
		if other == k {
			n++
		}
	}
	return n
}

// database notes whether a statement has failed, and says so when that changes.
func (d *dispatch) database(ctx context.Context, err error) {
	switch {
	case err == nil && d.down > 0:
		d.down = 0
		d.r.opts.Log.Info("outbox: the database is back")
	case err == nil || ctx.Err() != nil:
	default:
		d.r.counters.failures.Add(1)
		if d.down++; d.down == 1 {
			d.r.opts.Log.Warn("outbox: the database fails", "error", err)
		}
	}
}

// soonest is the earliest of the moments that were noted.
type soonest struct{ at time.Time }

func (s *soonest) note(at time.Time) { s.at = earlier(s.at, at) }

// within is the time until then, most at most, and forgets it when it has come.
func (s *soonest) within(now time.Time, most time.Duration) time.Duration {
	if s.at.IsZero() {
		return most
	}
	left := s.at.Sub(now)
	if left <= 0 {
		s.at = time.Time{}
		return 0
	}
	return min(left, most)
}

// earlier is the earlier of two moments; a zero one is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
