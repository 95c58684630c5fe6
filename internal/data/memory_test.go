package data

import (
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/game-im/hermod/internal/biz"
)

// remembering is a memory beside a model of the database that this node and others change.
type remembering struct {
	memory  *memory
	version int64
	muted   map[biz.UserID]bool // members, muted or not
	words   []Change            // of other nodes, on their way
}

const rememberedRoom = biz.RoomID("r")

func (r *remembering) room() (biz.Room, error) {
	return biz.Room{ID: rememberedRoom, Version: r.version, Members: len(r.muted)}, nil
}

func (r *remembering) member(user biz.UserID) (keptMember, error) {
	muted, ok := r.muted[user]
	if !ok {
		return keptMember{}, biz.ErrNotAMember(rememberedRoom, user)
	}
	return keptMember{biz.Member{Room: rememberedRoom, User: user, Muted: muted}, r.version}, nil
}

// change lets a user join, leave or be muted, on this node or another one.
func (r *remembering) change(t *rapid.T) {
	user := rapid.SampledFrom([]biz.UserID{"a", "b", "c"}).Draw(t, "user")
	_, in := r.muted[user]
	leaves := in && rapid.Bool().Draw(t, "leaves")
	r.version++
	if leaves {
		delete(r.muted, user)
	} else {
		r.muted[user] = in && !r.muted[user]
	}
	switch rapid.IntRange(0, 2).Draw(t, "who") {
	case 0:
		r.words = append(r.words, Change{rememberedRoom, user, r.version})
	case 1: // another node, of which no word comes
	case 2:
		room, _ := r.room()
		member := biz.Member{Room: rememberedRoom, User: user, Muted: r.muted[user]}
		r.meanwhile(t)
		if leaves {
			r.memory.left(memberKey{rememberedRoom, user}, room.Version)
		} else {
			r.memory.joined(room, member)
		}
	}
}

// meanwhile is what others do between a commit of this node and the moment at which it goes on.
func (r *remembering) meanwhile(t *rapid.T) {
	for range rapid.IntRange(0, 2).Draw(t, "before the node goes on") {
		r.step(t, 4)
	}
}

// hear lets a word arrive, any of those on their way, which may come again later.
func (r *remembering) hear(t *rapid.T) {
	if len(r.words) > 0 {
		r.memory.changed(rapid.SampledFrom(r.words).Draw(t, "word"))
	}
}

// commit is one of messages, which has read some of their senders anew.
func (r *remembering) commit(t *rapid.T) {
	g := &group{room: rememberedRoom, version: r.version, stored: rapid.Bool().Draw(t, "stored")}
	for _, user := range rapid.SliceOfDistinct(rapid.SampledFrom([]biz.UserID{"a", "b", "c"}), rapid.ID).Draw(t, "read anew") {
		if g.met == nil {
			g.met = make(map[biz.UserID]*biz.Member)
		}
		g.met[user] = nil
		if m, err := r.member(user); err == nil {
			g.met[user] = &m.Member
		}
	}
	r.meanwhile(t)
	r.memory.stored(g, aMoment)
}

// step does something, but not what the last ones are.
func (r *remembering) step(t *rapid.T, without int) {
	switch rapid.IntRange(0, 8-without).Draw(t, "step") {
	case 0:
		r.foreign(t)
	case 1, 2:
		r.hear(t)
	case 3:
		r.memory.forget(rememberedRoom)
	case 4:
		r.memory.saw(rememberedRoom, r.version)
	case 5:
		r.memory.forgetAll()
	case 6:
		r.commit(t)
	default:
		r.change(t)
	}
}

// foreign is a change by another node.
func (r *remembering) foreign(t *rapid.T) {
	user := rapid.SampledFrom([]biz.UserID{"a", "b", "c"}).Draw(t, "user")
	r.version++
	if muted, in := r.muted[user]; in && !muted {
		delete(r.muted, user)
	} else {
		r.muted[user] = !in
	}
	r.words = append(r.words, Change{rememberedRoom, user, r.version})
}

// ask reads a member as a send does. What it learns, it learns as of a version: if that is the present one, it
// is true.
func (r *remembering) ask(t *rapid.T, user biz.UserID) {
	loading := func() {
		if rapid.Bool().Draw(t, "something happens meanwhile") {
			r.step(t, 0)
		}
	}
	m, err := r.memory.membership(memberKey{rememberedRoom, user},
		func() (biz.Room, error) { room, err := r.room(); loading(); return room, err },
		func() (keptMember, error) { loading(); m, err := r.member(user); loading(); return m, err })
	if err != nil {
		return
	}
	if m.Version > r.version {
		t.Fatalf("%s is known as of version %d; the room has %d", user, m.Version, r.version)
	}
	if m.Version < r.version {
		return // the committer asks anew
	}
	if muted, in := r.muted[user]; !in || muted != m.Member.Muted {
		t.Fatalf("as of version %d %s is remembered as %+v; he is a member: %v, muted: %v", m.Version, user, m.Member, in, muted)
	}
}

// TestMemoryIsRightAsOfItsVersion: whatever this node and others change, and however late, often or out of order
// it hears of that, what it remembers is true as of the version that goes with it.
func TestMemoryIsRightAsOfItsVersion(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m, err := newMemory(Options{}.withDefaults())
		if err != nil {
			t.Fatal(err)
		}
		r := &remembering{memory: m, muted: map[biz.UserID]bool{"a": false, "b": false}}
		r.run(t)
	})
}

func (r *remembering) run(t *rapid.T) {
	for range rapid.IntRange(1, 600).Draw(t, "steps") {
		r.step(t, 0)
		r.ask(t, rapid.SampledFrom([]biz.UserID{"a", "b", "c"}).Draw(t, "sender"))
	}
}

// TestMemoryKeepsWhatAWordDoesNotConcern: a word of somebody who has left takes him alone.
func TestMemoryKeepsWhatAWordDoesNotConcern(t *testing.T) {
	t.Parallel()
	m, err := newMemory(Options{}.withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	r := &remembering{memory: m, muted: map[biz.UserID]bool{"a": false, "b": false}}
	loads := 0
	ask := func(user biz.UserID) (biz.Membership, error) {
		return m.membership(memberKey{rememberedRoom, user},
			func() (biz.Room, error) { loads++; return r.room() },
			func() (keptMember, error) { loads++; return r.member(user) })
	}
	for _, step := range []struct {
		what  string
		do    func()
		user  biz.UserID
		in    bool
		loads int
	}{
		{"first", func() {}, "a", true, 2},
		{"the next", func() {}, "b", true, 1},
		{"again", func() {}, "a", true, 0},
		{"b leaves elsewhere", func() { delete(r.muted, "b"); r.version++; m.changed(Change{rememberedRoom, "b", r.version}) }, "a", true, 0},
		{"he is asked for", func() {}, "b", false, 1},
		{"the word comes again", func() { m.changed(Change{rememberedRoom, "b", r.version}) }, "a", true, 0},
		{"a word is missed", func() { r.version += 2; m.changed(Change{rememberedRoom, "b", r.version}) }, "a", true, 2},
		{"the room has changed", func() { r.version++; m.changed(Change{Room: rememberedRoom, Version: r.version}) }, "a", true, 2},
		{"forgotten for nothing", func() { m.forget(rememberedRoom) }, "a", true, 1},
	} {
		step.do()
		loads = 0
		if _, err := ask(step.user); (err == nil) != step.in || loads != step.loads {
			t.Errorf("%s: %v after %d reads; want %d", step.what, err, loads, step.loads)
		}
	}
}

// TestMemoryOfAnotherNodesRoomEnds: without any word it is read again in time, and no member anew unless the
// version has changed.
func TestMemoryOfAnotherNodesRoomEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, err := newMemory(Options{Shared: true}.withDefaults())
		if err != nil {
			t.Fatal(err)
		}
		r := &remembering{memory: m, muted: map[biz.UserID]bool{"a": false}}
		for i, step := range []struct {
			after time.Duration
			rooms int
			users int
			do    func()
		}{
			{0, 1, 1, func() {}},
			{29 * time.Second, 0, 0, func() {}},
			{2 * time.Second, 1, 0, func() {}},
			{29 * time.Second, 0, 0, func() { r.version++ }},
			{2 * time.Second, 1, 1, func() {}},
			// A commit has seen the version.
			{29 * time.Second, 0, 0, func() { m.stored(&group{room: rememberedRoom, version: r.version, stored: true}, aMoment) }},
			{2 * time.Second, 0, 0, func() {}},
		} {
			time.Sleep(step.after)
			step.do()
			rooms, users := 0, 0
			_, err := m.membership(memberKey{rememberedRoom, "a"},
				func() (biz.Room, error) { rooms++; return r.room() },
				func() (keptMember, error) { users++; return r.member("a") })
			if err != nil || rooms != step.rooms || users != step.users {
				t.Errorf("step %d: %d and %d reads, %v; want %d and %d", i, rooms, users, err, step.rooms, step.users)
			}
		}
	})
}

var aMoment = time.Date(2031, 1, 2, 3, 4, 5, 0, time.UTC)
