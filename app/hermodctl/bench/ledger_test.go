package bench

import (
	"maps"
	"testing"
	"time"
)

func TestLedger(t *testing.T) {
	t.Parallel()
	const size = 64
	type message struct {
		sender uint32
		number uint64
		seq    int64
	}
	tests := []struct {
		name      string
		stored    bool
		messages  []message
		delivered int64
		wrong     map[string]int64
	}{
		{"in order", false, []message{{0, 0, 0}, {1, 0, 0}, {0, 1, 0}}, 3, nil},
		{"one was refused", false, []message{{0, 0, 0}, {0, 2, 0}}, 2, nil},
		{"twice", false, []message{{0, 0, 0}, {0, 0, 0}}, 1, map[string]int64{"repeated or out of order": 1}},
		{"out of order", false, []message{{0, 1, 0}, {0, 0, 0}}, 1, map[string]int64{"repeated or out of order": 1}},
		{"of a stranger", false, []message{{2, 0, 0}}, 0, map[string]int64{"misdelivered": 1}},
		{"stored", true, []message{{0, 0, 8}, {1, 0, 9}}, 2, nil},
		{"stored, a hole", true, []message{{0, 0, 8}, {0, 1, 10}}, 2, map[string]int64{"gap in a room": 1}},
		{"stored, backwards", true, []message{{0, 0, 8}, {0, 1, 7}}, 2, map[string]int64{"gap in a room": 1}},
		{"not stored", true, []message{{0, 0, 0}}, 1, map[string]int64{"not stored": 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			load := testLoad(Plan{Size: size})
			l := &ledger{load: load, stored: tt.stored, next: make([]uint64, 2)}
			for _, m := range tt.messages {
				l.inSequence(m.seq)
				l.deliver(stamp{run: 7, sender: m.sender, number: m.number, due: time.Now().UnixNano()}.payload(size), m.seq)
			}
			l.end()
			if got := l.load.tally.byKind(); !maps.Equal(got, tt.wrong) {
				t.Errorf("wrong was %v, want %v", got, tt.wrong)
			}
			if n := l.delivered.Load(); n != tt.delivered || l.delivery.total != tt.delivered {
				t.Errorf("%d delivered and %d timed, want %d", n, l.delivery.total, tt.delivered)
			}
		})
	}
}

// What others send on the same node is none of a load's business.
func TestLedgerIgnoresOthers(t *testing.T) {
	t.Parallel()
	l := &ledger{load: testLoad(Plan{Size: MinSize}), next: make([]uint64, 1)}
	l.deliver(stamp{run: 8}.payload(MinSize), 0)
	l.deliver([]byte("hello"), 0)
	l.deliver(nil, 0)
	if n := l.delivered.Load(); n != 0 || l.load.tally.total() != 0 {
		t.Errorf("%d delivered, errors %v", n, l.load.tally.list())
	}
}

// Only what was due while it was measured is timed.
func TestMeasured(t *testing.T) {
	t.Parallel()
	l := &load{}
	if l.measured(5) {
		t.Error("measured before it began")
	}
	l.from.Store(10)
	for due, want := range map[int64]bool{9: false, 10: true, 1000: true} {
		if got := l.measured(due); got != want {
			t.Errorf("due at %d: %v", due, got)
		}
	}
	l.until.Store(20)
	for due, want := range map[int64]bool{19: true, 20: false} {
		if got := l.measured(due); got != want {
			t.Errorf("due at %d: %v", due, got)
		}
	}
}

func TestStamp(t *testing.T) {
	t.Parallel()
	want := stamp{run: 1 << 40, sender: 3, number: 42, due: 1234}
	for _, size := range []int{MinSize, 128} {
		got, ours := readStamp(want.payload(size), want.run, size)
		if got != want || !ours {
			t.Errorf("%d bytes: %+v, %v", size, got, ours)
		}
	}
	if _, ours := readStamp(want.payload(64), want.run, 65); ours {
		t.Error("a payload that was cut short passed")
	}
}

// TestOneEndIsOneKind: a node that stops advises each client to come back at another time.
func TestOneEndIsOneKind(t *testing.T) {
	t.Parallel()
	for _, said := range []string{"the node is shutting down; reconnect", "the node is shutting down; reconnect (retry after 669ms)", "the node is shutting down; reconnect (retry after 260ms)"} {
		if got, want := kindOf(&closedError{code: 3000, reason: said}), "closed 3000 the node is shutting down; reconnect"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
