package plugins

import (
	"sync/atomic"
	"time"
)

// breaker leaves a plugin alone for a while that failed too often in a row, and then has one call try
// whether it works again. It is asked before every call, and takes no lock.
type breaker struct {
	most   int64         // failures in a row
	rest   time.Duration // how long it is left alone
	turned func(open bool)

	row    atomic.Int64
	until  atomic.Int64 // when it may be tried again, in nanoseconds of the clock; 0: it is not left alone
	trying atomic.Bool
}

// resting tells whether nobody may call.
func (b *breaker) resting(now time.Time) bool {
	until := b.until.Load()
	return until != 0 && now.UnixNano() < until
}

// allow tells whether to call, and whether that call is the one that tries. Every call that is allowed
// is reported.
func (b *breaker) allow(now time.Time) (try, ok bool) {
	switch until := b.until.Load(); {
	case until == 0:
		return false, true
	case now.UnixNano() < until || !b.trying.CompareAndSwap(false, true):
		return false, false
	}
	return true, true
}

// report says how a call ended that was allowed.
func (b *breaker) report(now time.Time, try, failed bool) {
	switch {
	case try && failed:
		b.until.Store(now.Add(b.rest).UnixNano())
		b.trying.Store(false)
	case try:
		b.row.Store(0)
		b.until.Store(0)
		b.trying.Store(false)
		b.turned(false)
	case !failed:
		if b.row.Load() != 0 {
			b.row.Store(0)
		}
	case b.row.Add(1) >= b.most && b.until.CompareAndSwap(0, now.Add(b.rest).UnixNano()):
		b.turned(true)
	}
}
