package main

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/game-im/hermod/app/hermodctl/bench"
)

// measured is a sample whose figures are in a proportion to those of another.
func measured(share float64) sample {
	r := bench.Result{
		AcceptedPerSecond: 7000 * share, DeliveredPerSecond: 7000 * share,
		Answer:   bench.Latency{P50: 1, P99: 60 * share},
		Delivery: bench.Latency{P50: 1, P99: 50 * share},
		Server: &bench.ServerUse{
			AcceptedPerCPUSecond: 1e6 * share, DeliveredPerCPUSecond: 1e6 * share, RSSBytesPerConnection: share * (40 << 10),
		},
	}
	alone := r
	alone.Answer.P99 = 59 * share
	return sample{Result: r, then: r, direct: alone}
}

func TestRender(t *testing.T) {
	t.Parallel()
	opt, err := parse(nil)
	if err != nil {
		t.Fatal(err)
	}
	var done []*outcome
	for _, r := range rows(opt) {
		o := &outcome{row: r}
		for _, share := range []float64{0.5, 0.9, 0.7} {
			o.bare, o.hermod = append(o.bare, measured(1)), append(o.hermod, measured(share))
		}
		done = append(done, o)
	}
	done[3].err = errors.New("3 × lost (u1 has not got 3 messages)")
	text := render(done, opt)
	for _, want := range []string{
		`100 receivers, single, volatile \| 700,000 \| 1,000,000 .* 0\.50 / \*\*0\.70\*\* / 0\.90 \| ≥ 0\.8 \| \*\*fail\*\* \|`,
		`100 receivers, single, durable .* ≥ 0\.6 \| pass \|`,
		`100 receivers, envelope, durable .*\| \| \*\*broken\*\* \|`,
		`100 receivers, websocket \| 700,000 .*≥ 0\.7 \| pass \|`,
		`10,000 deliveries/s \| 1\.0, 42\.0; 1\.0, 35\.0 ms .*≤ 1\.5 \| pass \|`,
		`gRPC, stored, 1 in flight each \| 4,900 \| .*≥ 6000/s; p99 < 50ms at half of it \| \*\*fail\*\*; pass \|`,
		`then 5,000 messages/s .*≥ 10000/s; p99 < 20ms at 5000/s \| \*\*fail\*\*; \*\*fail\*\* \|`,
		`PushToClient.*≥ 0\.5 \| pass \|`,
		`over grpc, a service of its own .*\| 42\.0 ms \| 60\.0 ms \| 41\.3 ms .*≥ 0\.5; p99 \+ 2ms at most at half of it \| pass; pass \|`,
		`a connection each \| 28\.0 KiB \| 40\.0 KiB .*≤ 40 KiB \| pass \|`,
		`QUIC connections .*≤ 90 KiB \| pass \|`,
	} {
		if !regexp.MustCompile(want).MatchString(text) {
			t.Errorf("no line matches %s in\n%s", want, text)
		}
	}
	if err := failures(done); err == nil || !strings.Contains(err.Error(), "3 × lost") {
		t.Errorf("got failures %v", err)
	}
}

// A table whose rows are wider than its head is not rendered as one, and a row without a table not at
// all.
func TestTables(t *testing.T) {
	t.Parallel()
	opt, err := parse(nil)
	if err != nil {
		t.Fatal(err)
	}
	var done []*outcome
	for _, r := range rows(opt) {
		done = append(done, &outcome{row: r, hermod: []sample{measured(1)}, bare: []sample{measured(1)}})
	}
	text, columns := render(done, opt), 0
	for line := range strings.Lines(text) {
		n := strings.Count(line, "|")
		if n > 0 && columns > 0 && n != columns {
			t.Errorf("%d columns, expected %d: %s", n-1, columns-1, line)
		}
		columns = n
	}
	for _, o := range done {
		if !strings.Contains(text, "| "+o.title+" |") {
			t.Errorf("%s has no line", o.name)
		}
	}
}

func TestFlags(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"-run (":        "-run: ",
		"-rounds 0":     "must be positive",
		"-duration -1s": "must be positive",
		"fanout":        `unexpected argument "fanout"`,
	} {
		if _, err := parse(strings.Fields(args)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
}

// The names are what people and scripts choose rows by.
func TestRowNames(t *testing.T) {
	t.Parallel()
	opt, err := parse(nil)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, r := range rows(opt) {
		names = append(names, r.name)
	}
	for _, want := range []string{
		"fanout/100/single/volatile", "fanout/1000/websocket/volatile", "broadcast/1000/websocket", "latency/websocket",
		"rooms/1", "rooms/8", "rooms/paced", "rooms/websocket/volatile", "rooms/websocket/stored", "push/one", "push/batch",
		"request/upstream/websocket", "idle/own", "idle/shared", "idle/websocket", "idle/quic",
	} {
		if !slices.Contains(names, want) {
			t.Errorf("there is no row %s among %v", want, names)
		}
	}
	slices.Sort(names)
	if n := len(names); len(slices.Compact(names)) != n {
		t.Error("two rows have one name")
	}
}
