package monitoring

import (
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// Job is what the alerts and dashboards expect the scrape job to be called.
const Job = "hermod"

// Check says what is wrong with a query, and which families it reads. Grafana's variables are to
// have been replaced.
func Check(families map[string]Family, text, query string) (read []string, faults []string) {
	expression, err := parser.NewParser(parser.Options{}).ParseExpr(query)
	if err != nil {
		return nil, []string{err.Error()}
	}
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	parser.Inspect(expression, func(node parser.Node, path []parser.Node) error {
		selector, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		allowed := []string{labels.MetricName, "job", "instance", "le"}
		if strings.HasPrefix(selector.Name, "hermod_") {
			name, family, known := Of(families, selector.Name)
			if !known {
				fault("%s is not in the catalogue", selector.Name)
				return nil
			}
			read = append(read, name)
			allowed = append(allowed, family.Labels...)
			for _, f := range kindFaults(selector.Name, family.Kind, path) {
				fault("%s", f)
			}
		} else {
			allowed = append(allowed, "quantile") // of the client library's summaries
		}
		for _, m := range selector.LabelMatchers {
			if !slices.Contains(allowed, m.Name) {
				fault("%s has no label %s", selector.Name, m.Name)
			}
			if m.Type == labels.MatchEqual && !slices.Contains(allowed[:4], m.Name) && m.Name != "quantile" && !strings.Contains(text, m.Value) {
				fault("%s: the catalogue knows no %s %q", selector.Name, m.Name, m.Value)
			}
		}
		if !slices.ContainsFunc(selector.LabelMatchers, func(m *labels.Matcher) bool { return m.Name == "job" && m.Value == Job }) {
			fault("%s is not restricted to the job %s", selector.Name, Job)
		}
		for _, node := range path {
			if aggregation, ok := node.(*parser.AggregateExpr); ok {
				for _, label := range aggregation.Grouping {
					if !slices.Contains(allowed, label) {
						fault("%s has no label %s to group by", selector.Name, label)
					}
				}
			}
		}
		return nil
	})
	return read, faults
}

// kindFaults finds rates of what is no counter, and counters that are read without one.
func kindFaults(series, kind string, path []parser.Node) []string {
	rated := false
	for _, node := range path {
		if call, ok := node.(*parser.Call); ok && (call.Func.Name == "rate" || call.Func.Name == "increase") {
			rated = true
		}
	}
	switch {
	case rated && kind == "gauge":
		return []string{series + " is a gauge and has no rate"}
	case !rated && kind != "gauge":
		return []string{series + " only ever grows: it is read by its rate"}
	}
	return nil
}
