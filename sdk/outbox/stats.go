package outbox

import "sync/atomic"

// Stats count what a relay has done since it was made.
type Stats struct {
	Sent     uint64 // messages that are stored, and pushes that were delivered or queued
	Missed   uint64 // pushes that ended with nobody there, too late, or unknown
	Parked   uint64
	Retried  uint64 // attempts that came to nothing and will be made again
	Failures uint64 // statements to the database that failed
	InHand   int64  // rooms and targets that are worked on now
}

type counters struct {
	sent, missed, parked, retried, failures atomic.Uint64
	inHand                                  atomic.Int64
}

// Stats returns the counts.
func (r *Relay) Stats() Stats {
	c := &r.counters
	return Stats{
		Sent: c.sent.Load(), Missed: c.missed.Load(), Parked: c.parked.Load(),
		Retried: c.retried.Load(), Failures: c.failures.Load(), InHand: c.inHand.Load(),
	}
}
