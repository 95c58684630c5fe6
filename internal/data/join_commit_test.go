package data

import (
	"testing"

	"github.com/game-im/hermod/internal/biz"
)

// TestWhatComesMeanwhileJoinsTheCommit: what is said in a room while another node has it is stored with what waited for
// it already, in the order in which it came, and what is said in other rooms waits for the next commit.
func TestWhatComesMeanwhileJoinsTheCommit(t *testing.T) {
	t.Parallel()
	onManyNodes(t, 2, func(t *testing.T, dbs []*DB) {
		for _, room := range []biz.RoomID{"busy", "other"} {
			joinRoom(t, dbs[0], room, "u")
		}
		l, _ := runLog(t, dbs[0], &recorder{}, LogOptions{BatchRows: 4})
		var outcomes []<-chan outcome
		say := func(room biz.RoomID, text string) {
			outcomes = append(outcomes, appendAsync(l, textDraft(room, "u", "", text)))
		}
		err := dbs[1].writer.transact(func(tx *tx) error {
			var head, version int64
			if err := tx.locked(selectHead, []any{"busy"}, &head, &version); err != nil {
				return err
			}
			say("busy", "1")
			waitFor(t, l.queue.taken)
			say("other", "1")
			for _, text := range []string{"2", "3", "4", "5"} {
				say("busy", text)
			}
			return nil
		}, func() {})
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range outcomes {
			if o := <-c; o.err != nil {
				t.Errorf("message %d: %v", i, o.err)
			}
		}
		for i, m := range readAll(t, l, "busy") {
			if want := string(rune('1' + i)); string(m.Content) != want || m.Seq != int64(i+1) {
				t.Errorf("message %d is %q, want %q", m.Seq, m.Content, want)
			}
		}
		if n := counter(t, dbs[0].metrics.batches); n != 2 {
			t.Errorf("%v commits, want 2: of four messages and of two", n)
		}
	})
}

// taken tells whether what was appended is in the committer's hands.
func (q *queue) taken() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting) == 0
}
