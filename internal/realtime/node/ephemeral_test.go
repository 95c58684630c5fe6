package node_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/realtime/transport"
	"github.com/game-im/hermod/internal/realtime/transport/transporttest"
)

// hint publishes an ephemeral frame of a name.
func (b *bench) hint(name, text, from, origin string) {
	b.Publish(&frame.Publication{Channel: "room", Ephemeral: name, Frame: frame.New(text), From: from, Origin: origin})
}

func events(id string) session.Options { return session.Options{ID: id, User: id, Events: true} }

// TestEphemeralsGoToWhoWantsThem, and not to the session that sends them, at their place among messages.
func TestEphemeralsGoToWhoWantsThem(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, b *bench) {
		_, mine := b.connect(events("alice"), 0)
		_, other := b.connect(session.Options{ID: "alice's other", User: "alice", Events: true}, 0)
		_, bob := b.connect(events("bob"), 0)
		_, old := b.connect(session.Options{ID: "old", User: "carol"}, 0)
		synctest.Wait()
		b.hint("typing", "typing", "alice", "alice")
		synctest.Wait()
		b.send("dave", "")
		want(t, mine, "1")
		want(t, other, "typing", "1")
		want(t, bob, "typing", "1")
		want(t, old, "1")
	})
}

// TestEphemeralsAreConflated: of one name a slow client gets the last, and messages go first.
func TestEphemeralsAreConflated(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, b *bench) {
		_, bob := b.connect(events("bob"), 0)
		synctest.Wait()
		bob.SetReading(false)
		b.send("dave", "") // the writer waits with this one
		synctest.Wait()
		for i := range 5 {
			b.hint("read", fmt.Sprint("read ", i), "alice", "")
			b.hint("typing", fmt.Sprint("typing ", i), "alice", "")
		}
		b.send("dave", "")
		synctest.Wait()
		bob.SetReading(true)
		want(t, bob, "1", "2", "read 4", "typing 4")
	})
}

// TestEphemeralsNeverCloseASlowSession: neither their number nor their size, nor a client that takes none of them
// for longer than a queue may stand still.
func TestEphemeralsNeverCloseASlowSession(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, b *bench) {
		s, bob := b.connect(events("bob"), 0)
		synctest.Wait()
		bob.SetReading(false)
		for i := range 10_000 {
			b.hint(fmt.Sprint("name", i), strings.Repeat("x", 400), "alice", "")
		}
		synctest.Wait()
		if st := s.Stats(); st.QueueFrames != 0 || st.QueueBytes != 0 {
			t.Errorf("ephemerals are in the queue: %+v", st)
		}
		time.Sleep(5 * testConfig.StallTimeout)
		if why, closed := bob.Closed(); closed {
			t.Fatalf("closed: %v", why)
		}
		bob.SetReading(true)
		synctest.Wait()
		n := len(bob.Got())
		if n == 0 || n > 200 {
			t.Errorf("%d of 10,000 waited", n)
		}
		b.send("dave", "")
		synctest.Wait()
		if got := bob.Texts(); got[len(got)-1] != "1" {
			t.Error("the message did not come")
		}
	})
}

// TestAMessageBehindEphemeralsIsHeldAgainstASlowClient: who takes no message is closed as ever.
func TestAMessageBehindEphemeralsIsHeldAgainstASlowClient(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, b *bench) {
		_, bob := b.connect(events("bob"), 0)
		synctest.Wait()
		bob.SetReading(false)
		b.hint("typing", "typing", "alice", "")
		synctest.Wait()
		b.send("dave", "")
		time.Sleep(2 * testConfig.StallTimeout)
		synctest.Wait()
		if why, closed := bob.Closed(); !closed || why.Code != transport.Slow.Code {
			t.Errorf("closed %v: %v", closed, why)
		}
	})
}

// TestEphemeralsAreNoPartOfResume: they have no number, so that a client that resumes misses none, and what waited
// is gone with the connection.
func TestEphemeralsAreNoPartOfResume(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, b *bench) {
		o := events("bob")
		o.Resume = true
		s, bob := b.connect(o, 0)
		synctest.Wait()
		b.send("dave", "")
		synctest.Wait()
		b.hint("typing", "typing 1", "alice", "")
		synctest.Wait()
		b.send("dave", "")
		synctest.Wait()
		got := bob.Got()
		links := []uint64{}
		for _, g := range got {
			links = append(links, g.Link)
		}
		if fmt.Sprint(links) != "[1 0 2]" {
			t.Fatalf("numbers %v of %v", links, got)
		}
		bob.SetReading(false)
		b.hint("typing", "typing 2", "alice", "") // in the writer's hands
		synctest.Wait()
		b.hint("typing", "typing 3", "alice", "")
		ticket := s.Ticket()
		bob.Close(transport.ConnLost)
		b.Done(s, bob, transport.ConnLost)
		b.hint("typing", "typing 4", "alice", "") // nobody is there
		b.send("dave", "")
		again := transporttest.NewConn()
		if _, _, ok := b.Resume("bob", "bob", session.Return{Conn: again, Ticket: ticket, Last: 1}); !ok {
			t.Fatal("not resumed")
		}
		s.Continue(again)
		want(t, again, "2", "3")
		if g := again.Got(); g[0].Link != 2 || g[1].Link != 3 {
			t.Errorf("numbers of %v", g)
		}
		b.hint("typing", "typing 5", "alice", "")
		want(t, again, "2", "3", "typing 5")
	})
}

// TestASessionThatIsBehindIsToldNothingBesides: who catches up, or has much in his queue, is spared.
func TestASessionThatIsBehindIsToldNothingBesides(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, b *bench) {
		s, bob := b.connect(events("bob"), 0)
		synctest.Wait()
		bob.SetReading(false)
		b.send("dave", "") // the writer waits with this one
		synctest.Wait()
		for range 299 {
			b.send("dave", "")
		}
		synctest.Wait()
		if s.Stats().QueueBytes <= testConfig.QueueBytes/4 {
			t.Fatalf("the queue is not under pressure: %+v", s.Stats())
		}
		b.hint("typing", "typing", "alice", "")
		bob.SetReading(true)
		synctest.Wait()
		if got := bob.Texts(); len(got) != 300 || got[299] != "300" {
			t.Errorf("%d frames", len(got))
		}
		b.hint("typing", "later", "alice", "")
		synctest.Wait()
		if got := bob.Texts(); got[len(got)-1] != "later" {
			t.Error("nor is he told afterwards")
		}
	})
}

// TestEphemeralsInACrowd: in a room with many sessions as in one with few.
func TestEphemeralsInACrowd(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, b *bench) {
		var all []*transporttest.Conn
		for i := range 100 {
			_, c := b.connect(events(fmt.Sprint("user", i)), 0)
			all = append(all, c)
		}
		synctest.Wait()
		b.hint("typing", "typing", "user0", "user0")
		synctest.Wait()
		b.send("dave", "")
		want(t, all[0], "1")
		for _, c := range all[1:] {
			want(t, c, "typing", "1")
		}
	})
}

// TestAway: a user is away when all of his sessions say so, until one says otherwise or is resumed.
func TestAway(t *testing.T) {
	t.Parallel()
	run(t, func(t *testing.T, b *bench) {
		state := func(want string) {
			t.Helper()
			if got := []string{"offline", "away", "online"}[b.Presence().State("alice")]; got != want {
				t.Errorf("%s, want %s", got, want)
			}
		}
		state("offline")
		one, conn := b.connect(session.Options{ID: "one", User: "alice", Resume: true}, 0)
		two, other := b.connect(session.Options{ID: "two", User: "alice"}, 0)
		synctest.Wait()
		state("online")
		b.SetAway(one, true)
		b.SetAway(one, true)
		state("online")
		b.SetAway(two, true)
		state("away")
		b.Done(two, other, transport.Ended)
		state("away")
		b.Done(one, conn, transport.ConnLost) // it waits for its client
		state("away")
		if _, _, ok := b.Resume("one", "alice", session.Return{Conn: transporttest.NewConn(), Ticket: one.Ticket()}); !ok {
			t.Fatal("not resumed")
		}
		state("online")
		b.SetAway(one, true)
		b.End(one, transport.ConnLost)
		state("away") // for the grace window
		time.Sleep(11 * time.Second)
		state("offline")
		b.SetAway(one, false) // too late
		state("offline")
	})
}
