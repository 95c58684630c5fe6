package data

import (
	"testing"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/test/databases"
)

// TestA2RepetitionAmongNewMessages: a batch in which one id is taken is written as if it had been looked up
// before, whether the log took the ids to be new or, as for a while after that, did not.
func TestA2RepetitionAmongNewMessages(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, _ *databases.Server, opts Options) {
		db := openWith(t, opts)
		joinRoom(t, db, "r", "u")
		before, stop := runLog(t, db, &recorder{}, LogOptions{})
		first := mustAppend(t, before, textDraft("r", "u", "taken", "x"))
		stop()

		live := &recorder{}
		l, err := NewMessageLog(db, live, LogOptions{}, quiet())
		if err != nil {
			t.Fatal(err)
		}
		outcomes := queueAll(l, mixed("a"))
		runUntil(t, l.Run)
		checkMixed(t, outcomes, first, 2)
		if n := l.committer.wary; n != waryBatches-1 {
			t.Errorf("the log is wary for %d batches more after a repetition, want %d", n, waryBatches-1)
		}
		checkMixed(t, queueAll(l, mixed("b")), first, 4)
		if all, delivered := readAll(t, l, "r"), live.delivered("r"); len(all) != 5 || len(delivered) != 4 {
			t.Errorf("%d messages are stored and %d delivered, want 5 and 4", len(all), len(delivered))
		}
	})
}

// mixed are two new messages around a repetition, and one that is something else under a taken id.
func mixed(suffix string) []*biz.Draft {
	return []*biz.Draft{
		textDraft("r", "u", "new-1"+suffix, "x"), textDraft("r", "u", "taken", "x"),
		textDraft("r", "u", "taken", "y"), textDraft("r", "u", "new-2"+suffix, "x"),
	}
}

func checkMixed(t *testing.T, outcomes []<-chan outcome, first biz.Receipt, seq int64) {
	t.Helper()
	got := make([]outcome, len(outcomes))
	for i := range outcomes {
		got[i] = <-outcomes[i]
	}
	if got[0].err != nil || got[0].Seq != seq || got[3].err != nil || got[3].Seq != seq+1 {
		t.Errorf("new messages: %+v and %+v, want seq %d and the next", got[0], got[3], seq)
	}
	if got[1].err != nil || got[1].ID != first.ID || !got[1].Duplicate {
		t.Errorf("the repetition: %+v, first was %+v", got[1], first)
	}
	if kindOf(got[2].err) != biz.KindConflict {
		t.Errorf("another message under the same id: %+v", got[2])
	}
}
