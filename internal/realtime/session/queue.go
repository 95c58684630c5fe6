package session

import (
	"time"

	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/overload"
)

// item is one frame in a session's queue.
type item struct {
	enc      *frame.Encoded
	sub      *Subscription // nil: the frame is not of a log
	seq      int64         // place in sub's channel
	required bool          // only an explicit ack confirms it
	kept     bool          // nothing could bring it back
}

func (it *item) missed() {
	if it.sub != nil {
		if log, ok := it.sub.source.(Leading); ok {
			log.Missed(it.seq)
		}
	}
}

// queue holds a session's frames in order: first those that were written and wait for their ack
// (in a session that can resume), then those that wait to be written. The number of a frame in its
// session follows from its place. Not safe for concurrent use.
type queue struct {
	items []item
	head  int    // items before it are gone
	sent  int    // written ones, from head on
	acked uint64 // number of the last frame that is gone
	// reached is the highest number that was ever taken: up to it, the client may have the frames,
	// whatever rewind has made of sent.
	reached uint64
	sums
	tally overload.Tally
}

// sums are what a number of frames come to.
type sums struct {
	bytes  int
	kept   int // bytes of frames that nothing could bring back
	mortal int // frames that expire
}

// add counts a frame so many times.
func (s *sums) add(it item, times int) {
	s.bytes += times * it.enc.Size()
	if it.kept {
		s.kept += times * it.enc.Size()
	}
	if it.enc.Mortal() {
		s.mortal += times
	}
}

// compactAt is the number of consumed slots from which on moving the rest down pays.
const compactAt = 64

func (q *queue) len() int         { return len(q.items) - q.head }
func (q *queue) unsent() int      { return q.len() - q.sent }
func (q *queue) lastSent() uint64 { return q.acked + uint64(q.sent) }

func (q *queue) push(it item) {
	q.items = append(q.items, it)
	q.add(it, 1)
	q.tally.Now(q.bytes)
}

// fits tells whether a frame may be added under the limit. An empty queue takes any frame, so that
// no message is too large for ever.
func (q *queue) fits(size, limit int) bool {
	return q.len() == 0 || q.bytes+size <= limit
}

// take appends the next unsent frames to dst, up to a number of frames and of bytes but at least
// one, and returns the number of the first. With retain they stay until they are acknowledged.
func (q *queue) take(dst []item, maxItems, maxBytes int, retain bool) (taken []item, first uint64) {
	first = q.lastSent() + 1
	from := q.head + q.sent
	to, taking := from, sums{}
	for to < len(q.items) && to-from < maxItems {
		if taking.bytes+q.items[to].enc.Size() > maxBytes && to > from {
			break
		}
		taking.add(q.items[to], 1)
		to++
	}
	dst = append(dst, q.items[from:to]...)
	q.sent += to - from
	q.reached = max(q.reached, q.lastSent())
	if !retain {
		q.forget(to-from, taking)
	}
	return dst, first
}

// forget drops the first n frames, which are all that was written and have these sums.
func (q *queue) forget(n int, gone sums) {
	clear(q.items[q.head : q.head+n])
	q.head += n
	q.acked += uint64(n)
	q.sent -= n
	q.bytes -= gone.bytes
	q.kept -= gone.kept
	q.mortal -= gone.mortal
	q.tally.Now(q.bytes)
	q.compact()
}

// drop forgets the first frame.
func (q *queue) drop() item {
	it := q.items[q.head]
	q.items[q.head] = item{}
	q.head++
	q.acked++
	q.add(it, -1)
	q.tally.Now(q.bytes)
	if q.sent > 0 {
		q.sent--
	}
	q.compact()
	return it
}

func (q *queue) compact() {
	switch {
	case q.head == len(q.items):
		q.items, q.head = q.items[:0], 0
	case q.head >= compactAt && q.head*2 >= len(q.items):
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
}

// expire removes what has expired and was never taken, so that no client knows its number: those behind
// it move up. It returns the numbers that the removed ones had, in order.
func (q *queue) expire(now time.Time) (gone []uint64) {
	from := q.head + int(q.reached-q.acked)
	to := from
	for i := from; i < len(q.items); i++ {
		it := q.items[i]
		if it.enc.Expired(now) {
			gone = append(gone, q.acked+uint64(i-q.head)+1)
			q.add(it, -1)
			it.missed()
			continue
		}
		q.items[to] = it
		to++
	}
	clear(q.items[min(to, len(q.items)):])
	q.items = q.items[:min(to, len(q.items))]
	q.tally.Now(q.bytes)
	return gone
}

// end forgets everything. Nothing is queued afterwards.
func (q *queue) end() {
	q.tally.Now(0)
	*q = queue{}
}

// trim lets go of the room that was needed. A session at rest holds none.
func (q *queue) trim() {
	if q.len() == 0 {
		q.items, q.head = nil, 0
	}
}

// recode makes the frames those of another format, all or none.
func (q *queue) recode(from, to *frame.Format) error {
	again := queue{sent: q.sent, acked: q.acked, reached: q.reached}
	for _, it := range q.items[q.head:] {
		var err error
		if it.enc, err = from.Recode(it.enc, to); err != nil {
			return err
		}
		again.push(it)
	}
	again.tally = q.tally
	again.tally.Now(again.bytes)
	*q = again
	return nil
}

// rewind makes everything unacknowledged wait to be written again, with its old number.
func (q *queue) rewind() (again int) {
	again, q.sent = q.sent, 0
	return again
}
