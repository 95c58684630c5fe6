package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/game-im/hermod/app/hermodctl/bench"
)

// sample is what one measurement of one server yields.
type sample struct {
	bench.Result              // of the load
	then         bench.Result // of the one after it, at a lower rate; zero where there is none
	direct       bench.Result // of the same without a gateway between; likewise
}

// sound tells what makes a result useless: a figure is worth nothing if anything was lost, repeated,
// refused or out of turn on the way to it.
func sound(r *bench.Result) error {
	var wrong []string
	for _, e := range r.Errors {
		wrong = append(wrong, fmt.Sprintf("%d × %s (%s)", e.Count, e.Kind, e.First))
	}
	switch {
	case len(wrong) > 0:
		return errors.New(strings.Join(wrong, "; "))
	case r.Interrupted:
		return errors.New("interrupted")
	case r.Server == nil:
		return errors.New("what the server used is not known")
	}
	return nil
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

// The figures of a sample. Answers are those to messages, calls or requests.
func deliveredPerCPU(s sample) float64 { return s.Server.DeliveredPerCPUSecond }
func delivered(s sample) float64       { return s.DeliveredPerSecond }
func answeredPerCPU(s sample) float64  { return s.Server.AcceptedPerCPUSecond }
func answered(s sample) float64        { return s.AcceptedPerSecond }
func perConnection(s sample) float64   { return s.Server.RSSBytesPerConnection }
func resident(s sample) float64        { return float64(s.Server.RSSBytes) }

// worst99 is the p99 that a goal is held against, in milliseconds: of the answer or of the delivery,
// whichever is later.
func worst99(s sample) float64 { return p99(s.Result) }

func thenWorst99(s sample) float64 { return p99(s.then) }

func p99(r bench.Result) float64 { return max(r.Answer.P99, r.Delivery.P99) }

// added is what the gateway adds to the p99 of a request.
func added(s sample) float64 { return p99(s.then) - p99(s.direct) }
