package bench

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestHistogramIsNearTheTruth compares quantiles with those of the sorted times.
func TestHistogramIsNearTheTruth(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		longest := rapid.Int64Range(1, int64(time.Hour)).Draw(t, "longest")
		times := rapid.SliceOfN(rapid.Int64Range(0, longest), 1, 300).Draw(t, "times")
		share := rapid.Float64Range(0, 1).Draw(t, "share")
		var h histogram
		for _, d := range times {
			h.add(time.Duration(d))
		}
		slices.Sort(times)
		rank := max(1, int(share*float64(len(times))+0.5))
		want := time.Duration(times[rank-1])
		got := h.quantile(share)
		if got < want-unit || got > want+want/subBuckets+unit {
			t.Fatalf("%v at %v, want %v", got, share, want)
		}
	})
}

func TestHistogramMerges(t *testing.T) {
	t.Parallel()
	var whole, one, two, none histogram
	for i := range 1000 {
		d := time.Duration(rand.Int64N(int64(time.Second)))
		whole.add(d)
		if i%3 == 0 {
			one.add(d)
		} else {
			two.add(d)
		}
	}
	var merged histogram
	for _, h := range []*histogram{&none, &one, &two, &none} {
		merged.merge(h)
	}
	if merged.total != 1000 || merged.max != whole.max {
		t.Errorf("%d times up to %v, want 1000 up to %v", merged.total, merged.max, whole.max)
	}
	for _, share := range []float64{0, 0.5, 0.99, 0.999, 1} {
		if got, want := merged.quantile(share), whole.quantile(share); got != want {
			t.Errorf("%v at %v, want %v", got, share, want)
		}
	}
}

func TestHistogramEdges(t *testing.T) {
	t.Parallel()
	var h histogram
	if h.quantile(0.99) != 0 {
		t.Error("nothing took some time")
	}
	h.add(-time.Second)
	if h.quantile(1) != 0 || h.total != 1 {
		t.Errorf("a time below zero counts as %v", h.quantile(1))
	}
	h.add(1 << 62)
	if got := h.quantile(1); got < 24*time.Hour/2 {
		t.Errorf("the longest time of all counts as %v", got)
	}
	for i := range len(h.counts) - 1 {
		if got := bucket(uint64(upper(i) / unit)); got != i {
			t.Fatalf("the longest time of bucket %d is counted in %d", i, got)
		}
	}
}
