package hermod

import (
	"os"
	"runtime"
	"runtime/debug"
	"sync/atomic"
)

// heapFloor is up to where garbage may grow on a small heap, in bytes. A node that holds little and handles much
// would otherwise collect ten times a second, and each collection takes a processor from what clients wait for.
const heapFloor = 64 << 20

// heapPercent is the collector's percentage with which a heap of that many live bytes grows to heapFloor, and
// the runtime's own from half of that on.
func heapPercent(live uint64) int {
	const usual = 100
	if live = max(live, 1<<20); live >= heapFloor/2 {
		return usual
	}
	return int(heapFloor*100/live) - 100
}

// keepHeapFloor sets the collector's percentage after each collection by what it has found alive, so that a heap
// that grows is not left with the percentage of a small one. It leaves the choice to who has set GOGC, and returns
// what ends it.
func keepHeapFloor() (stop func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	var stopped atomic.Bool
	before := debug.SetGCPercent(heapPercent(readMemory().live))
	var afterEach func(int)
	afterEach = func(percent int) {
		if stopped.Load() {
			return
		}
		if now := heapPercent(readMemory().live); now*10 < percent*9 || now*9 > percent*10 {
			debug.SetGCPercent(now)
			percent = now
		}
		runtime.AddCleanup(new(cycle), afterEach, percent)
	}
	runtime.AddCleanup(new(cycle), afterEach, heapPercent(readMemory().live))
	return func() {
		stopped.Store(true)
		debug.SetGCPercent(before)
	}
}

// cycle is garbage from the beginning, whose end tells of a collection. It has a pointer, or the runtime could
// put it in one block with others that live.
type cycle struct{ _ *cycle }
