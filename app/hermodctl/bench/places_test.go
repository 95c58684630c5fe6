package bench

import (
	"fmt"
	"testing"
)

// TestPlacesOfAnswers: an own message has its place where it is answered, or is answered earlier or later; nothing
// may be missing.
func TestPlacesOfAnswers(t *testing.T) {
	t.Parallel()
	type frame struct {
		seq int64
		own bool
	}
	for _, tt := range []struct {
		frames []frame
		gaps   int64
	}{
		{[]frame{{1, false}, {2, true}, {3, false}}, 0},
		{[]frame{{1, false}, {4, true}, {2, false}, {3, false}, {5, false}}, 0},
		{[]frame{{3, true}, {4, true}, {1, false}, {2, false}, {5, false}}, 0},
		{[]frame{{7, false}, {8, true}, {9, false}}, 0}, // of whoever joined later
		{[]frame{{1, false}, {4, true}, {2, false}, {5, false}}, 1},
		{[]frame{{1, false}, {2, false}, {3, false}, {2, true}}, 1},
		{[]frame{{1, false}, {4, false}, {2, true}, {3, true}, {5, false}}, 0},
		{[]frame{{1, false}, {4, false}, {5, false}, {2, true}}, 1},
		{[]frame{{1, false}, {5000, false}}, 1},
		{[]frame{{1, false}, {3, false}}, 1},
	} {
		load := testLoad(Plan{})
		l := &ledger{load: load, stored: true}
		for _, f := range tt.frames {
			if f.own {
				l.answeredAt(f.seq)
			} else {
				l.inSequence(f.seq)
			}
		}
		l.end()
		if got := load.tally.byKind()["gap in a room"]; got != tt.gaps {
			t.Errorf("%s: %d gaps, want %d", fmt.Sprint(tt.frames), got, tt.gaps)
		}
	}
}
