package data

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/data/datatest"
)

// decision is an act that is all decision.
type decision struct {
	needs  biz.ActNeeds
	decide func(biz.ActState) (biz.ActPlan, error)
}

func (d decision) Needs() biz.ActNeeds                        { return d.needs }
func (d decision) Decide(s biz.ActState) (biz.ActPlan, error) { return d.decide(s) }

func actDraft(room biz.RoomID, sender biz.UserID, clientID string, a biz.Act) *biz.Draft {
	return &biz.Draft{Message: biz.Message{Room: room, Sender: sender, ClientID: clientID, Type: biz.TypeSystem}, Act: a}
}

// muting mutes somebody; it refuses to do so twice.
func muting(user biz.UserID) biz.Act {
	return decision{biz.ActNeeds{Member: user}, func(s biz.ActState) (biz.ActPlan, error) {
		if s.Member == nil || s.Member.Muted {
			return biz.ActPlan{}, biz.Errorf(biz.KindConflict, "MUTED", "%s is muted or gone", user)
		}
		s.Member.Muted = true
		return biz.ActPlan{Member: s.Member, Event: &biz.Event{Type: biz.EventMuted}}, nil
	}}
}

// looking tells how far the room has come when it is decided.
func looking(message int64, seen *biz.ActState) biz.Act {
	return decision{biz.ActNeeds{Message: message}, func(s biz.ActState) (biz.ActPlan, error) {
		*seen = s
		return biz.ActPlan{}, nil
	}}
}

// TestActsOfOneBatch: acts and messages of one room in one batch are stored in its order, and each sees what the
// ones before it have done.
func TestActsOfOneBatch(t *testing.T) {
	t.Parallel()
	onEveryDatabase(t, func(t *testing.T, opts Options) {
		db := openWith(t, opts)
		joinRoom(t, db, "r", "u")
		version := joinRoom(t, db, "r", "v").Room.Version
		joinRoom(t, db, "other", "u")
		var told []Change
		db.OnChange(func(c Change) { told = append(told, c) })
		l, err := NewMessageLog(db, &recorder{}, LogOptions{Events: datatest.Events}, quiet())
		if err != nil {
			t.Fatal(err)
		}
		speech := func(user biz.UserID, id string) *biz.Draft {
			d := textDraft("r", user, id, "x")
			d.Permit = biz.Permit{Required: true, Version: version}
			return d
		}
		var seen biz.ActState
		outcomes := queueAll(l, []*biz.Draft{
			speech("v", "a"),                     // 1
			textDraft("other", "u", "", "x"),     // 1
			actDraft("r", "u", "m", muting("v")), // 2
			speech("v", "b"),                     // refused
			speech("u", "c"),                     // 3
			actDraft("r", "u", "n", muting("v")), // refused
			actDraft("r", "u", "m", muting("v")), // a repetition
			actDraft("r", "u", "", looking(3, &seen)),
			speech("u", "d"), // 4
		})
		runUntil(t, l.Run)
		want := []string{"1", "1", "2", "MUTED", "3", "MUTED", "2 again", "0", "4"}
		for i, c := range outcomes {
			if got := verdict(<-c); got != want[i] {
				t.Errorf("draft %d: %s, want %s", i, got, want[i])
			}
		}
		if seen.Message == nil || seen.Message.Sender != "u" || seen.Room.HeadSeq != 3 {
			t.Errorf("the act about a message of its batch saw %+v at %d", seen.Message, seen.Room.HeadSeq)
		}
		if len(told) != 1 || told[0] != (Change{Room: "r", User: "v", Version: version + 1}) {
			t.Errorf("other nodes were told %+v", told)
		}
		m, err := NewRooms(db).Speaker(t.Context(), "r", "v")
		if err != nil || !m.Member.Muted || m.Version != version+1 {
			t.Errorf("remembered: %+v, %v", m, err)
		}
		if n := len(readAll(t, l, "r")); n != 4 {
			t.Errorf("%d messages are stored, want 4", n)
		}
	})
}

func verdict(o outcome) string {
	switch {
	case o.err != nil:
		return biz.AsError(o.err).Reason
	case o.Duplicate:
		return fmt.Sprint(o.Seq, " again")
	}
	return fmt.Sprint(o.Seq)
}

// TestRepeatedActIsNotDecidedAnew: also on a log that takes the ids of messages to be new, and after the claim has
// outlived its window.
func TestRepeatedActIsNotDecidedAnew(t *testing.T) {
	t.Parallel()
	onEveryDatabase(t, func(t *testing.T, opts Options) {
		db := openWith(t, opts)
		joinRoom(t, db, "r", "u")
		calls := 0
		once := decision{decide: func(biz.ActState) (biz.ActPlan, error) {
			if calls++; calls > 1 {
				return biz.ActPlan{}, errors.New("decided twice")
			}
			return biz.ActPlan{Event: &biz.Event{Type: biz.EventMuted}}, nil
		}}
		for range 2 {
			l, stop := runLog(t, db, &recorder{}, LogOptions{Events: datatest.Events})
			if o := appendOne(t, l, actDraft("r", "u", "id", once)); o.err != nil || o.Seq != 1 {
				t.Fatalf("%+v", o)
			}
			stop()
		}
		l, _ := runLog(t, db, &recorder{}, LogOptions{Events: datatest.Events, IdempotencyWindow: time.Nanosecond})
		again := decision{decide: func(biz.ActState) (biz.ActPlan, error) {
			return biz.ActPlan{Event: &biz.Event{Type: biz.EventMuted}}, nil
		}}
		if o := appendOne(t, l, actDraft("r", "u", "id", again)); o.err != nil || o.Seq != 2 || o.Duplicate {
			t.Errorf("after the window: %+v", o)
		}
	})
}

// TestLogWithoutEncoderRefusesActs: rather than do what it cannot tell of.
func TestLogWithoutEncoderRefusesActs(t *testing.T) {
	t.Parallel()
	db := openDB(t, t.TempDir())
	joinRoom(t, db, "r", "u")
	l, _ := runLog(t, db, &recorder{}, LogOptions{})
	if o := appendOne(t, l, actDraft("r", "u", "", muting("u"))); kindOf(o.err) != biz.KindInternal {
		t.Errorf("%+v", o)
	}
	if m, err := NewMembers(db).Member(t.Context(), "r", "u"); err != nil || m.Muted {
		t.Errorf("%+v, %v", m, err)
	}
}
