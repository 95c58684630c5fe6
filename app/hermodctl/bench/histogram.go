package bench

import (
	"math/bits"
	"time"
)

const (
	// precisionBits of a time are kept: what is told of it is at most 1/64 too long.
	precisionBits = 6
	subBuckets    = 1 << precisionBits
	// unit is the shortest time that is told from none.
	unit = time.Microsecond
	// octaves above subBuckets units: the last one ends at about 19 hours.
	octaves = 30
)

// histogram counts times in buckets whose width grows with the time. The zero value is empty and
// ready; counting makes it about 8 KiB. It is for one goroutine at a time.
type histogram struct {
	counts []uint32
	total  int64
	max    time.Duration
}

// add counts a time; one below zero, which clocks that are set make, counts as none.
func (h *histogram) add(d time.Duration) {
	if h.counts == nil {
		h.counts = make([]uint32, bucket(^uint64(0))+1)
	}
	d = max(d, 0)
	h.counts[bucket(uint64(d/unit))]++
	h.total++
	h.max = max(h.max, d)
}

// merge adds everything that another one has counted.
func (h *histogram) merge(o *histogram) {
	if o.total == 0 {
		return
	}
	if h.counts == nil {
		h.counts = make([]uint32, len(o.counts))
	}
	for i, n := range o.counts {
		h.counts[i] += n
	}
	h.total += o.total
	h.max = max(h.max, o.max)
}

// quantile returns the time that a share of all times, from 0 to 1, does not exceed; 0 when there
// are none.
func (h *histogram) quantile(share float64) time.Duration {
	wanted := max(1, int64(share*float64(h.total)+0.5))
	seen := int64(0)
	for i, n := range h.counts {
		if seen += int64(n); seen >= wanted {
			return min(upper(i), h.max)
		}
	}
	return 0
}

// bucket is where a number of units is counted.
func bucket(n uint64) int {
	if n < subBuckets {
		return int(n)
	}
	shift := bits.Len64(n) - precisionBits - 1
	if shift >= octaves {
		return (octaves+1)*subBuckets - 1
	}
	return (shift+1)*subBuckets + int(n>>shift) - subBuckets
}

// upper is the longest time that a bucket counts.
func upper(i int) time.Duration {
	if i < subBuckets {
		return time.Duration(i+1)*unit - 1
	}
	shift := i/subBuckets - 1
	n := uint64(i%subBuckets+subBuckets+1) << shift
	return time.Duration(n)*unit - 1
}
