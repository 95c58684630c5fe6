package hermod

import "runtime"

// gcFloor keeps the collector from running before the heap has grown by about twice this size. A
// node with few sessions has a heap of some megabytes, which a busy room would have collected many
// times a second, to no use.
const gcFloor = 48 << 20

// raiseGCFloor returns a function that undoes it. The memory is never written to, so it exists in
// the collector's books alone and the process does not grow by it.
func raiseGCFloor() (release func()) {
	ballast := make([]byte, gcFloor)
	return func() { runtime.KeepAlive(ballast) }
}
