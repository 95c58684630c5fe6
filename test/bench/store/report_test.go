package store

import (
	"fmt"
	"slices"
	"strings"

	"github.com/game-im/hermod/app/hermodctl/bench"
)

// The goals of docs/performance.md.
const (
	goalOfRaw    = 0.25  // of the raw insertion, on SQLite
	goalPerCPU   = 12000 // messages per CPU-second of node and database
	goalPostgres = 11815 // messages per second of wall time
)

// report is a table of one database. The first load is what the others are compared with.
type report struct {
	target
	loads   []load
	figures [][]figure // of each load, one for each round
}

func newReport(to target, loads []load) *report {
	return &report{target: to, loads: loads, figures: make([][]figure, len(loads))}
}

func (r *report) add(load int, f figure) { r.figures[load] = append(r.figures[load], f) }

func (r *report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n| %s | messages/s | per CPU-second of all processes that store | of the raw insertion: min / median / max | goal | verdict |\n|---|---|---|---|---|---|\n", r.title)
	for i, l := range r.loads {
		perSecond, perCPU := perSecondOf(r.figures[i]), perCPUOf(r.figures[i])
		fmt.Fprintf(&b, "| %s | %s | %s |", l.title, bench.Thousands(median(perSecond)), bench.Thousands(median(perCPU)))
		if i == 0 {
			b.WriteString(" | | |\n")
			continue
		}
		ratios := dividedBy(perSecond, perSecondOf(r.figures[0]))
		fmt.Fprintf(&b, " %.2f / **%.2f** / %.2f | %s |\n", slices.Min(ratios), median(ratios), slices.Max(ratios),
			r.judge(median(perSecond), median(perCPU), median(ratios)))
	}
	return b.String()
}

// judge is the last two columns.
func (r *report) judge(perSecond, perCPU, ofRaw float64) string {
	goals, verdicts := []string{}, []string{}
	hold := func(text string, met bool) {
		goals = append(goals, text)
		verdicts = append(verdicts, map[bool]string{true: "pass", false: "**fail**"}[met])
	}
	switch r.driver {
	case "sqlite":
		hold(fmt.Sprintf("≥ %.2f", goalOfRaw), ofRaw >= goalOfRaw)
	case "postgres":
		hold(fmt.Sprintf("≥ %s/s", bench.Thousands(goalPostgres)), perSecond >= goalPostgres)
	}
	hold(fmt.Sprintf("> %s per CPU-second", bench.Thousands(goalPerCPU)), perCPU > goalPerCPU)
	return strings.Join(goals, "; ") + " | " + strings.Join(verdicts, "; ")
}

func perSecondOf(all []figure) []float64 {
	return each(all, func(f figure) float64 { return f.perSecond })
}
func perCPUOf(all []figure) []float64 { return each(all, func(f figure) float64 { return f.perCPU }) }

func each(all []figure, value func(figure) float64) []float64 {
	values := make([]float64, len(all))
	for i, f := range all {
		values[i] = value(f)
	}
	return values
}

// dividedBy compares round by round.
func dividedBy(a, b []float64) []float64 {
	ratios := make([]float64, len(a))
	for i := range a {
		ratios[i] = a[i] / b[i]
	}
	return ratios
}

// median is the lower one of the two in the middle where there are two, so that it was measured.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[(len(sorted)-1)/2]
}
