package e2e

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// A Ledger is an account of everything that was sent to receivers and of everything that they got.
// What is sent belongs to a lane, such as the pushes of one service to one user, or what one member
// says in a room; in a lane it is numbered from 1. Safe for concurrent use.
type Ledger struct {
	mu    sync.Mutex
	lanes map[string]*laneAccount
	heard map[ear][]uint64
	odd   []string // what was wrong by itself
	took  []time.Duration
}

// laneAccount is what was sent in one lane.
type laneAccount struct {
	receivers []string
	sent      []fate // of the numbers from 1
	at        []time.Time
	excused   uint64 // what need not arrive, up to this number
	closed    bool   // nothing more need arrive
}

// ear is one receiver's view of one lane.
type ear struct{ lane, receiver string }

// fate is what the node said of something that was sent.
type fate uint8

const (
	noWord   fate = iota // nothing: it may arrive or not
	accepted             // accepted: it must arrive
	rejected             // it must not arrive
)

// NewLedger returns an empty ledger.
func NewLedger() *Ledger {
	return &Ledger{lanes: map[string]*laneAccount{}, heard: map[ear][]uint64{}}
}

// Open begins a lane whose messages are for these receivers. It must not exist.
func (l *Ledger) Open(lane string, receivers ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lanes[lane] = &laneAccount{receivers: receivers}
}

// Send notes that something is about to be sent and returns its number.
func (l *Ledger) Send(lane string) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.lanes[lane]
	a.sent, a.at = append(a.sent, noWord), append(a.at, time.Now())
	return uint64(len(a.sent))
}

// Settle notes what the node has said of it.
func (l *Ledger) Settle(lane string, number uint64, f fate) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lanes[lane].sent[number-1] = f
}

// Hear notes that a receiver has got something, after it has removed repetitions as the protocol says.
func (l *Ledger) Hear(receiver, lane string, number uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h := ear{lane, receiver}
	l.heard[h] = append(l.heard[h], number)
	if a := l.lanes[lane]; a != nil && number > 0 && number <= uint64(len(a.at)) {
		l.took = append(l.took, time.Since(a.at[number-1]))
	}
}

// Delays returns how long everything took that was received since the last call, from before it was
// sent until it was received, in order.
func (l *Ledger) Delays() []time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	took := l.took
	l.took = nil
	slices.Sort(took)
	return took
}

// Excuse notes that the only receiver of a lane was told of a gap: what was sent so far need not arrive,
// though it may. With last, nor need anything that is sent later.
func (l *Ledger) Excuse(lane string, last bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if a := l.lanes[lane]; a != nil {
		a.excused, a.closed = uint64(len(a.sent)), a.closed || last
	}
}

// Wrong notes a fault that a receiver has seen by itself.
func (l *Ledger) Wrong(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.odd = append(l.odd, fmt.Sprintf(format, args...))
}

// Missing returns how much has been accepted and has not arrived: the faults of a ledger that nothing
// more will come to, and otherwise what is on its way.
func (l *Ledger) Missing() (missing int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, a := range l.lanes {
		for _, receiver := range a.receivers {
			missing += len(a.lost(l.heard[ear{name, receiver}]))
		}
	}
	return missing
}

// Totals returns how many messages were accepted, refused and are unsure, and how many were received.
func (l *Ledger) Totals() (taken, refused, unsure, arrived int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	count := map[fate]int{}
	for _, a := range l.lanes {
		for _, f := range a.sent {
			count[f]++
		}
	}
	for _, numbers := range l.heard {
		arrived += len(numbers)
	}
	return count[accepted], count[rejected], count[noWord], arrived
}

// Faults returns everything that is wrong: what was lost, came twice, came out of order, came although
// it was refused, was never sent, or came to somebody else.
func (l *Ledger) Faults() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	faults := slices.Clone(l.odd)
	for _, name := range slices.Sorted(maps.Keys(l.lanes)) {
		a := l.lanes[name]
		for _, receiver := range a.receivers {
			numbers := l.heard[ear{name, receiver}]
			for _, fault := range append(a.wrong(numbers), a.lost(numbers)...) {
				faults = append(faults, fmt.Sprintf("%s to %s: %s", name, receiver, fault))
			}
		}
	}
	for h := range l.heard {
		if a := l.lanes[h.lane]; a == nil || !slices.Contains(a.receivers, h.receiver) {
			faults = append(faults, fmt.Sprintf("%s to %s: it is not for him", h.lane, h.receiver))
		}
	}
	return faults
}

// wrong looks for what should not have come where it did.
func (a *laneAccount) wrong(heard []uint64) (faults []string) {
	seen := make(map[uint64]bool, len(heard))
	highest := uint64(0)
	for _, n := range heard {
		switch {
		case n == 0 || n > uint64(len(a.sent)):
			faults = append(faults, fmt.Sprintf("%d was never sent", n))
		case seen[n]:
			faults = append(faults, fmt.Sprintf("%d came twice", n))
		case n < highest:
			faults = append(faults, fmt.Sprintf("%d came after %d", n, highest))
		case a.sent[n-1] == rejected:
			faults = append(faults, fmt.Sprintf("%d came although it was refused", n))
		}
		seen[n] = true
		highest = max(highest, n)
	}
	return faults
}

// lost looks for what was accepted and has not come.
func (a *laneAccount) lost(heard []uint64) (faults []string) {
	seen := make(map[uint64]bool, len(heard))
	for _, n := range heard {
		seen[n] = true
	}
	for i, f := range a.sent {
		if n := uint64(i + 1); f == accepted && !seen[n] && n > a.excused && !a.closed {
			faults = append(faults, fmt.Sprintf("%d is lost", n))
		}
	}
	return faults
}

// unanswered tells whether the fate of something is still open.
func (l *Ledger) unanswered() bool {
	_, _, unsure, _ := l.Totals()
	return unsure > 0
}
