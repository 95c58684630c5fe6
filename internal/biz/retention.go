package biz

import "time"

// Retention says how long messages are kept at most, whatever their room says, and what is known of users. What is
// zero is no limit.
type Retention struct {
	MaxAge      time.Duration
	MaxMessages int64 // of one room
	// MaxBytes is how many bytes of messages are kept of one room. A message has those of its content and of its
	// metadata, as they are stored, and MessageOverhead. Neither indexes count nor reactions, search or recordings. The
	// newest message is kept, however large it is.
	MaxBytes int64
	// Unreferenced is how long a recording is kept that no message refers to.
	Unreferenced time.Duration
	// LastSeen is how long it is kept when a user was last there, if he does not come back.
	LastSeen time.Duration
}

// MessageOverhead is how many bytes a message counts to have besides content and metadata: about those of its ids and times.
const MessageOverhead = 128

// Horizon is where a room's memory ends at some moment. Whatever has passed it and has nothing before it
// that has not is deleted: what is kept of a room is one piece that ends with its newest message.
type Horizon struct {
	Before time.Time // what is older has passed; zero: nothing has by its age
	UpTo   int64     // what has this seq or a lower one has passed
}

// Horizon returns that of a room at now, which keeps messages for ttl, or for ever when that is 0, and
// whose last message has the seq head. It leaves out MaxBytes, of which only the store knows where that is.
func (r Retention) Horizon(ttl time.Duration, head int64, now time.Time) Horizon {
	var h Horizon
	if ttl <= 0 || r.MaxAge > 0 && r.MaxAge < ttl {
		ttl = r.MaxAge
	}
	if ttl > 0 {
		h.Before = now.Add(-ttl)
	}
	if r.MaxMessages > 0 {
		h.UpTo = max(0, head-r.MaxMessages)
	}
	return h
}

// Passed tells whether a message is beyond the horizon.
func (h Horizon) Passed(seq int64, created time.Time) bool {
	return seq <= h.UpTo || created.Before(h.Before)
}
