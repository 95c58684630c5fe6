package protocol_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/realtime/transport"
)

// newsText is news as a test reads it.
func newsText(n *protocol.News) string {
	var words []string
	for _, u := range n.Users {
		state := [...]string{"unknown", "online", "away", "offline"}[u.State]
		if !u.LastSeen.IsZero() {
			state += " since " + u.LastSeen.UTC().Format(time.TimeOnly)
		}
		words = append(words, string(u.User)+" "+state)
	}
	for _, c := range n.Counts {
		words = append(words, fmt.Sprint(c.Online, " in ", c.Room))
	}
	return strings.Join(words, ", ")
}

// watching runs the watches of all nodes, which share a town.
func (f *fleet) watching(t *testing.T) *town {
	t.Helper()
	all := newTown()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, len(f.nodes))
	for _, n := range f.nodes {
		n.town.town = all
		go func() { done <- n.watches.Run(ctx) }()
	}
	f.after = append(f.after, func() {
		cancel()
		for range f.nodes {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
	return all
}

// listener opens a session that wants events and follows a room.
func (f *fleet) listener(t *testing.T, i int, user string) *recorded {
	t.Helper()
	id, err := f.nodes[i].NewSessionID()
	if err != nil {
		t.Fatal(err)
	}
	r := f.nodes[i].connect(session.Options{ID: id, User: user, Events: true})
	f.nodes[i].Subscribe(r.Session, protocol.RoomChannel("r"), nil, 0)
	synctest.Wait()
	return r
}

func (b *bench) watch(t *testing.T, r *recorded, w biz.Watching) {
	t.Helper()
	if err := b.watches.Watch(r.Session, w); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Second)
	synctest.Wait()
}

// end ends a session, as its client wants.
func (b *bench) end(r *recorded) { b.Done(r.Session, r.conn, transport.Ended) }

// last returns what a session has heard since the last time, after a while.
func (r *recorded) last(after time.Duration) string {
	time.Sleep(after)
	synctest.Wait()
	all := r.conn.Texts()
	fresh := all[r.read:]
	r.read = len(all)
	return strings.Join(fresh, "; ")
}

func wantLast(t *testing.T, r *recorded, after time.Duration, want string) {
	t.Helper()
	if got := r.last(after); got != want {
		t.Errorf("heard %q, want %q", got, want)
	}
}

func users(ids ...biz.UserID) biz.Watching { return biz.Watching{Users: ids} }

// TestEphemeralsReachOtherNodes: those who want them, wherever they are, at no place of the room's order.
func TestEphemeralsReachOtherNodes(t *testing.T) {
	runFleet(t, 3, func(t *testing.T, f *fleet) {
		time.Sleep(3 * time.Second)
		alice := f.listener(t, 0, "alice")
		other := f.listener(t, 1, "alice")
		bob := f.listener(t, 2, "bob")
		old := f.member(t, 1, "carol")
		f.nodes[1].Subscribe(old.Session, protocol.RoomChannel("r"), nil, 0)
		time.Sleep(time.Second)
		say := func(text string) {
			m := &biz.Draft{Message: biz.Message{ID: text, Room: "r", Sender: "dave", Type: biz.TypeText, Content: []byte(text)}}
			f.nodes[1].live.Sequence(m, func(err error) {
				if err != nil {
					t.Error(err)
				}
			})
			time.Sleep(100 * time.Millisecond)
		}
		say("one")
		f.nodes[0].live.DeliverEphemeral(&biz.Ephemeral{Room: "r", User: "alice", Kind: "typing", Origin: biz.SessionID(alice.ID)})
		time.Sleep(100 * time.Millisecond)
		say("two")
		wantLast(t, alice, time.Second, "message one; message two")
		wantLast(t, other, 0, "message one; typing of alice map[]; message two")
		wantLast(t, bob, 0, "message one; typing of alice map[]; message two")
		wantLast(t, old, 0, "message one; message two")
		time.Sleep(10 * time.Second)
		wantLast(t, bob, 0, "") // nothing is missing, and nobody is told so
	})
}

// TestEphemeralsThatAreLostAreNoGap: a node that was out of reach asks for nothing on their account.
func TestEphemeralsThatAreLostAreNoGap(t *testing.T) {
	runFleet(t, 2, func(t *testing.T, f *fleet) {
		time.Sleep(3 * time.Second)
		bob := f.listener(t, 1, "bob")
		time.Sleep(time.Second)
		f.lines[0].Mute.Store(true)
		f.nodes[0].live.DeliverEphemeral(&biz.Ephemeral{Room: "r", User: "alice", Kind: "typing"})
		time.Sleep(time.Second)
		f.lines[0].Mute.Store(false)
		wantLast(t, bob, 10*time.Second, "")
		f.nodes[0].live.DeliverEphemeral(&biz.Ephemeral{Room: "r", User: "alice", Kind: "typing"})
		wantLast(t, bob, time.Second, "typing of alice map[]")
	})
}

// TestPresenceAcrossNodes: who watches hears what is, and then what changes, whichever node it is on, as of all of
// a user's sessions together.
func TestPresenceAcrossNodes(t *testing.T) {
	runFleet(t, 3, func(t *testing.T, f *fleet) {
		town := f.watching(t)
		time.Sleep(3 * time.Second)
		town.put("r", "alice", "bob", "carol")
		town.Seen("alice", time.Date(2000, 1, 1, 7, 0, 0, 0, time.UTC))
		carol := f.member(t, 2, "carol")
		bob := f.listener(t, 0, "bob")
		f.nodes[0].watch(t, bob, users("alice", "carol", "stranger"))
		wantLast(t, bob, 0, "alice offline since 07:00:00, carol online, stranger unknown")
		one := f.member(t, 1, "alice")
		wantLast(t, bob, time.Second, "alice online")
		f.nodes[1].SetAway(one.Session, true)
		wantLast(t, bob, time.Second, "alice away")
		two := f.member(t, 2, "alice")
		wantLast(t, bob, time.Second, "alice online")
		f.nodes[2].end(two)
		wantLast(t, bob, time.Second, "alice away")
		f.nodes[1].end(one)
		at := time.Now()
		wantLast(t, bob, time.Second, "alice offline since "+at.Add(0).UTC().Format(time.TimeOnly))
		if got := town.seenAt("alice"); got.Sub(at).Abs() > time.Second {
			t.Errorf("seen at %v, gone at %v", got, at)
		}
		f.nodes[2].away(carol) // it may be resumed
		wantLast(t, bob, 30*time.Second, "")
		if got := bob.last(45 * time.Second); !strings.HasPrefix(got, "carol offline since ") { // a minute, and a second of grace
			t.Errorf("heard %q", got)
		}
		one = f.member(t, 0, "alice") // on the watcher's own node
		wantLast(t, bob, time.Second, "alice online")
		f.nodes[0].end(one)
		bob.last(time.Second)
		f.nodes[0].watch(t, bob, biz.Watching{})
		f.member(t, 1, "alice")
		wantLast(t, bob, time.Minute, "")
	})
}

// TestPresenceOfAKilledNode: its users are offline once it is known to be gone, which takes four seconds, and
// online again if they come back elsewhere.
func TestPresenceOfAKilledNode(t *testing.T) {
	runFleet(t, 3, func(t *testing.T, f *fleet) {
		town := f.watching(t)
		time.Sleep(3 * time.Second)
		town.put("r", "alice", "bob", "carol")
		f.member(t, 1, "alice")
		f.member(t, 1, "carol")
		bob := f.listener(t, 0, "bob")
		f.nodes[0].watch(t, bob, users("alice", "carol"))
		wantLast(t, bob, 0, "alice online, carol online")
		f.kill(1)
		f.member(t, 2, "carol")
		got := bob.last(6 * time.Second)
		if !strings.HasPrefix(got, "alice offline") || strings.Contains(got, "carol") {
			t.Errorf("heard %q", got)
		}
		f.member(t, 2, "alice")
		wantLast(t, bob, time.Second, "alice online")
	})
}

// TestPresenceOfANodeThatWasCutOff is as it is there when it is back, also of what it could tell nobody.
func TestPresenceOfANodeThatWasCutOff(t *testing.T) {
	runFleet(t, 2, func(t *testing.T, f *fleet) {
		town := f.watching(t)
		time.Sleep(3 * time.Second)
		town.put("r", "alice", "bob", "carol")
		alice := f.member(t, 1, "alice")
		f.member(t, 1, "carol")
		bob := f.listener(t, 0, "bob")
		f.nodes[0].watch(t, bob, users("alice", "carol"))
		bob.last(0)
		f.lines[1].Mute.Store(true)
		f.nodes[1].end(alice)
		time.Sleep(10 * time.Second)
		f.lines[1].Mute.Store(false)
		got := bob.last(10 * time.Second)
		if !strings.Contains(got, "alice offline") || !strings.HasSuffix(got, "carol online") || strings.Contains(got, "alice online") {
			t.Errorf("heard %q", got)
		}
	})
}

// TestALostWordOfPresenceIsFound by the question that every node asks once a minute.
func TestALostWordOfPresenceIsFound(t *testing.T) {
	runFleet(t, 2, func(t *testing.T, f *fleet) {
		town := f.watching(t)
		time.Sleep(3 * time.Second)
		town.put("r", "alice", "bob")
		alice := f.member(t, 1, "alice")
		bob := f.listener(t, 0, "bob")
		f.nodes[0].watch(t, bob, users("alice"))
		bob.last(0)
		for range 3 { // shorter than what makes a node gone, and longer than it tells
			f.lines[1].Mute.Store(true)
			f.nodes[1].SetAway(alice.Session, !alice.Away())
			time.Sleep(2 * time.Second)
			f.lines[1].Mute.Store(false)
			time.Sleep(2 * time.Second)
		}
		if got := bob.last(2 * time.Minute); !strings.HasSuffix(got, "alice away") {
			t.Errorf("heard %q", got)
		}
	})
}

// TestPresenceOfARoom: of a small one each member is named, of a large one it is told how many are there, each
// once on however many nodes he is.
func TestPresenceOfARoom(t *testing.T) {
	runFleet(t, 3, func(t *testing.T, f *fleet) {
		town := f.watching(t)
		time.Sleep(3 * time.Second)
		town.put("small", "alice", "bob")
		town.put("r", "alice", "bob", "carol", "dave")
		town.put("foreign", "eve")
		bob := f.listener(t, 0, "bob")
		f.nodes[0].watch(t, bob, biz.Watching{Rooms: []biz.RoomID{"small", "r", "foreign"}})
		wantLast(t, bob, 2*time.Second, "alice offline, 1 in r")
		f.listener(t, 1, "carol")
		f.listener(t, 2, "carol")
		dave := f.listener(t, 2, "dave")
		wantLast(t, bob, 5*time.Second, "3 in r")
		f.nodes[2].end(dave)
		wantLast(t, bob, 5*time.Second, "2 in r")
	})
}

// TestPresenceEndsWithTheSharedRoom: who leaves is heard of no more, and who comes is.
func TestPresenceEndsWithTheSharedRoom(t *testing.T) {
	runFleet(t, 2, func(t *testing.T, f *fleet) {
		town := f.watching(t)
		time.Sleep(3 * time.Second)
		town.put("r", "alice", "bob")
		alice := f.member(t, 1, "alice")
		bob := f.listener(t, 0, "bob")
		f.nodes[0].watch(t, bob, biz.Watching{Users: []biz.UserID{"alice"}, Rooms: []biz.RoomID{"r"}})
		wantLast(t, bob, 0, "alice online")
		town.put("r", "bob")
		f.nodes[0].watches.Changed("r", "alice")
		wantLast(t, bob, time.Second, "alice unknown")
		f.nodes[1].end(alice)
		wantLast(t, bob, time.Minute, "")
		town.put("r", "bob", "carol")
		town.fails = 2
		f.nodes[0].watches.Changed("r", "carol")
		wantLast(t, bob, 10*time.Second, "carol offline")
	})
}

// TestASlowSessionHearsWhatIs: while it takes nothing, changes gather, and it hears the last of them.
func TestASlowSessionHearsWhatIs(t *testing.T) {
	runFleet(t, 2, func(t *testing.T, f *fleet) {
		town := f.watching(t)
		time.Sleep(3 * time.Second)
		town.put("r", "alice", "bob")
		alice := f.member(t, 1, "alice")
		bob := f.listener(t, 0, "bob")
		f.nodes[0].watch(t, bob, users("alice"))
		bob.last(0)
		bob.conn.SetReading(false)
		for range 51 {
			f.nodes[1].SetAway(alice.Session, !alice.Away())
			time.Sleep(200 * time.Millisecond)
		}
		bob.conn.SetReading(true)
		got := bob.last(5 * time.Second)
		if !strings.HasSuffix(got, "alice away") || strings.Count(got, "alice") > 3 {
			t.Errorf("heard %q", got)
		}
	})
}

// TestAWatchEndsWithTheConnection, and takes its place in the cluster with it.
func TestAWatchEndsWithTheConnection(t *testing.T) {
	runFleet(t, 2, func(t *testing.T, f *fleet) {
		town := f.watching(t)
		time.Sleep(3 * time.Second)
		town.put("r", "alice", "bob")
		bob := f.listener(t, 0, "bob")
		f.nodes[0].watch(t, bob, users("alice"))
		f.nodes[0].away(bob)
		asked := town.asked
		f.member(t, 1, "alice")
		f.nodes[0].watches.Changed("r", "alice")
		wantLast(t, bob, 20*time.Minute, "alice offline")
		if town.asked != asked {
			t.Error("it is looked up for nobody whom he shares a room with")
		}
		if err := f.nodes[0].watches.Watch(bob.Session, users("alice")); err != nil {
			t.Error(err) // the connection was lost in this moment
		}
	})
}

func TestWatchRefusals(t *testing.T) {
	run(t, func(t *testing.T, b *bench) {
		old := b.member("old", "alice")
		if err := b.watches.Watch(old.Session, users("bob")); biz.AsError(err).Reason != "NO_EVENTS" {
			t.Errorf("without events: %v", err)
		}
		old.SetEvents(true)
		if err := b.watches.Watch(old.Session, biz.Watching{Rooms: []biz.RoomID{""}}); biz.AsError(err).Reason != "INVALID_ARGUMENT" {
			t.Errorf("a room without a name: %v", err)
		}
	})
}

// TestManyWhoComeAtOnce are told of at a pace, and all of them in the end.
func TestManyWhoComeAtOnce(t *testing.T) {
	runFleet(t, 2, func(t *testing.T, f *fleet) {
		town := f.watching(t)
		time.Sleep(3 * time.Second)
		const many = 1000
		all := []biz.UserID{"bob"}
		for i := range many {
			all = append(all, biz.UserID(fmt.Sprintf("u%03d", i)))
		}
		town.put("q", all...)
		bob := f.listener(t, 0, "bob")
		f.nodes[0].watch(t, bob, users(all[1:]...))
		if got := bob.last(10 * time.Second); strings.Count(got, "offline") != many {
			t.Fatalf("%d are offline", strings.Count(got, "offline"))
		}
		for _, user := range all[1:] {
			id, _ := f.nodes[1].NewSessionID()
			f.nodes[1].connect(session.Options{ID: id, User: string(user)})
		}
		if got := bob.last(20 * time.Second); strings.Count(got, "online") != many {
			t.Errorf("%d are online", strings.Count(got, "online"))
		}
	})
}
