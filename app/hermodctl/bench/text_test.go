package bench

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func someResult() *Result {
	r := &Result{
		Mode: Fanout, Transport: WebSocket, Protocol: IM, Connections: 1001, Rooms: 1, Size: 128,
		Answer: Latency{10, 0.5, 1.25, 12.34, 123.4}, Delivery: Latency{10, 0.5, 1.25, 12.34, 123.4},
		Total:  Counts{Sent: 1200, Accepted: 1100, Refused: 90, Unanswered: 10, Expected: 1100000, Delivered: 1099990, Missing: 10},
		Errors: []ErrorCount{{"refused RATE_LIMITED", 90, "too many"}, {"lost", 10, ""}},
	}
	start := time.Now()
	r.between(Usage{RSS: 50 << 20}, mark{start, Counts{Accepted: 100, Delivered: 1000}, Usage{CPU: time.Second, RSS: 60 << 20}, true},
		mark{start.Add(2 * time.Second), Counts{Accepted: 1100, Delivered: 1001000}, Usage{CPU: 1500 * time.Millisecond, RSS: 80 << 20}, true})
	return r
}

func TestWriteText(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := someResult().WriteText(&b); err != nil {
		t.Fatal(err)
	}
	want := `fanout over websocket (im): 1,001 connections, 1 room, 128 bytes, 2.0 s measured
  deliveries  500,000/s   p50 0.50 ms   p99 1.25 ms   p99.9 12.3 ms   max 123 ms
  messages    500/s   p50 0.50 ms   p99 1.25 ms   p99.9 12.3 ms   max 123 ms
  server      0.50 CPU-seconds, 2,000,000 deliveries in each; 80.0 MiB resident
  in all      1,200 sent: 1,100 accepted, 90 refused, 10 unanswered; 1,099,990 delivered of 1,100,000 expected
  error       90 × refused RATE_LIMITED; the first: too many
  error       10 × lost
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
	idle := &Result{Mode: Idle, Transport: QUIC, Protocol: Gateway, Connections: 1, Interrupted: true, Server: &ServerUse{RSSBytesPerConnection: 4096}}
	b.Reset()
	if err := idle.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"1 connection, 0.0 s", "interrupted", "4.0 KiB more for each connection", "errors      none"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%s", want, b.String())
		}
	}
}

func TestResultAsJSON(t *testing.T) {
	t.Parallel()
	r := someResult()
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"p99_ms":1.25`, `"delivered_per_cpu_second":2000000`, `"missing":10`, `{"kind":"lost","count":10}`, `"interrupted":false`} {
		if !bytes.Contains(b, []byte(want)) {
			t.Errorf("%s is not in %s", want, b)
		}
	}
	if n := r.ErrorTotal(); n != 100 {
		t.Errorf("%d errors", n)
	}
}

func TestBar(t *testing.T) {
	t.Parallel()
	steps := []Progress{
		{Phase: phaseConnecting, Share: 0.5, Connected: 10},
		{Phase: phaseMeasuring, Elapsed: 200 * time.Millisecond, Share: 0.1, Counts: Counts{Delivered: 100}},
		{Phase: phaseMeasuring, Elapsed: 400 * time.Millisecond, Share: 0.2, Counts: Counts{Delivered: 300}},
		{Phase: phaseMeasuring, Elapsed: 2400 * time.Millisecond, Share: 1, Counts: Counts{Delivered: 2300}, Errors: 1},
	}
	for terminal, want := range map[bool]string{
		false: " 50% connecting: 10 clients\n 10% measuring\n100% measuring, 1,000 deliveries/s, 1 error\n",
		true: "\r\x1b[K[############------------]  50% connecting: 10 clients" +
			"\r\x1b[K[##----------------------]  10% measuring" +
			"\r\x1b[K[####--------------------]  20% measuring, 1,000 deliveries/s" +
			"\r\x1b[K[########################] 100% measuring, 1,000 deliveries/s, 1 error" +
			"\r\x1b[K",
	} {
		var out strings.Builder
		b := &Bar{Out: &out, Terminal: terminal}
		for _, p := range steps {
			b.Show(p)
		}
		b.Clear()
		if out.String() != want {
			t.Errorf("terminal %v: got %q, want %q", terminal, out.String(), want)
		}
	}
}

func TestThousands(t *testing.T) {
	t.Parallel()
	for v, want := range map[float64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000", -100: "-100"} {
		if got := Thousands(v); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestTallyOrder(t *testing.T) {
	t.Parallel()
	var l tally
	l.add("b", 1, "first")
	l.add("a", 1, "")
	l.add("c", 5, "")
	l.add("b", 0, "second")
	got := l.list()
	if len(got) != 3 || got[0].Kind != "c" || got[1].Kind != "a" || got[2] != (ErrorCount{"b", 1, "first"}) || l.total() != 7 {
		t.Errorf("%+v, %d in all", got, l.total())
	}
}
