package main

import (
	"slices"
	"time"
)

// sample is what one measurement of one server yields; what it does not measure is zero.
type sample struct {
	perCPU    float64 // deliveries or messages per CPU-second of the server
	perWall   float64 // the same per second
	rss       int64   // bytes, at the end
	perStream float64 // bytes of RSS

	ack, delivery         spread // from when a message was due
	ackHalf, deliveryHalf spread // the same at half of the rate
}

// newSample relates a count to what the server used for it.
func newSample(before, after usage, count int) sample {
	cpu := max(after.cpu-before.cpu, clockTick).Seconds()
	wall := after.when.Sub(before.when).Seconds()
	return sample{perCPU: float64(count) / cpu, perWall: float64(count) / wall, rss: after.rss}
}

// spread is how a set of times is distributed.
type spread struct {
	p50, p99 time.Duration
}

// newSpread sorts times in place.
func newSpread(times []time.Duration) spread {
	if len(times) == 0 {
		return spread{}
	}
	slices.Sort(times)
	return spread{p50: times[(len(times)-1)*50/100], p99: times[(len(times)-1)*99/100]}
}

// median of what value says about each sample; of an even number, the lower of the two in the
// middle, so that it is always a figure that was measured.
func median(samples []sample, value func(sample) float64) float64 {
	if len(samples) == 0 {
		return 0
	}
	values := make([]float64, len(samples))
	for i, s := range samples {
		values[i] = value(s)
	}
	slices.Sort(values)
	return values[(len(values)-1)/2]
}

func perCPU(s sample) float64    { return s.perCPU }
func perWall(s sample) float64   { return s.perWall }
func perStream(s sample) float64 { return s.perStream }

// worst99 is the p99 that a goal is held against: of the ACK or of the delivery, whichever is
// later.
func worst99(s sample) float64 { return float64(max(s.ack.p99, s.delivery.p99)) }

func worst99Half(s sample) float64 { return float64(max(s.ackHalf.p99, s.deliveryHalf.p99)) }
