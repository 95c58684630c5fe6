package biz_test

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/game-im/hermod/internal/biz"
)

const maxSeq = 1<<40 - 1

var instant = time.UnixMilli(1_700_000_000_000)

func TestMessageIDCarriesItsPlace(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		room := biz.RoomID(rapid.String().Draw(t, "room"))
		seq := rapid.OneOf(rapid.Int64Range(0, maxSeq), rapid.Just(int64(0)), rapid.Just(int64(maxSeq))).Draw(t, "seq")
		at := instant.Add(time.Duration(rapid.Int64Range(0, int64(50*365*24*time.Hour)).Draw(t, "time")))
		id := biz.NewMessageID(room, seq, at)
		if got, ok := biz.SeqOfMessageID(id, room); !ok || got != seq {
			t.Fatalf("%s carries %d, %v; want %d", id, got, ok, seq)
		}
		if got, ok := biz.SeqOfMessageID(id, room+"x"); ok {
			t.Fatalf("%s of %q is taken for %d of another room", id, room, got)
		}
	})
}

func TestMessageIDsOfARoomAreUnique(t *testing.T) {
	t.Parallel()
	const n = 1_000_000
	ids := make(map[string]struct{}, n)
	for seq := range int64(n) {
		ids[biz.NewMessageID("r", seq+1, instant)] = struct{}{} // all in one millisecond
	}
	if len(ids) != n {
		t.Errorf("%d ids of %d messages", len(ids), n)
	}
}

// TestMessageIDsWithoutSeqAreUnique: in a room that keeps nothing only time and chance tell
// messages apart.
func TestMessageIDsWithoutSeqAreUnique(t *testing.T) {
	t.Parallel()
	const n = 100_000
	ids := make(map[string]struct{}, n)
	for i := range n {
		ids[biz.NewMessageID("r", 0, instant.Add(time.Duration(i)*10*time.Microsecond))] = struct{}{}
	}
	if len(ids) != n {
		t.Errorf("%d ids of %d messages", len(ids), n)
	}
}

func TestMessageIDsSortByTime(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		millis := rapid.Int64Range(0, 1<<47)
		a, b := millis.Draw(t, "a"), millis.Draw(t, "b")
		seq := rapid.Int64Range(0, maxSeq)
		first := biz.NewMessageID("r", seq.Draw(t, "seq of a"), time.UnixMilli(a))
		second := biz.NewMessageID("r", seq.Draw(t, "seq of b"), time.UnixMilli(b))
		if a != b && (a < b) != (first < second) {
			t.Fatalf("%s of %d and %s of %d are in the wrong order", first, a, second, b)
		}
	})
}

func TestForeignMessageIDsAreRefused(t *testing.T) {
	t.Parallel()
	id := biz.NewMessageID("r", 7, instant)
	for name, s := range map[string]string{
		"empty": "", "a client's": "alice_1700000000000000000", "cut": id[:31], "too long": id + "0",
		"upper case": strings.ToUpper(id), "twice": id + id, "not of the alphabet": "z" + id[1:], "with a line end": id[:5] + "\n" + id[5:],
		"a UUID": "018bcfe5-6800-7000-8000-000000000000",
	} {
		if seq, ok := biz.SeqOfMessageID(s, "r"); ok {
			t.Errorf("%s: %q is taken for %d", name, s, seq)
		}
	}
}

func FuzzSeqOfMessageID(f *testing.F) {
	f.Add(biz.NewMessageID("r", 1, instant), "r")
	f.Add(biz.NewMessageID("", maxSeq, instant), "")
	f.Add("alice_1700000000000000000", "r")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, id, room string) {
		seq, ok := biz.SeqOfMessageID(id, biz.RoomID(room))
		if seq < 0 || seq > maxSeq || !ok && seq != 0 {
			t.Errorf("%q in %q: %d, %v", id, room, seq, ok)
		}
	})
}
