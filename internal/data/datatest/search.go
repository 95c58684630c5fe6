package datatest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

var searchSuite = map[string]func(scene){
	"words":                        testSearchWords,
	"whose rooms":                  testSearchScope,
	"filters":                      testSearchFilters,
	"pages":                        testSearchPages,
	"more rooms than can be named": testSearchManyRooms,
	"what changes":                 testSearchChanges,
	"an index that is late":        testSearchLate,
	"what is gone":                 testSearchGone,
	"a room made anew":             testSearchAnew,
	"what is not there yet":        testSearchIncomplete,
	"broken off":                   testSearchBrokenOff,
	"several indexers":             testSearchTogether,
	"at random":                    testSearchRandom,
}

// SearchReader reads contents as the suite writes them: text, and in SYSTEM messages the seq of what has changed.
type SearchReader struct{}

// Text implements biz.MessageReader.
func (SearchReader) Text(m *biz.Message) string {
	if m.Type != biz.TypeText {
		return ""
	}
	return string(m.Content)
}

// Changed implements biz.MessageReader.
func (SearchReader) Changed(m *biz.Message) int64 {
	seq, err := strconv.ParseInt(string(m.Content), 10, 64)
	if m.Type != biz.TypeSystem || err != nil {
		return 0
	}
	return seq
}

func (s scene) index() {
	s.t.Helper()
	if err := s.CatchUp(s.context()); err != nil {
		s.t.Fatal(err)
	}
}

func (s scene) finder() *biz.Search {
	return biz.NewSearch(s.Search, s.History, SearchReader{}, biz.SearchRules{Enabled: true})
}

// find is what a search finds on all its pages.
func (s scene) find(user biz.UserID, req biz.SearchRequest) (found []string) {
	s.t.Helper()
	finder := s.finder()
	for {
		page, err := finder.Find(s.context(), biz.Identity{User: user}, req)
		if err != nil {
			s.t.Fatalf("%+v: %v", req, err)
		}
		for _, m := range page.Messages {
			found = append(found, fmt.Sprintf("%s%d", m.Room, m.Seq))
		}
		if req.Token = page.Next; req.Token == "" {
			return found
		}
	}
}

func (s scene) wantFound(user biz.UserID, req biz.SearchRequest, want ...string) {
	s.t.Helper()
	if got := s.find(user, req); !slices.Equal(got, want) {
		s.t.Errorf("%q %+v: found %v, want %v", req.Query, req, got, want)
	}
}

// wantKnown fails unless the index itself, whatever has become of the messages, knows as many of u's for a word.
func (s scene) wantKnown(word string, want int) {
	s.t.Helper()
	terms := biz.SearchTerms("", "", word)
	found, err := s.Search.LookUp(s.context(), biz.LookUp{User: "u", All: terms[2:], Limit: 1000})
	if err != nil || len(found.Places) != want {
		s.t.Errorf("%q: the index has %v, %v; want %d", word, found.Places, err, want)
	}
}

func (s scene) speak(room biz.RoomID, user biz.UserID, texts ...string) (last biz.Receipt) {
	s.t.Helper()
	for _, said := range texts {
		last = s.mustAppend(text(room, user, "", said))
	}
	return last
}

// change does to a message of room r what an edit or, without content, a recall does: its row is another, and an
// event tells so.
func (s scene) change(seq int64, content string) {
	s.t.Helper()
	if err := s.Rewrite("r", seq, content); err != nil {
		s.t.Fatal(err)
	}
	s.mustAppend(&biz.Draft{Message: biz.Message{Room: "r", Type: biz.TypeSystem, Content: []byte(strconv.FormatInt(seq, 10))}})
}

func testSearchScope(s scene) {
	s.join("mine", "u")
	s.join("mine", "v")
	s.join("theirs", "v")
	s.speak("mine", "v", "hello one")
	s.speak("theirs", "v", "hello two")
	s.join("mine", "late")
	s.speak("mine", "u", "hello three")
	for _, room := range strangeIDs {
		s.join(biz.RoomID(room), "strange")
		s.speak(biz.RoomID(room), "strange", "odd")
	}
	s.index()
	hello := biz.SearchRequest{Query: "hello"}
	s.wantFound("u", hello, "mine2", "mine1")
	s.wantFound("v", hello, "mine2", "theirs1", "mine1")
	s.wantFound("late", hello, "mine2")
	s.wantFound("nobody", hello)
	s.wantFound("v", biz.SearchRequest{Query: "hello", Rooms: []biz.RoomID{"theirs"}}, "theirs1")
	for _, room := range strangeIDs {
		s.wantFound("strange", biz.SearchRequest{Query: "odd", Rooms: []biz.RoomID{biz.RoomID(room)}}, room+"1")
	}
	s.equal("of all", len(s.find("strange", biz.SearchRequest{Query: "odd"})), len(strangeIDs))
	_, err := s.finder().Find(s.context(), biz.Identity{User: "u"}, biz.SearchRequest{Query: "hello", Rooms: []biz.RoomID{"mine", "theirs"}})
	s.wantKind(err, biz.KindPermissionDenied)
	_, err = s.finder().Find(s.context(), biz.Identity{User: "u"}, biz.SearchRequest{Query: "hello", Rooms: []biz.RoomID{"nowhere"}})
	s.wantKind(err, biz.KindNotFound)
}

func testSearchFilters(s scene) {
	var at []time.Time
	for i := range 6 {
		room, user := biz.RoomID([]string{"a", "b"}[i%2]), biz.UserID([]string{"u", "v", "w"}[i%3])
		s.join(room, user)
		s.join(room, "u")
		at = append(at, s.speak(room, user, "hello").Time)
	}
	s.index()
	for _, test := range []struct {
		req  biz.SearchRequest
		want string
	}{
		{biz.SearchRequest{}, "b3 a3 b2 a2 b1 a1"},
		{biz.SearchRequest{Rooms: []biz.RoomID{"b"}}, "b3 b2 b1"},
		{biz.SearchRequest{From: []biz.UserID{"v"}}, "a3 b1"},
		{biz.SearchRequest{From: []biz.UserID{"v", "w", "x"}}, "b3 a3 a2 b1"},
		{biz.SearchRequest{Since: at[2]}, "b3 a3 b2 a2"},
		{biz.SearchRequest{Until: at[2]}, "a2 b1 a1"},
		{biz.SearchRequest{Since: at[1], Until: at[4], Rooms: []biz.RoomID{"a"}}, "a3 a2"},
		{biz.SearchRequest{Since: at[5].Add(time.Microsecond)}, ""},
		{biz.SearchRequest{Until: at[0].Add(-time.Microsecond)}, ""},
		{biz.SearchRequest{Until: at[0].Add(-24 * time.Hour)}, ""},
		{biz.SearchRequest{Since: at[5].Add(24 * time.Hour)}, ""},
	} {
		test.req.Query = "hello"
		s.wantFound("u", test.req, strings.Fields(test.want)...)
	}
}

func testSearchPages(s scene) {
	const each = 70 // more than are looked at at first
	s.join("a", "u")
	s.join("b", "u")
	var want []string
	for i := range each {
		s.speak("a", "u", fmt.Sprint("needle ", i))
		s.speak("b", "u", "needle")
		want = append(want, fmt.Sprint("a", i+1), fmt.Sprint("b", i+1))
	}
	s.index()
	slices.Reverse(want)
	for _, limit := range []int{1, 7, 2 * each / 10, 100} {
		s.wantFound("u", biz.SearchRequest{Query: "needle", Limit: limit}, want...)
	}
	s.wantFound("u", biz.SearchRequest{Query: "needle", Limit: 50, Bytes: 300}, want...)
	first, err := s.finder().Find(s.context(), biz.Identity{User: "u"}, biz.SearchRequest{Query: "needle", Limit: 100})
	if err != nil || len(first.Messages) != 100 || first.Next == "" {
		s.t.Fatalf("%d messages, %v", len(first.Messages), err)
	}
	s.speak("b", "u", "needle") // what comes meanwhile is on no later page, and moves none
	s.index()
	next, err := s.finder().Find(s.context(), biz.Identity{User: "u"}, biz.SearchRequest{Query: "needle", Limit: 100, Token: first.Next})
	if err != nil || len(next.Messages) != 2*each-100 || next.Next != "" {
		s.t.Fatalf("%d messages, then %q, %v", len(next.Messages), next.Next, err)
	}
	_, err = s.finder().Find(s.context(), biz.Identity{User: "u"}, biz.SearchRequest{Query: "other", Token: first.Next})
	s.wantKind(err, biz.KindInvalid)
}

func testSearchManyRooms(s scene) {
	const rooms = biz.MaxSearchRooms + 10
	var joining sync.WaitGroup
	for i := range rooms {
		joining.Go(func() { s.join(biz.RoomID(fmt.Sprint("r", i, "-")), "u") })
	}
	s.join("foreign", "v")
	joining.Wait()
	var want []string
	for i := range rooms {
		s.speak(biz.RoomID(fmt.Sprint("r", i, "-")), "u", "needle")
		s.speak("foreign", "v", "needle")
		want = append(want, fmt.Sprint("r", i, "-1"))
	}
	s.index()
	slices.Reverse(want)
	s.wantFound("u", biz.SearchRequest{Query: "needle"}, want...)
	s.wantFound("u", biz.SearchRequest{Query: "needle", Limit: 3}, want...)
}
