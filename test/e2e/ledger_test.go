package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// tale is a ledger in which everything is right: 20 messages to three receivers, of which the fifth was
// refused, and nobody knows of the tenth and the eleventh, of which one arrived.
func tale() *Ledger {
	l := NewLedger()
	l.Open("mail", "a", "b", "c")
	for range 20 {
		n := l.Send("mail")
		switch n {
		case 5:
			l.Settle("mail", n, rejected)
			continue
		case 10:
			continue
		case 11:
		default:
			l.Settle("mail", n, accepted)
		}
		for _, who := range []string{"a", "b", "c"} {
			l.Hear(who, "mail", n)
		}
	}
	return l
}

// plants are ways to spoil what one receiver has heard, and what a ledger says of each.
func plants(l *Ledger, h ear) map[string]struct {
	spoil func([]uint64) []uint64
	says  string
} {
	type plant = struct {
		spoil func([]uint64) []uint64
		says  string
	}
	numbers := l.heard[h]
	middle := len(numbers) / 2
	for l.lanes[h.lane].sent[numbers[middle]-1] != accepted {
		middle--
	}
	at := func(i int) uint64 { return numbers[i] }
	return map[string]plant{
		"lost": {
			func(s []uint64) []uint64 { return slices.Delete(s, middle, middle+1) },
			fmt.Sprintf("%d is lost", at(middle)),
		},
		"the last one lost": {
			func(s []uint64) []uint64 { return s[:len(s)-1] },
			fmt.Sprintf("%d is lost", at(len(numbers)-1)),
		},
		"twice": {
			func(s []uint64) []uint64 { return slices.Insert(s, middle, s[middle]) },
			fmt.Sprintf("%d came twice", at(middle)),
		},
		"again much later": {
			func(s []uint64) []uint64 { return append(s, s[0]) },
			fmt.Sprintf("%d came twice", at(0)),
		},
		"out of order": {
			func(s []uint64) []uint64 { s[middle], s[middle-1] = s[middle-1], s[middle]; return s },
			fmt.Sprintf("%d came after %d", at(middle-1), at(middle)),
		},
		"never sent": {
			func(s []uint64) []uint64 { return append(s, 1<<40) },
			fmt.Sprintf("%d was never sent", 1<<40),
		},
	}
}

// findsPlanted spoils what one receiver of a faultless ledger has heard in every way, one after
// another, and checks that the ledger finds each, and that alone.
func findsPlanted(t *testing.T, l *Ledger, h ear) {
	t.Helper()
	whole := slices.Clone(l.heard[h])
	for name, p := range plants(l, h) {
		l.heard[h] = p.spoil(slices.Clone(whole))
		if faults := l.Faults(); len(faults) != 1 || !strings.HasSuffix(faults[0], p.says) {
			t.Errorf("planted: %s; the ledger says %q, want one fault that ends with %q", name, faults, p.says)
		}
	}
	l.heard[h] = whole
	if faults := l.Faults(); len(faults) != 0 {
		t.Errorf("all is as it was, and the ledger says %q", faults)
	}
}

// TestLedgerFindsWhatWasPlanted: the checker of the soak finds losses, repetitions and disorder.
func TestLedgerFindsWhatWasPlanted(t *testing.T) {
	t.Parallel()
	l := tale()
	if faults := l.Faults(); len(faults) != 0 || l.Missing() != 0 {
		t.Fatalf("a faultless ledger says %q, %d missing", faults, l.Missing())
	}
	for _, who := range []string{"a", "b", "c"} {
		findsPlanted(t, l, ear{"mail", who})
	}
	for name, c := range map[string]struct {
		plant func(*Ledger)
		says  string
	}{
		"refused":       {func(l *Ledger) { l.heard[ear{"mail", "b"}] = slices.Insert(l.heard[ear{"mail", "b"}], 4, 5) }, "mail to b: 5 came although it was refused"},
		"somebody else": {func(l *Ledger) { l.Hear("d", "mail", 1) }, "mail to d: it is not for him"},
		"another lane":  {func(l *Ledger) { l.Hear("a", "post", 1) }, "post to a: it is not for him"},
		"by itself":     {func(l *Ledger) { l.Wrong("frame %d after %d", 4, 2) }, "frame 4 after 2"},
	} {
		l := tale()
		c.plant(l)
		if faults := l.Faults(); len(faults) != 1 || faults[0] != c.says {
			t.Errorf("planted: %s; the ledger says %q, want %q", name, faults, c.says)
		}
	}
	l = tale()
	h := ear{"mail", "c"}
	l.Excuse("mail", false)
	l.heard[h] = slices.Delete(l.heard[h], 3, 4)
	l.Settle("mail", l.Send("mail"), accepted)
	l.Hear("a", "mail", 21)
	l.Hear("b", "mail", 21)
	if faults := l.Faults(); len(faults) != 1 || faults[0] != "mail to c: 21 is lost" {
		t.Errorf("excused up to 20; the ledger says %q", faults)
	}
	l.Excuse("mail", true)
	l.Settle("mail", l.Send("mail"), accepted)
	if faults := l.Faults(); len(faults) != 0 {
		t.Errorf("everything is excused; the ledger says %q", faults)
	}
	l = tale()
	l.Settle("mail", 10, accepted)
	if l.Missing() != 3 || len(l.Faults()) != 3 {
		t.Errorf("%d missing, faults %q, when three never got 10", l.Missing(), l.Faults())
	}
}
