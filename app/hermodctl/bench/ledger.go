package bench

import (
	"fmt"
	"sync/atomic"
)

// ledger checks and counts what one client receives. Its plain fields belong to the goroutine that
// reads the connection; who knows that it has ended may read them.
type ledger struct {
	load   *load
	stored bool
	seq    int64          // of the last frame that had a place in the room
	early  map[int64]bool // own places that have been answered and not reached
	passed map[int64]bool // places that were passed: of own messages that are to be answered, or lost
	next   []uint64       // the least number that may come next, by sender

	delivery histogram // of others' payloads, from due to here
	answer   histogram // of own sends, from due to the answer

	delivered atomic.Int64 // payloads of others
	frames    atomic.Int64 // everything that came
}

// load is what all clients of a run share.
type load struct {
	plan  *Plan
	run   uint64 // names the run in payloads and users
	tally tally
	// from and until bound what is measured, Unix nanoseconds by when it was due; 0 is not yet.
	from, until atomic.Int64
}

// measured tells whether something that was due then is measured.
func (l *load) measured(due int64) bool {
	from, until := l.from.Load(), l.until.Load()
	return from != 0 && due >= from && (until == 0 || due < until)
}

// deliver books a payload, with its place in its room or 0.
func (l *ledger) deliver(payload []byte, seq int64) {
	s, ours := readStamp(payload, l.load.run, l.load.plan.Size)
	if !ours {
		return // somebody else's: the node has other users
	}
	switch {
	case int(s.sender) >= len(l.next):
		l.load.tally.add("misdelivered", 1, fmt.Sprintf("a message of sender %d came to a client of %d senders", s.sender, len(l.next)))
		return
	case s.number < l.next[s.sender]:
		l.load.tally.add("repeated or out of order", 1, fmt.Sprintf("message %d of sender %d came when %d was expected", s.number, s.sender, l.next[s.sender]))
		return
	case l.stored && seq == 0:
		l.load.tally.add("not stored", 1, "a message of a stored room has no seq")
	}
	l.next[s.sender] = s.number + 1
	if l.load.measured(s.due) {
		l.delivery.add(age(s.due))
	}
	l.delivered.Add(1)
}

// inSequence books a frame that has a place in the room. Places that it passes are those of own messages that
// were not answered yet, or a gap.
func (l *ledger) inSequence(seq int64) {
	if seq == 0 {
		return
	}
	l.skipEarly()
	switch {
	case l.seq == 0 || seq == l.seq+1:
	case seq <= l.seq || seq-l.seq > maxPassed:
		l.gap(fmt.Sprintf("seq %d follows %d", seq, l.seq))
	default:
		l.pass(seq)
	}
	l.seq = max(l.seq, seq)
}

// maxPassed is how many places may be passed at once.
const maxPassed = 1000

func (l *ledger) pass(to int64) {
	if l.passed == nil {
		l.passed = map[int64]bool{}
	}
	for place := l.seq + 1; place < to; place++ {
		if !l.early[place] {
			l.passed[place] = true
		}
		delete(l.early, place)
	}
}

// answeredAt is inSequence for the answer to an own message. It may come early or late, to a session that reads the
// room's log just then, which shows it nothing of its own.
func (l *ledger) answeredAt(seq int64) {
	l.skipEarly()
	switch {
	case l.passed[seq]:
		delete(l.passed, seq)
	case seq <= l.seq+1:
		l.inSequence(seq)
	default:
		if l.early == nil {
			l.early = map[int64]bool{}
		}
		l.early[seq] = true
	}
}

// skipEarly goes on to the place behind which the next frame must be.
func (l *ledger) skipEarly() {
	for l.early[l.seq+1] {
		l.seq++
		delete(l.early, l.seq)
	}
}

// end books what was passed and never answered.
func (l *ledger) end() {
	for place := range l.passed {
		l.gap(fmt.Sprintf("seq %d never came", place))
	}
}

func (l *ledger) gap(example string) { l.load.tally.add("gap in a room", 1, example) }
