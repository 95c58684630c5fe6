package cluster

import (
	"fmt"
	"strings"
	"testing"

	"github.com/game-im/hermod/test/databases"
)

// rates are messages a second in all, from what leaves the machine idle to what TestCost judges.
var rates = []float64{250, 500, 1000, pacedRate}

// TestDelay tells how long a message takes to its receivers at each rate, and how busy the machine is meanwhile: what
// waits for a processor is told from what the nodes themselves take.
func TestDelay(t *testing.T) {
	lasts := asked(t)
	db := databases.StartPostgres(t)
	all := make([][]figure, len(rates))
	t.Logf("clients connect over %s", transport(t))
	for i, rate := range rates {
		all[i] = make([]figure, len(settings))
		for at, s := range settings {
			t.Run(fmt.Sprintf("%s, %.0f a second", s.name, rate), func(t *testing.T) {
				all[i][at] = measure(t, db, s, rate, lasts)
			})
		}
	}
	if !t.Failed() {
		t.Log("\n" + delays(all))
	}
}

// delays has a line for each rate and a column for each setting.
func delays(all [][]figure) string {
	var b strings.Builder
	fmt.Fprintf(&b, "load of the machine %s\n\np50 and p99 of deliveries, and the machine's share of its CPU time\n\n| messages/s |", strings.TrimSpace(load()))
	for _, s := range settings {
		fmt.Fprintf(&b, " %s |", s.name)
	}
	fmt.Fprintln(&b, "\n|---"+strings.Repeat("|---", len(settings))+"|")
	for i, figures := range all {
		fmt.Fprintf(&b, "| %.0f |", rates[i])
		for _, f := range figures {
			fmt.Fprintf(&b, " %.1f ms, %.1f ms, %.0f %% |", f.p50, f.p99, 100*f.busy)
		}
		fmt.Fprintln(&b)
	}
	return b.String()
}

func TestDelaysHaveALineForEachRate(t *testing.T) {
	got := delays([][]figure{{{p50: 1.5, p99: 7.25, busy: 0.4}, {p50: 2}, {p50: 3}}, {{p99: 9}}})
	for _, line := range []string{
		"| messages/s | one node | three nodes, NATS | three nodes, Redis |",
		"| 250 | 1.5 ms, 7.2 ms, 40 % | 2.0 ms, 0.0 ms, 0 % | 3.0 ms, 0.0 ms, 0 % |",
		"| 500 | 0.0 ms, 9.0 ms, 0 % |",
	} {
		if !strings.Contains(got, line+"\n") {
			t.Errorf("no line %q in\n%s", line, got)
		}
	}
}
