package datatest

import (
	"time"

	"github.com/game-im/hermod/internal/biz"
)

func testSearchChanges(s scene) {
	s.join("r", "u")
	s.speak("r", "u", "one apple", "one pear", "one plum", "one fig")
	s.index()
	s.change(1, "one cherry")
	s.change(2, "")
	s.change(4, "🍇")
	s.speak("r", "u", "one melon")
	s.change(8, "one lime") // edited before the index has seen it at all
	s.index()
	s.wantFound("u", biz.SearchRequest{Query: "one"}, "r8", "r3", "r1")
	s.wantFound("u", biz.SearchRequest{Query: "apple"})
	s.wantFound("u", biz.SearchRequest{Query: "cherry"}, "r1")
	s.wantFound("u", biz.SearchRequest{Query: "pear"})
	s.wantFound("u", biz.SearchRequest{Query: "melon"})
	s.wantFound("u", biz.SearchRequest{Query: "lime"}, "r8")
	s.wantFound("u", biz.SearchRequest{Query: "🍇"}, "r4")
	for word, known := range map[string]int{"one": 3, "apple": 0, "pear": 0, "fig": 0, "melon": 0, "cherry": 1} {
		s.wantKnown(word, known)
	}
	s.change(2, "back again")
	s.change(2, "")
	s.change(2, "and again")
	s.index()
	s.wantFound("u", biz.SearchRequest{Query: "again"}, "r2")
	s.wantKnown("back", 0)
}

// testSearchLate: what was recalled or edited is not found as it was, also while the index knows no better.
func testSearchLate(s scene) {
	s.join("r", "u")
	s.speak("r", "u", "secret one", "secret two", "secret three")
	s.index()
	s.change(2, "")
	s.change(3, "public")
	s.wantKnown("secret", 3)
	s.wantFound("u", biz.SearchRequest{Query: "secret"}, "r1")
	s.wantFound("u", biz.SearchRequest{Query: "secret", Limit: 1}, "r1")
	s.index()
	s.wantKnown("secret", 1)
}

func testSearchGone(s scene) {
	s.joinFor("brief", time.Hour)
	s.joinFor("long", 0)
	s.join("long", "u")
	s.speak("brief", "u", "hello", "hello", "hello")
	last := s.speak("long", "u", "hello")
	s.index()
	s.purge(last.Time.Add(2*time.Hour), biz.Retention{})
	s.wantFound("u", biz.SearchRequest{Query: "hello"}, "long1")
	s.index()
	s.wantKnown("hello", 1)
	s.speak("brief", "u", "hello")
	s.purge(last.Time.Add(4*time.Hour), biz.Retention{}) // before the index has seen it
	s.speak("brief", "u", "hello")
	s.index()
	s.wantFound("u", biz.SearchRequest{Query: "hello"}, "brief5", "long1")
	s.wantKnown("hello", 2)
}

// testSearchAnew: a room that was deleted and made again has nothing of the old one.
func testSearchAnew(s scene) {
	s.join("r", "u")
	s.speak("r", "u", "hello old", "hello older")
	s.index()
	s.mustDrop("r")
	s.index()
	made := func(at time.Time) {
		s.t.Helper()
		_, err := s.Members.Join(s.context(), "r", "u", func(biz.JoinState) (biz.JoinPlan, error) {
			return biz.JoinPlan{
				Create: &biz.Room{ID: "r", Config: biz.DefaultRoomConfig(), CreatedAt: at, LastActive: at},
				Member: biz.Member{Room: "r", User: "u", JoinedAt: at},
			}, nil
		})
		if err != nil {
			s.t.Fatal(err)
		}
	}
	made(aTime.Add(time.Hour))
	s.wantKnown("hello", 0)
	s.speak("r", "u", "hello new")
	s.index()
	s.wantFound("u", biz.SearchRequest{Query: "hello"}, "r1")
	s.mustDrop("r") // and made again before the index has noticed
	made(aTime.Add(2 * time.Hour))
	s.speak("r", "u", "bye", "bye")
	s.index()
	s.wantFound("u", biz.SearchRequest{Query: "hello"})
	s.wantFound("u", biz.SearchRequest{Query: "bye"}, "r2", "r1")
	s.wantKnown("hello", 0)
}

func (s scene) mustDrop(room biz.RoomID) {
	s.t.Helper()
	if err := s.DropRoom(room); err != nil {
		s.t.Fatal(err)
	}
}

func testSearchIncomplete(s scene) {
	s.join("r", "u")
	s.join("other", "u")
	s.join("foreign", "v")
	incomplete := func(rooms ...biz.RoomID) bool {
		s.t.Helper()
		page, err := s.finder().Find(s.context(), biz.Identity{User: "u"}, biz.SearchRequest{Query: "x", Rooms: rooms})
		if err != nil {
			s.t.Fatal(err)
		}
		return page.Incomplete
	}
	s.equal("nothing was said", incomplete(), false)
	s.speak("r", "u", "x")
	s.equal("something was said", incomplete(), true)
	s.equal("elsewhere", incomplete("other"), false)
	s.index()
	s.equal("indexed", incomplete(), false)
	s.speak("foreign", "v", "x")
	s.equal("of others", incomplete(), false)
	s.purge(s.speak("r", "u", "x").Time.Add(time.Minute), biz.Retention{MaxAge: time.Second})
	s.equal("deleted", incomplete(), false)
	s.speak("other", "u", "x")
	s.join("other", "late")
	page, err := s.finder().Find(s.context(), biz.Identity{User: "late"}, biz.SearchRequest{Query: "x"})
	if err != nil || page.Incomplete {
		s.t.Errorf("before he joined: %+v, %v", page, err)
	}
}
