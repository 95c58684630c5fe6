package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/game-im/hermod/app/hermodctl/bench"
)

// ratios is Hermod's figure divided by that of the bare loop, over the rounds.
type ratios struct {
	min, median, max float64
}

func (r ratios) String() string { return fmt.Sprintf("%.2f / **%.2f** / %.2f", r.min, r.median, r.max) }

// ratio compares round by round: memory or time for rows that measure them, else work per CPU-second.
func (o *outcome) ratio() ratios {
	value := o.value()
	var all []float64
	for i := range min(len(o.hermod), len(o.bare)) {
		all = append(all, value(o.hermod[i])/value(o.bare[i]))
	}
	if len(all) == 0 {
		return ratios{}
	}
	slices.Sort(all)
	return ratios{min: all[0], median: all[(len(all)-1)/2], max: all[len(all)-1]}
}

// value is the figure that is compared.
func (o *outcome) value() func(sample) float64 {
	switch o.kind() {
	case "idle":
		return perConnection
	case "latency":
		return worst99
	case "rooms", "request":
		return answeredPerCPU
	}
	return deliveredPerCPU
}

// latest is the last round, for those who wait.
func (o *outcome) latest() string {
	h, b := o.value()(o.hermod[len(o.hermod)-1]), o.value()(o.bare[len(o.bare)-1])
	return fmt.Sprintf("%s to %s, ratio %.2f", figure(h), figure(b), h/b)
}

// kind is the first part of the row's name.
func (o *outcome) kind() string {
	kind, _, _ := strings.Cut(o.name, "/")
	return kind
}

// goal and verdict, as the last two columns.
func (o *outcome) judgement() string {
	if o.err != nil {
		return "| | **broken** |"
	}
	if len(o.goals) == 0 {
		return "| | |"
	}
	var texts, words []string
	for _, g := range o.goals {
		word := "**fail**"
		if g.met(o) {
			word = "pass"
		}
		texts, words = append(texts, g.text), append(words, word)
	}
	return "| " + strings.Join(texts, "; ") + " | " + strings.Join(words, "; ") + " |"
}

// failures are the rows that could not be measured. A missed goal is a result, not a failure.
func failures(done []*outcome) error {
	var errs []error
	for _, o := range done {
		if o.err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", o.name, o.err))
		}
	}
	return errors.Join(errs...)
}

// table is one kind of rows: its heading, and the cells of a row between title and ratio.
type table struct {
	kind, title, columns string
	cells                func(*outcome) string
}

var tables = []table{{
	kind:    "fanout",
	title:   "One room, one sender",
	columns: "| receivers, frames, room | Hermod, deliveries per server CPU-second | bare | Hermod, deliveries/s | bare |",
	cells:   deliveryCells,
}, {
	kind:    "broadcast",
	title:   "Broadcasts of a service",
	columns: "| receivers | Hermod, deliveries per server CPU-second | bare | Hermod, deliveries/s | bare |",
	cells:   deliveryCells,
}, {
	kind:    "latency",
	title:   "Delivery at a rate",
	columns: "| load | Hermod p50, p99: ACK; delivery | bare |",
	cells:   func(o *outcome) string { return cells(latencies(o.hermod, atRate), latencies(o.bare, atRate)) },
}, {
	kind:  "rooms",
	title: fmt.Sprintf("%d rooms of %d, everybody sends", roomCount, roomMembers),
	columns: "| load | Hermod, messages/s | bare | Hermod, messages per server CPU-second | bare " +
		"| Hermod p50, p99: ACK; delivery | bare | Hermod, the same at the lower rate | bare |",
	cells: roomsCells,
}, {
	kind:    "push",
	title:   "Pushes of a service",
	columns: "| call | Hermod, pushes per server CPU-second | bare | Hermod, pushes/s | bare | Hermod p50, p99: call; delivery | bare |",
	cells: func(o *outcome) string {
		return deliveryCells(o) + cells(latencies(o.hermod, atRate), latencies(o.bare, atRate))
	},
}, {
	kind:  "request",
	title: "Business requests",
	columns: "| sessions, service | Hermod, requests per server CPU-second | bare | Hermod, requests/s | bare " +
		"| Hermod, p99 at half of the rate | bare | the service alone at Hermod's |",
	cells: requestCells,
}, {
	kind:    "idle",
	title:   "Idle sessions",
	columns: "| sessions | Hermod, RSS per session | bare | Hermod, RSS in all | bare |",
	cells:   idleCells,
}}

// render writes the tables that have rows, and what they were measured on.
func render(done []*outcome, opt *options) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s, %d CPUs, %s, %s; %s, medians of %d rounds.\n",
		processor(), runtime.NumCPU(), runtime.GOOS, runtime.Version(), time.Now().UTC().Format(time.DateOnly), opt.rounds)
	if opt.againstOwn {
		b.WriteString("\nThe bare loop stood in Hermod's place.\n")
	}
	for _, t := range tables {
		t.render(&b, done)
	}
	return b.String()
}

func (t table) render(b *bytes.Buffer, done []*outcome) {
	var lines []string
	for _, o := range done {
		if o.kind() == t.kind {
			lines = append(lines, fmt.Sprintf("| %s %s| %v %s\n", o.title, t.cells(o), o.ratio(), o.judgement()))
		}
	}
	if len(lines) == 0 {
		return
	}
	head := t.columns + " ratio: min / median / max | goal | verdict |"
	fmt.Fprintf(b, "\n### %s\n\n%s\n%s|\n", t.title, head, strings.Repeat("|---", strings.Count(head, "|")-1))
	b.WriteString(strings.Join(lines, ""))
}

func deliveryCells(o *outcome) string {
	return cells(
		thousands(median(o.hermod, deliveredPerCPU)), thousands(median(o.bare, deliveredPerCPU)),
		thousands(median(o.hermod, delivered)), thousands(median(o.bare, delivered)),
	)
}

func roomsCells(o *outcome) string {
	return cells(
		thousands(median(o.hermod, answered)), thousands(median(o.bare, answered)),
		thousands(median(o.hermod, answeredPerCPU)), thousands(median(o.bare, answeredPerCPU)),
		latencies(o.hermod, atRate), latencies(o.bare, atRate),
		latencies(o.hermod, atLower), latencies(o.bare, atLower),
	)
}

func requestCells(o *outcome) string {
	half, bare, alone := "", "", ""
	if o.load.then != nil {
		half, bare = figure(median(o.hermod, thenWorst99))+" ms", figure(median(o.bare, thenWorst99))+" ms"
		alone = figure(median(o.hermod, func(s sample) float64 { return p99(s.direct) })) + " ms"
	}
	return cells(
		thousands(median(o.hermod, answeredPerCPU)), thousands(median(o.bare, answeredPerCPU)),
		thousands(median(o.hermod, answered)), thousands(median(o.bare, answered)), half, bare, alone,
	)
}

func idleCells(o *outcome) string {
	return cells(
		fmt.Sprintf("%.1f KiB", median(o.hermod, perConnection)/1024), fmt.Sprintf("%.1f KiB", median(o.bare, perConnection)/1024),
		fmt.Sprintf("%.0f MiB", median(o.hermod, resident)/(1<<20)), fmt.Sprintf("%.0f MiB", median(o.bare, resident)/(1<<20)),
	)
}

func cells(values ...string) string { return "| " + strings.Join(values, " | ") + " " }

var thousands = bench.Thousands

// figure is a number of any size.
func figure(v float64) string {
	if v < 100 {
		return fmt.Sprintf("%.1f", v)
	}
	return thousands(v)
}

func atRate(s sample) bench.Result  { return s.Result }
func atLower(s sample) bench.Result { return s.then }

// latencies is the four medians of a cell, in milliseconds.
func latencies(samples []sample, of func(sample) bench.Result) string {
	pick := func(value func(bench.Result) float64) float64 {
		return median(samples, func(s sample) float64 { return value(of(s)) })
	}
	a99 := pick(func(r bench.Result) float64 { return r.Answer.P99 })
	if a99 == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f, %.1f; %.1f, %.1f ms",
		pick(func(r bench.Result) float64 { return r.Answer.P50 }), a99,
		pick(func(r bench.Result) float64 { return r.Delivery.P50 }), pick(func(r bench.Result) float64 { return r.Delivery.P99 }))
}

// processor is the machine's own name for its CPU.
func processor() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(info)) {
		if rest, ok := strings.CutPrefix(line, "model name"); ok {
			return strings.TrimSpace(strings.TrimLeft(rest, " \t:"))
		}
	}
	return runtime.GOARCH
}
