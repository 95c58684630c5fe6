package monitoring

import (
	"fmt"
	"os"
	"regexp"
	"strings"
)

// Family is a metric family as the catalogue describes it.
type Family struct {
	Kind   string // counter, gauge, histogram
	Labels []string
}

var row = regexp.MustCompile("^\\| `(hermod_[a-z_]+)` \\| ([a-z]+) \\| ([^|]*) \\|")

// Catalogue reads the tables of docs/metrics.md, and the text that label values are looked up in.
func Catalogue(file string) (families map[string]Family, text string, err error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, "", err
	}
	families = map[string]Family{}
	for line := range strings.Lines(string(content)) {
		m := row.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		labels := strings.FieldsFunc(m[3], func(r rune) bool { return strings.ContainsRune("`, ", r) })
		families[m[1]] = Family{Kind: m[2], Labels: labels}
	}
	if len(families) == 0 {
		return nil, "", fmt.Errorf("%s: there is no family in it", file)
	}
	return families, string(content), nil
}

// Of finds the family of a series: a histogram's have suffixes.
func Of(families map[string]Family, series string) (name string, f Family, ok bool) {
	if f, ok = families[series]; ok {
		return series, f, f.Kind != "histogram"
	}
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		name, cut := strings.CutSuffix(series, suffix)
		if f, ok = families[name]; cut && ok {
			return name, f, f.Kind == "histogram"
		}
	}
	return series, Family{}, false
}
