package main

import (
	"fmt"
	"time"
)

// goal is a bound and how an outcome is held against it.
type goal struct {
	text string
	met  func(*outcome) bool
}

func ratioGoal(least float64) goal {
	return goal{fmt.Sprintf("≥ %.1f", least), func(o *outcome) bool { return o.ratio().median >= least }}
}

func rateGoal(least float64) goal {
	return goal{fmt.Sprintf("≥ %.0f/s", least), func(o *outcome) bool { return median(o.hermod, answered) >= least }}
}

func latencyGoal(most float64) goal {
	return goal{"p99 < " + ms(most), func(o *outcome) bool { return median(o.hermod, worst99) < most }}
}

func thenGoal(most float64, when string) goal {
	return goal{fmt.Sprintf("p99 < %s at %s", ms(most), when), func(o *outcome) bool {
		return median(o.hermod, thenWorst99) < most
	}}
}

func addedGoal(most float64) goal {
	return goal{fmt.Sprintf("p99 + %s at most at half of it", ms(most)), func(o *outcome) bool {
		return median(o.hermod, added) < most
	}}
}

func memoryGoal(most float64) goal {
	return goal{fmt.Sprintf("≤ %.0f KiB", most/1024), func(o *outcome) bool {
		return median(o.hermod, perConnection) <= most
	}}
}

// ms writes milliseconds as a duration.
func ms(v float64) string { return time.Duration(v * float64(time.Millisecond)).String() }
