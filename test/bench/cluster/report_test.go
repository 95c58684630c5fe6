package cluster

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// table shows medians, and what they are to one node.
func table(free, paced [][]figure) string {
	var b strings.Builder
	fmt.Fprintf(&b, "load of the machine %s\n\n", strings.TrimSpace(load()))
	fmt.Fprintf(&b, "| | per CPU-second of the nodes at %d messages/s | to one node | p99, ms | | as many messages/s as it can | per CPU-second | to one node | database, CPU-s per 1,000 | engine, CPU-s per 1,000 |\n", pacedRate)
	fmt.Fprintln(&b, "|---|---|---|---|---|---|---|---|---|---|")
	for i, s := range settings {
		ratio := median(paced[i], perCPU) / median(paced[0], perCPU)
		late := median(paced[i], func(f figure) float64 { return f.p99 })
		verdict := "pass"
		if ratio < leastRatio || late >= mostP99 {
			verdict = "**fail**"
		}
		fmt.Fprintf(&b, "| %s | %.0f | %.2f | %.1f | %s | %.0f | %.0f | %.2f | %.3f | %.3f |\n", s.name,
			median(paced[i], perCPU), ratio, late, verdict,
			median(free[i], func(f figure) float64 { return f.perSecond }), median(free[i], perCPU), median(free[i], perCPU)/median(free[0], perCPU),
			median(free[i], func(f figure) float64 { return f.database }), median(free[i], func(f figure) float64 { return f.engine }))
	}
	return b.String()
}

func perCPU(f figure) float64 { return f.perCPU }

// median of an even number is the lower of the two in the middle, so that it is always a figure that was measured.
func median(figures []figure, value func(figure) float64) float64 {
	var all []float64
	for _, f := range figures {
		all = append(all, value(f))
	}
	if len(all) == 0 {
		return 0 // -run left it out
	}
	slices.Sort(all)
	return all[(len(all)-1)/2]
}

// load is how busy the machine has been.
func load() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown: " + err.Error()
	}
	return string(b)
}

func TestTableJudges(t *testing.T) {
	fast, slow := []figure{{perCPU: 1000, p99: 1}, {perCPU: 900, p99: 2}, {perCPU: 5, p99: 99}}, []figure{{perCPU: 600, p99: 9}}
	free := []figure{{perSecond: 700, perCPU: 500}}
	got := table([][]figure{free, free, {{perSecond: 70, perCPU: 250}}}, [][]figure{fast, fast, slow})
	if strings.Count(got, "| pass |") != 2 || !strings.Contains(got, "| three nodes, Redis | 600 | 0.67 | 9.0 | **fail** | 70 | 250 | 0.50 | 0.000 | 0.000 |") {
		t.Error(got)
	}
}
