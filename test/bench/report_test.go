package main

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestRender(t *testing.T) {
	t.Parallel()
	opt := &options{rounds: 3, messages: 1000, window: 8, rate: 3000}
	var done []*outcome
	for _, r := range rows(opt) {
		o := &outcome{row: r}
		for _, ratio := range []float64{0.5, 0.9, 0.7} {
			o.bare = append(o.bare, sample{perCPU: 1000000, perWall: 7000, perStream: 40 << 10})
			o.hermod = append(o.hermod, sample{
				perCPU: 1000000 * ratio, perWall: 7000 * ratio, perStream: ratio * (40 << 10),
				ack: spread{p50: time.Millisecond, p99: 60 * time.Millisecond},
			})
		}
		done = append(done, o)
	}
	done[3].err = errors.New("seq 9 follows 7")
	text := render(done, opt)
	for _, want := range []string{
		`100 receivers, single, volatile \| 700,000 \| 1,000,000 .* 0\.50 / \*\*0\.70\*\* / 0\.90 \| ≥ 0\.8 \| \*\*fail\*\* \|`,
		`100 receivers, single, durable .* ≥ 0\.6 \| pass \|`,
		`100 receivers, envelope, durable .*\| \| \*\*broken\*\* \|`,
		`1 in flight each \| 4,900 \| .*≥ 6000/s; p99 < 50ms at half of it \| \*\*fail\*\*; `,
		`3000 messages/s in all .*\| 1\.0, 60\.0; 0\.0, 0\.0 ms .*p99 < 50ms \| \*\*fail\*\* \|`,
		`a connection each \| 28\.0 KiB \| 40\.0 KiB .*≤ 40 KiB \| pass \|`,
		`10000 streams on 20 connections .*≤ 16 KiB \| \*\*fail\*\* \|`,
	} {
		if !regexp.MustCompile(want).MatchString(text) {
			t.Errorf("no line matches %s in\n%s", want, text)
		}
	}
	if err := failures(done); err == nil || !strings.Contains(err.Error(), "seq 9 follows 7") {
		t.Errorf("got failures %v", err)
	}
}

// A table whose rows are wider than its head is not rendered as one.
func TestTableColumns(t *testing.T) {
	t.Parallel()
	opt := &options{rounds: 1, messages: 1000, window: 8, rate: 3000}
	var done []*outcome
	for _, r := range rows(opt) {
		done = append(done, &outcome{row: r, hermod: []sample{{}}, bare: []sample{{}}})
	}
	columns := 0
	for line := range strings.Lines(render(done, opt)) {
		n := strings.Count(line, "|")
		if n > 0 && columns > 0 && n != columns {
			t.Errorf("%d columns, expected %d: %s", n-1, columns-1, line)
		}
		columns = n
	}
}

func TestSpread(t *testing.T) {
	t.Parallel()
	times := make([]time.Duration, 0, 1000)
	for i := range 1000 {
		times = append(times, time.Duration(1000-i))
	}
	if got, want := newSpread(times), (spread{p50: 500, p99: 990}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestThousands(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := thousands(v); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
