package hermod

import (
	"runtime"
	"runtime/debug"
	"testing"
	"time"
)

func TestHeapPercent(t *testing.T) {
	for _, tt := range []struct {
		live uint64
		want int
	}{
		{0, 6300}, {1 << 20, 6300}, {4 << 20, 1500}, {8 << 20, 700}, {16 << 20, 300}, {32 << 20, 100}, {1 << 30, 100},
	} {
		if got := heapPercent(tt.live); got != tt.want {
			t.Errorf("%d live bytes: %d instead of %d", tt.live, got, tt.want)
		}
	}
}

// TestHeapFloorFollowsTheHeap: what lives decides, also when it grows at once.
func TestHeapFloorFollowsTheHeap(t *testing.T) {
	t.Setenv("GOGC", "")
	stop := keepHeapFloor()
	percent := func() int {
		p := debug.SetGCPercent(100)
		debug.SetGCPercent(p)
		return p
	}
	until := func(what string, there func(int) bool) {
		for limit := time.Now().Add(time.Minute); !there(percent()); runtime.GC() {
			if time.Now().After(limit) {
				t.Fatalf("still %d with %s", percent(), what)
			}
		}
	}
	until("little on the heap", func(p int) bool { return p > 100 })
	large := make([][]byte, 64)
	for i := range large {
		large[i] = make([]byte, 1<<20)
	}
	until("64 MiB alive", func(p int) bool { return p == 100 })
	runtime.KeepAlive(large)
	stop()
	if p := percent(); p != 100 {
		t.Errorf("%d after it was ended", p)
	}
}
