package bench

import (
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// testLoad is a load that has measured since the beginning of time.
func testLoad(p Plan) *load {
	l := &load{plan: &p, run: 7}
	l.from.Store(1)
	return l
}

// kinds are the errors that were counted, by kind.
func (t *tally) byKind() map[string]int64 {
	all := map[string]int64{}
	for _, e := range t.list() {
		all[e.Kind] = e.Count
	}
	return all
}
