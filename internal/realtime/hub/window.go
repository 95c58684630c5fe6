package hub

import (
	"cmp"
	"slices"
	"time"

	"github.com/game-im/hermod/internal/realtime/session"
)

const (
	// patience is how long a hole may fill by itself: nodes are a millisecond or so apart, and a read of
	// the log too much while one of them is a little late would be the larger part.
	patience = 30 * time.Millisecond
	// maxAhead and maxAheadBytes bound what waits in a channel for what is missing before it.
	maxAhead      = 256
	maxAheadBytes = 1 << 20
)

// window is what a channel knows of publications that it cannot deliver yet, and what is being done about
// that. A channel in which all is in order has none.
type window struct {
	ahead []session.Delivery // by seq, each above the channel's head + 1
	bytes int                // of them
	reach int64              // how far the log goes, as somebody said
	asked bool               // it may go further than anybody said
	stage stage
	fails int // reads that have failed since the last one that did not
}

// stage is whose turn it is.
type stage uint8

const (
	patient stage = iota // the other nodes': what is missing may come
	due                  // a reader's, soon
	reading              // a reader is at it
)

// put keeps a delivery. It is false when there is no room.
func (w *window) put(d session.Delivery) bool {
	at, found := slices.BinarySearchFunc(w.ahead, d.Seq, func(a session.Delivery, seq int64) int { return cmp.Compare(a.Seq, seq) })
	switch {
	case found && d.By != nil:
		w.ahead[at] = d // this one has a reply
	case found:
	case len(w.ahead) >= maxAhead || w.bytes+d.Bytes > maxAheadBytes:
		return false
	default:
		w.ahead = slices.Insert(w.ahead, at, d)
		w.bytes += d.Bytes
	}
	return true
}

// take removes what is in order behind head.
func (w *window) take(head int64) []session.Delivery {
	n := 0
	for n < len(w.ahead) && w.ahead[n].Seq == head+1+int64(n) {
		w.bytes -= w.ahead[n].Bytes
		n++
	}
	taken := w.ahead[:n:n]
	if w.ahead = w.ahead[n:]; len(w.ahead) == 0 {
		w.ahead = nil
	}
	return taken
}

// missing is the highest seq that the log has above head and the window has not; head if there is none.
func (w *window) missing(head int64) int64 {
	last := head
	if n := len(w.ahead); n > 0 {
		last = w.ahead[n-1].Seq
	}
	if w.reach > last {
		return w.reach
	}
	for i := len(w.ahead) - 1; i >= 0; i-- {
		before := head
		if i > 0 {
			before = w.ahead[i-1].Seq
		}
		if w.ahead[i].Seq != before+1 {
			return w.ahead[i].Seq - 1
		}
	}
	return head
}

// settled tells whether nothing is missing.
func (w *window) settled(head int64) bool {
	return len(w.ahead) == 0 && w.reach <= head && !w.asked
}
