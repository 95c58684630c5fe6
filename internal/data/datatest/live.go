package datatest

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

var watermarkSuite = map[string]func(scene){
	"of members, in the order in which they joined": testWatermarks,
	"of those who have read so far":                 testWatermarksFrom,
	"page by page":                                  testWatermarksPaged,
}

func testWatermarks(s scene) {
	s.say("r", "c", 9)
	s.join("r", "a")
	s.join("r", "b")
	s.join("other", "a")
	s.mark("r", "a", 4)
	s.mark("other", "a", 0)
	s.Cursors.Advance(biz.Cursor{Room: "r", User: "a", Device: "phone", Delivered: 3})
	s.Cursors.Advance(biz.Cursor{Room: "r", User: "b", Device: "phone", Delivered: 5})
	s.Cursors.Advance(biz.Cursor{Room: "r", User: "b", Device: "tablet", Delivered: 7})
	s.Cursors.Advance(biz.Cursor{Room: "other", User: "b", Device: "phone", Delivered: 8})
	want := []biz.Watermark{{User: "c"}, {User: "a", Read: 4, Delivered: 4}, {User: "b", Delivered: 7}}
	var got []biz.Watermark
	for deadline := time.Now().Add(time.Minute); !slices.Equal(got, want) && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		var next int64 // cursors are written soon
		if got, next = s.watermarks("r", 0, 0); next != 0 {
			s.t.Errorf("there is more behind %d", next)
		}
	}
	s.equal("watermarks", got, want)
	none, next := s.watermarks("nowhere", 0, 0)
	s.equal("of no room", len(none)+int(next), 0)
	if _, err := s.Members.Leave(s.context(), "r", "a"); err != nil {
		s.t.Fatal(err)
	}
	s.equal("who has left is absent", readers(s.watermarks("r", 0, 0)), []biz.UserID{"c", "b"})
}

func testWatermarksFrom(s scene) {
	s.say("r", "c", 9)
	for seq, user := range []biz.UserID{"u0", "u1", "u2", "u3"} {
		s.join("r", user)
		s.mark("r", user, int64(seq))
	}
	s.equal("from 2", readers(s.watermarks("r", 0, 2)), []biz.UserID{"u2", "u3"})
	s.equal("from 9", len(readers(s.watermarks("r", 0, 9))), 0)
}

func testWatermarksPaged(s scene) {
	var want, got []biz.UserID
	for i := range 25 {
		user := biz.UserID(fmt.Sprintf("u%02d", 24-i))
		s.join("r", user)
		want = append(want, user)
	}
	after := int64(0)
	for range 100 {
		page, next := s.watermarks("r", after, 0)
		got = append(got, readers(page, next)...)
		if after = next; next == 0 {
			break
		}
	}
	s.equal("all of them", got, want)
}

func (s scene) watermarks(room biz.RoomID, after, seq int64) ([]biz.Watermark, int64) {
	s.t.Helper()
	page, next, err := s.Watermarks.Watermarks(s.context(), room, after, seq, 10)
	if err != nil {
		s.t.Fatal(err)
	}
	return page, next
}

func readers(page []biz.Watermark, _ int64) (users []biz.UserID) {
	for _, m := range page {
		users = append(users, m.User)
	}
	return users
}

var acquaintanceSuite = map[string]func(scene){
	"who share a room": testAcquainted,
	"last seen":        testLastSeen,
	"are forgotten":    testForgetSeen,
	"are remembered":   testRememberSeen,
}

func testAcquainted(s scene) {
	var many []biz.UserID
	for i := range 150 {
		user := biz.UserID(fmt.Sprint("m", i))
		if many = append(many, user); i%2 == 0 {
			s.join("large", user)
		}
	}
	s.join("large", "a")
	s.join("small", "a")
	s.join("small", "b")
	s.join("another", "c")
	s.equal("of a few", s.acquainted("a", "c", "b", "a", "nobody"), []biz.UserID{"b", "a"})
	s.equal("of one with himself", s.acquainted("nobody", "a", "nobody"), []biz.UserID{"nobody"})
	s.equal("of nobody", len(s.acquainted("a")), 0)
	got := s.acquainted("a", many...)
	s.equal("of many", len(got), 75)
	s.equal("in their order", got[0]+got[74], biz.UserID("m0m148"))
	if _, err := s.Members.Leave(s.context(), "small", "b"); err != nil {
		s.t.Fatal(err)
	}
	s.equal("no more", len(s.acquainted("a", "b")), 0)
}

func (s scene) acquainted(user biz.UserID, users ...biz.UserID) []biz.UserID {
	s.t.Helper()
	found, err := s.Acquaintances.Acquainted(s.context(), user, users)
	if err != nil {
		s.t.Fatal(err)
	}
	return found
}

func testLastSeen(s scene) {
	at := time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC)
	seen := func(what string, want map[biz.UserID]time.Time) {
		s.t.Helper()
		got, err := s.Acquaintances.LastSeen(s.context(), []biz.UserID{"a", "b", "never"})
		if err != nil {
			s.t.Fatal(err)
		}
		for user, t := range got {
			got[user] = t.UTC()
		}
		s.equal(what, got, want)
	}
	seen("nobody", map[biz.UserID]time.Time{})
	s.Acquaintances.Seen("a", at)
	seen("before it is written", map[biz.UserID]time.Time{"a": at})
	s.must(s.Acquaintances.Flush(s.context()))
	s.Acquaintances.Seen("a", at.Add(-time.Hour))
	s.Acquaintances.Seen("b", at)
	s.must(s.Acquaintances.Flush(s.context()))
	seen("the latest counts", map[biz.UserID]time.Time{"a": at, "b": at})
	s.Acquaintances.Seen("a", at.Add(time.Hour))
	s.must(s.Acquaintances.Flush(s.context()))
	seen("and goes on", map[biz.UserID]time.Time{"a": at.Add(time.Hour), "b": at})
}

// testForgetSeen has more users than a sweep looks at in one step, of whom it is over for every third, for none of
// those in the middle, and for some once more.
func testForgetSeen(s scene) {
	const users, life = 1700, 24 * time.Hour
	keep, now := biz.Retention{LastSeen: life}, aTime.Add(1000*time.Hour)
	all := make([]biz.UserID, users)
	want := map[biz.UserID]time.Time{}
	for i := range all {
		all[i] = biz.UserID(fmt.Sprintf("u%04d", i))
		at := now.Add(-life)
		if i%3 == 0 && (i < 500 || i >= 1100) {
			at = at.Add(-time.Second)
		} else {
			want[all[i]] = at
		}
		s.Acquaintances.Seen(all[i], at)
	}
	s.must(s.Acquaintances.Flush(s.context()))
	s.purge(now, keep)
	s.wantSeen(all, want)
	back := map[biz.UserID]time.Time{"u0000": now, "u0001": now}
	for user, at := range back { // one that was forgotten, and one that was not
		s.Acquaintances.Seen(user, at)
	}
	s.must(s.Acquaintances.Flush(s.context()))
	s.purge(now.Add(life), keep)
	s.wantSeen(all, back)
}

func testRememberSeen(s scene) {
	s.Acquaintances.Seen("a", aTime)
	s.must(s.Acquaintances.Flush(s.context()))
	s.purge(aTime.Add(100*365*24*time.Hour), biz.Retention{})
	s.wantSeen([]biz.UserID{"a", "b"}, map[biz.UserID]time.Time{"a": aTime})
}

// wantSeen fails unless the users were last there at these times, and of those who are not named nothing is known.
func (s scene) wantSeen(users []biz.UserID, want map[biz.UserID]time.Time) {
	s.t.Helper()
	got, err := s.Acquaintances.LastSeen(s.context(), users)
	if err != nil {
		s.t.Fatal(err)
	}
	if !maps.EqualFunc(got, want, time.Time.Equal) {
		s.t.Fatalf("%d users were seen, want %d", len(got), len(want))
	}
}
