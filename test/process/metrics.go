package process

import (
	"net/http"
	"strconv"
	"strings"
)

// Metric returns the sum of all series with this name whose labels contain all of labels, each
// written as in name="value".
func (n *Node) Metric(name string, labels ...string) float64 {
	n.t.Helper()
	status, page := n.Page("/metrics")
	if status != http.StatusOK {
		n.t.Fatalf("/metrics: status %d: %s", status, page)
	}
	sum, found := 0.0, false
	for line := range strings.SplitSeq(page, "\n") {
		series, text, ok := cutLast(line, ' ')
		if !ok || strings.HasPrefix(line, "#") || !hasLabels(series, name, labels) {
			continue
		}
		value, err := strconv.ParseFloat(text, 64)
		if err != nil {
			n.t.Fatalf("/metrics: %q: %v", line, err)
		}
		sum, found = sum+value, true
	}
	if !found && len(labels) == 0 {
		n.t.Fatalf("/metrics has no %s", name)
	}
	return sum
}

// AwaitMetric waits until a metric has reached a value.
func (n *Node) AwaitMetric(least float64, name string, labels ...string) {
	n.t.Helper()
	n.Eventually(name+" reaches "+strconv.FormatFloat(least, 'g', -1, 64), func() bool { return n.Metric(name, labels...) >= least })
}

func hasLabels(series, name string, labels []string) bool {
	rest, ok := strings.CutPrefix(series, name)
	if !ok || rest != "" && rest[0] != '{' {
		return false
	}
	for _, label := range labels {
		if !strings.Contains(rest, label) {
			return false
		}
	}
	return true
}

func cutLast(s string, sep byte) (before, after string, found bool) {
	i := strings.LastIndexByte(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+1:], true
}
