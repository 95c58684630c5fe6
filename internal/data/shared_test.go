package data

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/test/databases"
)

// sharingNode is one of the nodes on a database.
type sharingNode struct {
	db       *DB
	log      *MessageLog
	live     *recorder
	rooms    *Rooms
	members  *Members
	messages *biz.Messages
	backlog  *biz.Backlog
}

// onTwoNodes runs a test on two nodes that share a server's database. Nobody carries word from one to the other.
func onTwoNodes(t *testing.T, test func(t *testing.T, a, b *sharingNode)) {
	t.Helper()
	onServers(t, func(t *testing.T, _ *databases.Server, opts Options) {
		opts.Shared, opts.CacheLife = true, time.Hour
		test(t, newSharingNode(t, opts), newSharingNode(t, opts))
	})
}

func newSharingNode(t *testing.T, opts Options) *sharingNode {
	t.Helper()
	n := &sharingNode{db: openWith(t, opts), live: &recorder{}}
	n.log, _ = runLog(t, n.db, n.live, LogOptions{})
	n.rooms, n.members = NewRooms(n.db), NewMembers(n.db)
	n.messages = biz.NewMessages(n.rooms, n.log, n.live, biz.MessageRules{MaxContentBytes: 1000, MaxMetadataBytes: 1000})
	n.backlog = biz.NewBacklog(n.rooms, n.members, n.log, NewCursors(n.db, quiet()))
	return n
}

// say sends a message of a user and returns where its outcome will be.
func (n *sharingNode) say(room biz.RoomID, user biz.UserID, kind biz.MessageType, content string) <-chan outcome {
	done := make(chan outcome, 1)
	d := textDraft(room, user, "", content)
	d.Type = kind
	n.messages.Send(context.Background(), biz.Identity{User: user}, d, func(r biz.Receipt, err error) { done <- outcome{r, err} })
	return done
}

func (n *sharingNode) leave(t *testing.T, room biz.RoomID, user biz.UserID) {
	t.Helper()
	if left, err := n.members.Leave(t.Context(), room, user); err != nil || !left {
		t.Fatalf("leave: %v, %v", left, err)
	}
}

// TestNobodySpeaksWhoLeftOnAnotherNode: what somebody sends through a node that has not heard of his leave is
// refused, and nothing of what was on its way then is stored behind it.
func TestNobodySpeaksWhoLeftOnAnotherNode(t *testing.T) {
	t.Parallel()
	onTwoNodes(t, func(t *testing.T, a, b *sharingNode) {
		for round := range 10 {
			joinRoom(t, b.db, "r", "owner")
			joinRoom(t, a.db, "r", "u")
			if o := <-a.say("r", "u", biz.TypeText, "known"); o.err != nil {
				t.Fatalf("a member is refused: %v", o.err)
			}
			var sent []<-chan outcome
			for range 20 {
				sent = append(sent, a.say("r", "u", biz.TypeText, "before"))
			}
			left := make(chan bool, 1)
			go func() {
				gone, err := b.members.Leave(t.Context(), "r", "u")
				left <- gone && err == nil
			}()
			var outcomes []outcome
			for len(left) == 0 {
				outcomes = append(outcomes, <-a.say("r", "u", biz.TypeText, "meanwhile"))
			}
			if !<-left {
				t.Fatal("there is no leaving")
			}
			room, err := b.rooms.Room(t.Context(), "r")
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				if o := <-a.say("r", "u", biz.TypeText, "after"); reasonOf(o.err) != "NOT_A_MEMBER" {
					t.Fatalf("round %d: after the leave: %+v", round, o)
				}
			}
			for _, o := range sent {
				outcomes = append(outcomes, <-o)
			}
			for _, got := range outcomes {
				if got.err != nil && reasonOf(got.err) != "NOT_A_MEMBER" {
					t.Errorf("refused with %v", got.err)
				} else if got.Seq > room.HeadSeq {
					t.Errorf("round %d: message %d is stored; the leave was at %d", round, got.Seq, room.HeadSeq)
				}
			}
			if o := <-a.say("r", "owner", biz.TypeText, "here"); o.err != nil {
				t.Errorf("who has not left is refused: %v", o.err)
			}
		}
	})
}

// TestWhatIsAllowedIsAskedOfTheDatabase: roles, mutes and settings that another node, or an operator, has changed
// hold for the next message, both ways.
func TestWhatIsAllowedIsAskedOfTheDatabase(t *testing.T) {
	t.Parallel()
	onTwoNodes(t, func(t *testing.T, a, b *sharingNode) {
		joinRoom(t, a.db, "r", "u")
		for _, step := range []struct {
			change string
			arg    bool
			kind   biz.MessageType
			reason string
		}{
			{"", false, biz.TypeAudio, ""},
			{`UPDATE members SET muted = ?`, true, biz.TypeText, "MUTED"},
			{`UPDATE members SET muted = ?`, false, biz.TypeText, ""},
			{`UPDATE rooms SET allow_audio = ?`, false, biz.TypeAudio, "AUDIO_NOT_ALLOWED"},
			{"", false, biz.TypeText, ""},
			{`UPDATE rooms SET allow_audio = ?`, true, biz.TypeAudio, ""},
		} {
			if step.change != "" {
				mutate(t, b.db, step.change, step.arg)
				mutate(t, b.db, `UPDATE rooms SET version = version + ?`, 1)
			}
			if o := <-a.say("r", "u", step.kind, "x"); reasonOf(o.err) != step.reason {
				t.Errorf("after %q, %v: %v; want %q", step.change, step.arg, o.err, step.reason)
			}
		}
	})
}

// TestOrderHoldsWhileARoomChanges: drafts that are decided anew keep their place among the others.
func TestOrderHoldsWhileARoomChanges(t *testing.T) {
	t.Parallel()
	onTwoNodes(t, func(t *testing.T, a, b *sharingNode) {
		const messages = 300
		joinRoom(t, a.db, "r", "u")
		joinRoom(t, a.db, "r", "v")
		stop := make(chan struct{})
		var changing sync.WaitGroup
		changing.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
					user := biz.UserID(fmt.Sprint("guest ", i))
					joinRoom(t, b.db, "r", user)
					b.leave(t, "r", user)
				}
			}
		})
		var sent []<-chan outcome
		for i := range messages {
			sent = append(sent, a.say("r", []biz.UserID{"u", "v"}[i%2], biz.TypeText, fmt.Sprint(i)))
			if i%16 == 15 { // several commits
				<-a.say("r", "u", biz.TypeText, "")
			}
		}
		for _, o := range sent {
			if got := <-o; got.err != nil {
				t.Error(got.err)
			}
		}
		close(stop)
		changing.Wait()
		next := 0
		for i, m := range readAll(t, a.log, "r") {
			if m.Seq != int64(i+1) {
				t.Fatalf("place %d: seq %d", i+1, m.Seq)
			}
			if len(m.Content) > 0 {
				if string(m.Content) != fmt.Sprint(next) {
					t.Fatalf("message %s where %d should be", m.Content, next)
				}
				next++
			}
		}
		if delivered := a.live.delivered("r"); !slices.IsSortedFunc(delivered, func(x, y biz.Message) int { return int(x.Seq - y.Seq) }) {
			t.Error("they are delivered in another order")
		}
	})
}

// TestWhatOthersHaveCommittedIsSeen: whatever has to be exact is, on a node that remembers something else.
func TestWhatOthersHaveCommittedIsSeen(t *testing.T) {
	t.Parallel()
	onTwoNodes(t, func(t *testing.T, a, b *sharingNode) {
		joinRoom(t, a.db, "r", "u")
		joinRoom(t, a.db, "r", "gone")
		for _, n := range []*sharingNode{a, b} { // both remember
			for _, user := range []biz.UserID{"u", "gone"} {
				if o := <-n.say("r", user, biz.TypeText, "x"); o.err != nil {
					t.Fatal(o.err)
				}
			}
		}
		b.leave(t, "r", "gone")
		joinRoom(t, b.db, "r", "new")
		last := mustAppend(t, b.log, textDraft("r", "u", "", "last"))

		room, err := a.rooms.Room(t.Context(), "r")
		if err != nil || room.HeadSeq != last.Seq || room.Members != 2 || !room.LastActive.Equal(last.Time) {
			t.Errorf("room %+v, %v", room, err)
		}
		if m, err := a.members.Member(t.Context(), "r", "gone"); kindOf(err) != biz.KindNotFound {
			t.Errorf("a member who left: %+v, %v", m, err)
		}
		if out, err := a.backlog.NotIn(t.Context(), "gone", []biz.RoomID{"r"}); err != nil || len(out) != 1 {
			t.Errorf("he is followed there: %v, %v", out, err)
		}
		// A6: a device that is new begins at the head, and not below, where the other node has it.
		a.backlog.Delivered(biz.Cursor{Room: "r", User: "u", Device: "phone", Delivered: 1})
		for device, want := range map[biz.DeviceID]int64{"phone": 1, "tablet": last.Seq} {
			p, err := a.backlog.Positions(t.Context(), "u", device, []biz.RoomID{"nowhere", "r"})
			if err != nil || len(p) != 1 || p[0].After != want {
				t.Errorf("%s begins at %+v, %v; want %d", device, p, err, want)
			}
		}
		// A member who left and came back on the other node begins anew.
		b.leave(t, "r", "u")
		mustAppend(t, b.log, textDraft("r", "new", "", "while away"))
		back := joinRoom(t, b.db, "r", "u")
		if p, err := a.backlog.Positions(t.Context(), "u", "phone", []biz.RoomID{"r"}); err != nil || len(p) != 1 || p[0].After != back.Member.JoinSeq {
			t.Errorf("begins at %+v, %v; he joined at %d", p, err, back.Member.JoinSeq)
		}
		// Who left there joins here, and not only seemingly.
		if res := joinRoom(t, a.db, "r", "gone"); !res.Fresh || res.Member.JoinSeq != last.Seq+1 {
			t.Errorf("joined as %+v; the head is %d", res, last.Seq+1)
		}
		if m, err := b.members.Member(t.Context(), "r", "gone"); err != nil {
			t.Errorf("the other node has %+v, %v", m, err)
		}
		// A4: what the other node has deleted, up to a head that this one does not know, is told.
		after := last.Seq
		purge(t, b.db, time.Now().Add(time.Hour), biz.Retention{MaxAge: time.Minute})
		if page, gone, err := a.backlog.Page(t.Context(), "r", after, 10); err != nil || len(page) != 0 || gone != last.Seq+1 {
			t.Errorf("a page of %d, gone up to %d, %v", len(page), gone, err)
		}
	})
}

// TestWordOfAChange: a node tells of its own changes, and those alone; another one that is told need not ask for
// the others in the room.
func TestWordOfAChange(t *testing.T) {
	t.Parallel()
	onTwoNodes(t, func(t *testing.T, a, b *sharingNode) {
		var words []Change // the writer's goroutine is that of who changes, here
		b.db.OnChange(func(c Change) { words = append(words, c) })
		joinRoom(t, b.db, "r", "u")
		joinRoom(t, b.db, "r", "u") // nothing new
		joinRoom(t, b.db, "r", "v")
		if m, err := a.rooms.Speaker(t.Context(), "r", "u"); err != nil || m.Version != 2 {
			t.Fatalf("%+v, %v", m, err)
		}
		b.leave(t, "r", "v")
		b.leave(t, "r", "u")
		want := []Change{{"r", "u", 1}, {"r", "v", 2}, {"r", "v", 3}, {"r", "u", 4}}
		if !slices.Equal(words, want) {
			t.Errorf("words %v, want %v", words, want)
		}
		for _, c := range words[:3] {
			a.db.Changed(c)
		}
		if m, err := a.rooms.Speaker(t.Context(), "r", "u"); err != nil || m.Version != 3 {
			t.Errorf("from memory: %+v, %v", m, err)
		}
		a.db.ForgetAll()
		if m, err := a.rooms.Speaker(t.Context(), "r", "u"); kindOf(err) != biz.KindNotFound {
			t.Errorf("who left without a word: %+v, %v", m, err)
		}
	})
}

// TestWatchFindsWhoLeftMeanwhile: without any word of other nodes.
func TestWatchFindsWhoLeftMeanwhile(t *testing.T) {
	t.Parallel()
	onTwoNodes(t, func(t *testing.T, a, b *sharingNode) {
		users := []biz.UserID{"u", "v", "w"}
		for _, user := range users {
			joinRoom(t, a.db, "r", user)
			joinRoom(t, a.db, "quiet", user)
		}
		watch := biz.NewWatch(NewWatches(a.db))
		check := func() map[biz.RoomID]biz.Sighting {
			t.Helper()
			all, err := watch.Check(t.Context(), []biz.RoomID{"r", "quiet", "nowhere"})
			if err != nil {
				t.Fatal(err)
			}
			changed := make(map[biz.RoomID]biz.Sighting)
			for _, s := range all {
				if s.Changed {
					changed[s.Room] = s
				}
			}
			return changed
		}
		if changed := check(); len(changed) != 3 { // nothing is known yet
			t.Errorf("changed: %v", changed)
		}
		for room, s := range check() {
			absent, err := watch.Absent(t.Context(), s, users)
			if err != nil || (room == "nowhere") != (len(absent) == len(users)) {
				t.Errorf("%s is without %v, %v", room, absent, err)
			}
		}
		if changed := check(); len(changed) != 0 {
			t.Errorf("changed: %v", changed)
		}
		b.leave(t, "r", "v")
		last := mustAppend(t, b.log, textDraft("r", "u", "", "x"))
		if heads, err := NewWatches(a.db).Heads(t.Context(), []biz.RoomID{"r", "quiet", "nowhere"}); err != nil || len(heads) != 2 || heads["r"].Seq != last.Seq || heads["quiet"].Seq != 0 {
			t.Errorf("heads %v, %v", heads, err)
		}
		changed := check()
		if s := changed["r"]; len(changed) != 1 || s.Head != last.Seq {
			t.Fatalf("changed: %v", changed)
		}
		if absent, err := watch.Absent(t.Context(), changed["r"], users); err != nil || !slices.Equal(absent, []biz.UserID{"v"}) {
			t.Errorf("absent: %v, %v", absent, err)
		}
		if _, err := a.rooms.Speaker(t.Context(), "r", "v"); kindOf(err) != biz.KindNotFound {
			t.Errorf("he is remembered: %v", err)
		}
	})
}

// TestAFileIsNotShared: it says so, before anything is made.
func TestAFileIsNotShared(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db, err := Open(t.Context(), Options{Dir: dir, Shared: true}, quiet())
	if err == nil {
		t.Fatal("opened", db.Close())
	}
	if !strings.Contains(err.Error(), "postgres and mysql") {
		t.Error(err)
	}
}
