package bench

import (
	"slices"
	"strings"
	"sync"
)

// ErrorCount is how often one kind of thing went wrong.
type ErrorCount struct {
	Kind  string `json:"kind"`  // such as "refused RATE_LIMITED", "closed 3004 slow"
	Count int64  `json:"count"` // clients, messages or calls, as the kind says
	First string `json:"first,omitempty"`
}

// tally counts what goes wrong. It is safe for concurrent use.
type tally struct {
	mu    sync.Mutex
	kinds map[string]*ErrorCount
}

// add counts n of a kind. The first text of a kind is kept, for who wants to know more.
func (t *tally) add(kind string, n int64, text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.kinds == nil {
		t.kinds = map[string]*ErrorCount{}
	}
	e := t.kinds[kind]
	if e == nil {
		e = &ErrorCount{Kind: kind, First: text}
		t.kinds[kind] = e
	}
	e.Count += n
}

// total counts all that went wrong.
func (t *tally) total() int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := int64(0)
	for _, e := range t.kinds {
		n += e.Count
	}
	return n
}

// list returns all kinds, the most frequent first.
func (t *tally) list() []ErrorCount {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]ErrorCount, 0, len(t.kinds))
	for _, e := range t.kinds {
		all = append(all, *e)
	}
	slices.SortFunc(all, func(a, b ErrorCount) int {
		if a.Count != b.Count {
			return int(b.Count - a.Count)
		}
		return strings.Compare(a.Kind, b.Kind)
	})
	return all
}
