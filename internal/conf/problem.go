package conf

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with a configuration. Text never contains a secret.
type Problem struct {
	Path   string `json:"key,omitempty"`    // like server.im.addr; empty when a whole source is wrong
	Text   string `json:"text"`             // what is wrong, and what is allowed
	Source string `json:"source,omitempty"` // where the value came from; empty when not known
}

func (p Problem) String() string {
	var b strings.Builder
	if p.Path != "" {
		b.WriteString(p.Path + ": ")
	}
	b.WriteString(p.Text)
	if p.Source != "" {
		b.WriteString(" [" + p.Source + "]")
	}
	return b.String()
}

// Problems is everything that is wrong with a configuration, sorted by path. As an error it is
// never empty.
type Problems []Problem

func (ps Problems) Error() string {
	lines := make([]string, 0, len(ps)+1)
	lines = append(lines, fmt.Sprintf("configuration refused, %d wrong:", len(ps)))
	for _, p := range ps {
		lines = append(lines, "  "+p.String())
	}
	return strings.Join(lines, "\n")
}

func (ps *Problems) add(path, format string, args ...any) {
	*ps = append(*ps, Problem{Path: path, Text: fmt.Sprintf(format, args...)})
}

func (ps Problems) has(path string) bool {
	return slices.ContainsFunc(ps, func(p Problem) bool { return p.Path == path })
}

// err returns the sorted problems as an error, nil when there are none.
func (ps Problems) err() error {
	if len(ps) == 0 {
		return nil
	}
	slices.SortStableFunc(ps, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Text, b.Text), cmp.Compare(a.Source, b.Source))
	})
	return ps
}
