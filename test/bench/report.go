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
)

// ratios is Hermod's figure divided by that of the bare loop, over the rounds.
type ratios struct {
	min, median, max float64
}

func (r ratios) String() string { return fmt.Sprintf("%.2f / **%.2f** / %.2f", r.min, r.median, r.max) }

// ratio compares round by round: memory for rows that measure it, else work per CPU-second.
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
	if o.kind() == "idle" {
		return perStream
	}
	return perCPU
}

// latest is the last round, for those who wait.
func (o *outcome) latest() string {
	h, b := o.value()(o.hermod[len(o.hermod)-1]), o.value()(o.bare[len(o.bare)-1])
	return fmt.Sprintf("%s to %s, ratio %.2f", thousands(h), thousands(b), h/b)
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
	cells:   fanoutCells,
}, {
	kind:  "rooms",
	title: fmt.Sprintf("%d rooms of %d, everybody sends, stored", roomCount, roomMembers),
	columns: "| load | Hermod, messages/s | bare | Hermod, messages per server CPU-second | bare " +
		"| Hermod p50, p99: ACK; delivery | bare | Hermod, the same at half of the rate | bare |",
	cells: roomsCells,
}, {
	kind:    "idle",
	title:   "Idle streams",
	columns: "| streams | Hermod, RSS per stream | bare | Hermod, RSS in all | bare |",
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

func fanoutCells(o *outcome) string {
	return cells(
		thousands(median(o.hermod, perCPU)), thousands(median(o.bare, perCPU)),
		thousands(median(o.hermod, perWall)), thousands(median(o.bare, perWall)),
	)
}

func roomsCells(o *outcome) string {
	return cells(
		thousands(median(o.hermod, perWall)), thousands(median(o.bare, perWall)),
		thousands(median(o.hermod, perCPU)), thousands(median(o.bare, perCPU)),
		latencies(o.hermod, atRate), latencies(o.bare, atRate),
		latencies(o.hermod, atHalf), latencies(o.bare, atHalf),
	)
}

func idleCells(o *outcome) string {
	rss := func(s sample) float64 { return float64(s.rss) }
	return cells(
		fmt.Sprintf("%.1f KiB", median(o.hermod, perStream)/1024), fmt.Sprintf("%.1f KiB", median(o.bare, perStream)/1024),
		fmt.Sprintf("%.0f MiB", median(o.hermod, rss)/(1<<20)), fmt.Sprintf("%.0f MiB", median(o.bare, rss)/(1<<20)),
	)
}

func cells(values ...string) string { return "| " + strings.Join(values, " | ") + " " }

// thousands groups digits: 1,234,567.
func thousands(v float64) string {
	s := fmt.Sprintf("%.0f", v)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func atRate(s sample) (ack, delivery spread) { return s.ack, s.delivery }
func atHalf(s sample) (ack, delivery spread) { return s.ackHalf, s.deliveryHalf }

// latencies is the four medians of a cell, in milliseconds.
func latencies(samples []sample, of func(sample) (ack, delivery spread)) string {
	ms := func(pick func(ack, delivery spread) time.Duration) float64 {
		return median(samples, func(s sample) float64 { return float64(pick(of(s))) }) / 1e6
	}
	a99 := ms(func(a, _ spread) time.Duration { return a.p99 })
	if a99 == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f, %.1f; %.1f, %.1f ms",
		ms(func(a, _ spread) time.Duration { return a.p50 }), a99,
		ms(func(_, d spread) time.Duration { return d.p50 }), ms(func(_, d spread) time.Duration { return d.p99 }))
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
