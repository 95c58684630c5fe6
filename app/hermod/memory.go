package hermod

import (
	"context"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// When memory is given back.
const (
	memoryCheck = 3 * time.Second
	quietAllocs = 4 << 20 // bytes allocated between two checks by a node that has little to do
	worthReturn = 4 << 20 // bytes that make a collection worth its while,
	worthPart   = 8       // and the part of what lives that they have to be: a large heap takes long to look through
)

// returnMemory gives back to the system what a burst has left behind, once it is over. Thousands of
// clients that come back at once need several times the memory of the sessions that they then hold
// idle; left alone, the collector would keep it for the next burst. A node at work is not touched.
func returnMemory(ctx context.Context) error {
	tick := time.NewTicker(memoryCheck)
	defer tick.Stop()
	before := readMemory()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now := readMemory()
		if now.returnable(before) {
			runtime.GC() // pools of buffers let go of what they hold at the second collection
			debug.FreeOSMemory()
			now = readMemory()
		}
		before = now
	}
}

// memory is a reading of the runtime's books, in bytes.
type memory struct {
	allocs uint64 // ever
	used   uint64 // by objects, garbage included
	live   uint64 // used by objects at the last collection
	free   uint64 // held and not used
}

func readMemory() memory {
	s := []metrics.Sample{
		{Name: "/gc/heap/allocs:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/gc/heap/live:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
	}
	metrics.Read(s)
	return memory{s[0].Value.Uint64(), s[1].Value.Uint64(), s[2].Value.Uint64(), s[3].Value.Uint64()}
}

// returnable tells whether little has happened since an earlier reading and much could be given back.
func (m memory) returnable(before memory) bool {
	garbage := m.used - min(m.used, m.live)
	return m.allocs-before.allocs < quietAllocs && garbage+m.free >= max(worthReturn, m.live/worthPart)
}
