package node_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/session"
)

// TestWhoIsSentAwayIsToldOnce of what was published last, whether the session has read that far or not. What has no seq
// waits for no log: also a session that is behind has it already.
func TestWhoIsSentAwayIsToldOnce(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		behind bool
		seq    int64
	}{
		"live":                       {false, 3},
		"live, without a seq":        {false, 0},
		"behind the log":             {true, 3},
		"behind the log, and no seq": {true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, func(t *testing.T, b *bench) {
				told := []string{"last"}
				b.log.append("alice", "")
				b.log.append("alice", "")
				if test.behind {
					b.log.setFail(errors.New("the store is away"))
				} else {
					told = []string{"1", "2", "last"}
				}
				s, conn := b.connect(session.Options{ID: "1", User: "bob"}, 0)
				synctest.Wait()
				last := frame.New("last")
				b.Publish(&frame.Publication{Channel: "room", Seq: test.seq, Frame: last})
				b.Dismiss(s, "room", test.seq, last)
				want(t, conn, told...)
				b.log.setFail(nil)
				time.Sleep(time.Minute)
				want(t, conn, told...)
			})
		})
	}
}

// TestWhatIsSentAheadIsPassedOverInTheLog by a session that goes on reading it.
func TestWhatIsSentAheadIsPassedOverInTheLog(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, b *bench) {
		b.log.setFail(errors.New("the store is away"))
		for range 3 {
			b.log.append("alice", "")
		}
		s, conn := b.connect(session.Options{ID: "1", User: "bob"}, 0)
		synctest.Wait()
		s.ReplyAhead("room", 2, frame.New("2"))
		s.ReplyAhead("other", 2, frame.New("of a room that it does not follow"))
		want(t, conn, "2")
		b.log.setFail(nil)
		time.Sleep(time.Minute)
		want(t, conn, "2", "1", "3")
		s.ReplyAhead("room", 3, frame.New("3"))
		want(t, conn, "2", "1", "3")
	})
}

// TestWhoIsSentAwayIsToldBeforeItCame: word that a user is sent away may overtake what was published last, or come while
// that waits for what is before it in the log. His session is told all the same, and once.
func TestWhoIsSentAwayIsToldBeforeItCame(t *testing.T) {
	t.Parallel()
	for _, waits := range []bool{false, true} {
		t.Run(fmt.Sprint("waits for its turn: ", waits), func(t *testing.T) {
			t.Parallel()
			run(t, func(t *testing.T, b *bench) {
				b.ReadFrom(b.log)
				s, conn := b.connect(session.Options{ID: "1", User: "bob"}, 0)
				_, other := b.connect(session.Options{ID: "2", User: "carol"}, 0)
				synctest.Wait()
				b.send("alice", "")
				late, last := b.log.append("alice", ""), b.log.append("alice", "")
				if waits {
					b.Publish(last)
				}
				b.Dismiss(s, "room", last.Seq, last.Frame)
				b.Publish(late)
				b.Publish(last)
				want(t, conn, "1", "3")
				time.Sleep(time.Minute)
				want(t, conn, "1", "3")
				want(t, other, "1", "2", "3")
			})
		})
	}
}
