package hermod

import "testing"

func TestMemoryIsReturnedWhenABurstIsOver(t *testing.T) {
	t.Parallel()
	const mib = 1 << 20
	for name, test := range map[string]struct {
		before, now memory
		want        bool
	}{
		"at work":              {memory{allocs: 0}, memory{allocs: 100 * mib, used: 200 * mib, live: 50 * mib}, false},
		"quiet, with garbage":  {memory{allocs: 99 * mib}, memory{allocs: 100 * mib, used: 70 * mib, live: 50 * mib}, true},
		"quiet, with free":     {memory{allocs: 99 * mib}, memory{allocs: 100 * mib, used: 50 * mib, live: 50 * mib, free: 20 * mib}, true},
		"quiet, and returned":  {memory{allocs: 99 * mib}, memory{allocs: 100 * mib, used: 52 * mib, live: 50 * mib, free: 1 * mib}, false},
		"little of much":       {memory{allocs: 99 * mib}, memory{allocs: 100 * mib, used: 850 * mib, live: 800 * mib, free: 49 * mib}, false},
		"much of much":         {memory{allocs: 99 * mib}, memory{allocs: 100 * mib, used: 850 * mib, live: 800 * mib, free: 51 * mib}, true},
		"live above what used": {memory{allocs: 99 * mib}, memory{allocs: 100 * mib, used: 40 * mib, live: 50 * mib}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := test.now.returnable(test.before); got != test.want {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestTheRuntimeKnowsTheReadings(t *testing.T) {
	t.Parallel()
	if m := readMemory(); m.allocs == 0 || m.used == 0 {
		t.Errorf("got %+v", m)
	}
}
