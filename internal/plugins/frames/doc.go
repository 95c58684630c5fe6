// Package frames has what node and plugin, each in a process of its own, say to each other: the types of
// the package plugin as messages of hermod.plugin.v1 and back, and the queue that makes frames of them. It
// is the same code on both sides, so that nothing is lost between two tables that differ.
//
// What comes from the other side shares memory with the frame that it came in, which nobody else keeps.
package frames

import (
	"cmp"
	"time"
)

const (
	// MaxBytes is what a frame may have at most.
	MaxBytes = 4 << 20
	// MaxUnanswered is how many calls of a connection may be without an answer.
	MaxUnanswered = 1024
	// MaxReason bounds a text that is told of a failure, in bytes.
	MaxReason = 1 << 10
)

// nanos is a time on the wire.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return cmp.Or(t.UnixNano(), 1)
}

func moment(ns int64) time.Time {
	if ns == 0 {
		return time.Time{}
	}
	return time.Unix(0, ns)
}

// millis is a duration on the wire, rounded up: 0 stands for none.
func millis(d time.Duration) uint32 {
	const most = 24 * time.Hour
	return uint32((min(max(d, 0), most) + time.Millisecond - 1) / time.Millisecond) //nolint:gosec // at most a day
}
