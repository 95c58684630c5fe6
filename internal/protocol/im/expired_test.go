package im_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// away has alice in room r with a cursor at message 1, and five messages stored since.
func away(b *bench) (bob *client) {
	bob = b.open(as("bob"))
	alice := b.open(as("alice"))
	bob.send(text("1"))
	alice.want("1 from bob")
	alice.send(heartbeat())
	synctest.Wait()
	alice.lose()
	alice.wantResult(errLost)
	for i := 2; i <= 6; i++ {
		bob.send(text(fmt.Sprint(i)))
	}
	synctest.Wait()
	return bob
}

// TestA5ComesBackBelowTheFloor: whose cursor is below the floor is told what is gone, gets everything that
// is kept, and then what is live.
func TestA5ComesBackBelowTheFloor(t *testing.T) {
	run(t, config, func(t *testing.T, b *bench) {
		bob := away(b)
		b.store.forget("r", 4)
		alice := b.open(as("alice"))
		alice.want("gone up to 4", "5 from bob", "6 from bob")
		bob.send(text("7"))
		alice.want("gone up to 4", "5 from bob", "6 from bob", "7 from bob")
		for i, f := range alice.frames() {
			if f.Seq != int64(i+4) {
				t.Errorf("frame %d has seq %d", i, f.Seq)
			}
		}
		if seq, ok := biz.SeqOfMessageID(alice.frames()[0].MessageId, "r"); !ok || seq != 4 {
			t.Errorf("the notice has the place %d, %v", seq, ok)
		}
		alice.send(heartbeat())
		synctest.Wait()
		if got := b.store.cursor("alice", ""); got != 7 {
			t.Errorf("the cursor is at %d", got)
		}
		carol := b.open(as("carol"))
		carol.want() // who joins now has missed nothing
	})
}

// TestA5NothingIsLeftAboveTheCursor: then there is no message to go on with, and still the session is told,
// and becomes live.
func TestA5NothingIsLeftAboveTheCursor(t *testing.T) {
	run(t, config, func(_ *testing.T, b *bench) {
		bob := away(b)
		b.store.forget("r", 6)
		alice := b.open(as("alice"))
		alice.want("gone up to 6")
		bob.send(text("7"))
		alice.want("gone up to 6", "7 from bob")
	})
}

// TestA4TheFloorMovesWhileCatchingUp: a session that cannot read its backlog for a while, and finds that
// the floor has passed it meanwhile, is told so and goes on there.
func TestA4TheFloorMovesWhileCatchingUp(t *testing.T) {
	run(t, config, func(_ *testing.T, b *bench) {
		bob := away(b)
		b.store.setPages(errors.New("disk"))
		alice := b.open(as("alice"))
		bob.send(text("7"))
		alice.want()
		b.store.forget("r", 5)
		b.store.setPages(nil)
		time.Sleep(2 * time.Second) // of the bubble's clock: the backlog is tried again
		alice.want("gone up to 5", "6 from bob", "7 from bob")
		bob.send(text("8"))
		alice.want("gone up to 5", "6 from bob", "7 from bob", "8 from bob")
	})
}
