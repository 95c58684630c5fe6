package overload

import (
	"log/slog"
	"sync/atomic"
	"time"
)

// quiet is how long nothing must have been refused for an episode to be over.
const quiet = 10 * time.Second

// episode is a time in which a limit refuses. Its begin and its end are logged, and nothing in between.
type episode struct {
	last  atomic.Int64 // when something was refused, in nanoseconds since 1970; 0: there is no episode
	count atomic.Int64 // of what was refused
}

func (e *episode) refused(l Limit, log *slog.Logger) {
	e.count.Add(1)
	if e.last.Swap(time.Now().UnixNano()) != 0 {
		return
	}
	log.Warn("the node has reached a limit and refuses what is beyond; see overload in the configuration", "limit", l.String())
	time.AfterFunc(quiet, func() { e.watch(l, log) })
}

// watch runs while there is an episode, some times a minute.
func (e *episode) watch(l Limit, log *slog.Logger) {
	last := e.last.Load()
	if left := time.Until(time.Unix(0, last).Add(quiet)); left > 0 || !e.last.CompareAndSwap(last, 0) {
		time.AfterFunc(max(left, time.Second), func() { e.watch(l, log) })
		return
	}
	log.Info("the node refuses nothing any more for reaching a limit", "limit", l.String(), "refused", e.count.Swap(0))
}
