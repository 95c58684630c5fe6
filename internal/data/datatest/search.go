package datatest

import (
	"context"
	"fmt"
	"math/rand/v2"
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

// wantKnown fails unless the index itself, whatever has become of the messages, knows as many for a word.
func (s scene) wantKnown(user biz.UserID, word string, want int) {
	s.t.Helper()
	terms := biz.SearchTerms("", "", word)
	found, err := s.Search.LookUp(s.context(), biz.LookUp{User: user, All: terms[2:], Limit: 1000})
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

// change does to a message what an edit or, without content, a recall does: its row is another, and an event
// tells so.
func (s scene) change(room biz.RoomID, seq int64, content string) {
	s.t.Helper()
	s.rewrite(room, seq, content)
	s.announce(room, seq)
}

func (s scene) rewrite(room biz.RoomID, seq int64, content string) {
	s.t.Helper()
	if err := s.Rewrite(room, seq, content); err != nil {
		s.t.Fatal(err)
	}
}

func (s scene) announce(room biz.RoomID, seq int64) {
	s.t.Helper()
	s.mustAppend(&biz.Draft{Message: biz.Message{Room: room, Type: biz.TypeSystem, Content: []byte(strconv.FormatInt(seq, 10))}})
}

func testSearchWords(s scene) {
	s.join("r", "u")
	said := []string{
		1:  "The quick brown fox jumps over the lazy dog",
		2:  "I am at the Café in Zürich; ÉCOLE is out",
		3:  "今天天气很好，我们去公园散步吧",
		4:  "我在北京大学学习 Golang 编程",
		5:  "東京タワーに行きました",
		6:  "안녕하세요 여러분, 반갑습니다",
		7:  "See you at 10:30 👍🏽 don't be late 🎉🎉",
		8:  "mail me: jane.doe@example.com or https://example.com/a-page?x=1",
		9:  "ＦＵＬＬ　ｗｉｄｔｈ ｶﾀｶﾅ",
		10: "a is to be or not to be, that is the question",
		11: "Привет, Ёжик! Straße und GROSSE STRASSE",
		12: "fox and dog, but brown before quick",
		13: "👨‍👩‍👧 family",
		14: "v2 of the file is at 3.14, ٣ and ①",
		15: "สวัสดีครับ ทุกคน",
		16: strings.Repeat("Donaudampfschifffahrt", 10) + " 你",
		17: "WWW en la com",
		18: "北大",
		19: "天 气",
	}
	s.speak("r", "u", said[1:]...)
	s.index()
	for query, want := range map[string]string{
		"fox":                  "r12 r1",
		"FOX":                  "r12 r1",
		"fox dog":              "r12 r1",
		"dog   fox":            "r12 r1",
		"quick brown":          "r12 r1",
		`"quick brown"`:        "r1",
		`"brown quick"`:        "",
		"“quick brown” lazy":   "r1",
		`"quick brown`:         "r1",
		"quick-brown":          "r1",
		"fo":                   "",
		"cat":                  "",
		"fox cat":              "",
		"cafe":                 "r2",
		"CAFÉ":                 "r2",
		"cafe\u0301":           "r2",
		"zurich":               "r2",
		"école":                "r2",
		"天气":                   "r3",
		"天":                    "r19 r3",
		"天 气":                  "r19 r3",
		"公园散步":                 "r3",
		"园散":                   "r3",
		"散步公园":                 "",
		"天气 公园":                "r3",
		"好我":                   "",
		`"好 我"`:                "r3",
		"北京大学":                 "r4",
		"北大":                   "r18",
		"golang":               "r4",
		"学习golang":             "r4",
		"golang 北京":            "r4",
		"東京":                   "r5",
		"タワー":                  "r5",
		"ワーに":                  "r5",
		"안녕":                   "r6",
		"여러분":                  "r6",
		"👍":                    "r7",
		"👍🏿":                   "r7",
		"🎉":                    "r7",
		"🎉🎉":                   "r7",
		"🎉🎉🎉":                  "",
		"don't":                "r7",
		"10:30":                "r7",
		"jane.doe@example.com": "r8",
		"doe":                  "r8",
		"https://example.com":  "r8",
		"example":              "r8",
		"com":                  "r17 r8",
		"full width":           "r9",
		"カタカナ":                 "r9",
		"ｶﾀ":                   "r9",
		"a":                    "r10 r8",
		"to be or not to be":   "r10",
		`"to be or not to be"`: "r10",
		`"not to be or"`:       "",
		"the":                  "r14 r10 r2 r1",
		"привет":               "r11",
		"ежик":                 "r11",
		"strasse":              "r11",
		"STRAẞE":               "r11",
		"👨‍👩‍👧":                "r13",
		"👩":                    "r13",
		"3.14":                 "r14",
		"1":                    "r14 r8",
		"สวัสดี":               "r15",
		"ทุกคน":                "r15",
		strings.Repeat("donaudampfschifffahrt", 10): "r16",
		strings.Repeat("donaudampfschifffahrt", 9):  "",
		"你":           "r16",
		"www en la":   "r17",
		"qwfox":       "",
		"fox OR cat":  "",
		"fox NOT dog": "",
		"fo*":         "",
		"-fox":        "r12 r1",
		"(fox) & !x":  "",
		"fox'; --":    "r12 r1",
	} {
		var ids []string
		if want != "" {
			ids = strings.Fields(want)
		}
		s.wantFound("u", biz.SearchRequest{Query: query}, ids...)
	}
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

func testSearchChanges(s scene) {
	s.join("r", "u")
	s.speak("r", "u", "one apple", "one pear", "one plum", "one fig")
	s.index()
	s.change("r", 1, "one cherry")
	s.change("r", 2, "")
	s.change("r", 4, "🍇")
	s.speak("r", "u", "one melon")
	s.change("r", 8, "one lime") // edited before the index has seen it at all
	s.index()
	s.wantFound("u", biz.SearchRequest{Query: "one"}, "r8", "r3", "r1")
	s.wantFound("u", biz.SearchRequest{Query: "apple"})
	s.wantFound("u", biz.SearchRequest{Query: "cherry"}, "r1")
	s.wantFound("u", biz.SearchRequest{Query: "pear"})
	s.wantFound("u", biz.SearchRequest{Query: "melon"})
	s.wantFound("u", biz.SearchRequest{Query: "lime"}, "r8")
	s.wantFound("u", biz.SearchRequest{Query: "🍇"}, "r4")
	for word, known := range map[string]int{"one": 3, "apple": 0, "pear": 0, "fig": 0, "melon": 0, "cherry": 1} {
		s.wantKnown("u", word, known)
	}
	s.change("r", 2, "back again")
	s.change("r", 2, "")
	s.change("r", 2, "and again")
	s.index()
	s.wantFound("u", biz.SearchRequest{Query: "again"}, "r2")
	s.wantKnown("u", "back", 0)
}

// testSearchLate: what was recalled or edited is not found as it was, also while the index knows no better.
func testSearchLate(s scene) {
	s.join("r", "u")
	s.speak("r", "u", "secret one", "secret two", "secret three")
	s.index()
	s.change("r", 2, "")
	s.change("r", 3, "public")
	s.wantKnown("u", "secret", 3)
	s.wantFound("u", biz.SearchRequest{Query: "secret"}, "r1")
	s.wantFound("u", biz.SearchRequest{Query: "secret", Limit: 1}, "r1")
	s.index()
	s.wantKnown("u", "secret", 1)
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
	s.wantKnown("u", "hello", 1)
	s.speak("brief", "u", "hello")
	s.purge(last.Time.Add(4*time.Hour), biz.Retention{}) // before the index has seen it
	s.speak("brief", "u", "hello")
	s.index()
	s.wantFound("u", biz.SearchRequest{Query: "hello"}, "brief5", "long1")
	s.wantKnown("u", "hello", 2)
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
	s.wantKnown("u", "hello", 0)
	s.speak("r", "u", "hello new")
	s.index()
	s.wantFound("u", biz.SearchRequest{Query: "hello"}, "r1")
	s.mustDrop("r") // and made again before the index has noticed
	made(aTime.Add(2 * time.Hour))
	s.speak("r", "u", "bye", "bye")
	s.index()
	s.wantFound("u", biz.SearchRequest{Query: "hello"})
	s.wantFound("u", biz.SearchRequest{Query: "bye"}, "r2", "r1")
	s.wantKnown("u", "hello", 0)
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

// testSearchBrokenOff: an indexer that ends at any moment is followed by one that goes on.
func testSearchBrokenOff(s scene) {
	const messages = 400
	s.join("r", "u")
	var want []string
	for i := range messages {
		s.speak("r", "u", fmt.Sprint("hello ", i))
		want = append(want, fmt.Sprint("r", i+1))
	}
	slices.Reverse(want)
	for try := 0; ; try++ {
		ctx, cancel := context.WithTimeout(s.context(), time.Duration(try)*3*time.Millisecond)
		err := s.CatchUp(ctx)
		cancel()
		if err == nil {
			break
		}
	}
	s.wantFound("u", biz.SearchRequest{Query: "hello", Limit: 100}, want...)
}

// testSearchTogether: several nodes index what several senders say, and all is found, once.
func testSearchTogether(s scene) {
	const rooms, each = 4, 40
	var sending sync.WaitGroup
	for i := range rooms {
		room := biz.RoomID(fmt.Sprint("r", i, "-"))
		s.join(room, "u")
		sending.Go(func() {
			for range each {
				if o := s.append(text(room, "u", "", "hello")); o.err != nil {
					s.t.Error(o.err)
				}
			}
		})
	}
	sent := make(chan struct{})
	var indexing sync.WaitGroup
	for range 2 {
		indexing.Go(func() {
			for over := false; !over; {
				select {
				case <-sent:
					over = true
				default:
				}
				if err := s.CatchUp(s.context()); err != nil {
					s.t.Error(err)
				}
			}
		})
	}
	sending.Wait()
	close(sent)
	indexing.Wait()
	found := s.find("u", biz.SearchRequest{Query: "hello", Limit: 100})
	s.equal("found", len(found), rooms*each)
	slices.Sort(found)
	s.equal("once", len(slices.Compact(found)), rooms*each)
}

// testSearchRandom compares what is found with what a look at every message finds.
func testSearchRandom(s scene) {
	const rooms, messages, queries = 4, 300, 150
	vocabulary := strings.Fields("red green blue the a is 红 红色 绿色 蓝天 😀 Zürich x1")
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // repeatable, and no secret
	words := func(most int) []string {
		picked := make([]string, 1+random.IntN(most))
		for i := range picked {
			picked[i] = vocabulary[random.IntN(len(vocabulary))]
		}
		return picked
	}
	type said struct {
		id    string
		words []string
	}
	var all []said
	for i := range rooms {
		s.join(biz.RoomID(fmt.Sprint("r", i, "-")), "u")
	}
	for range messages {
		room := biz.RoomID(fmt.Sprint("r", random.IntN(rooms), "-"))
		w := words(8)
		r := s.speak(room, "u", strings.Join(w, " "))
		all = append(all, said{fmt.Sprint(room, r.Seq), w})
	}
	s.index()
	slices.Reverse(all)
	for range queries {
		asked := words(3)
		phrase := random.IntN(2) == 0
		query := strings.Join(asked, " ")
		if phrase {
			query = `"` + query + `"`
		}
		var want []string
		for _, m := range all {
			if hasAll(m.words, asked, phrase) {
				want = append(want, m.id)
			}
		}
		s.wantFound("u", biz.SearchRequest{Query: query, Limit: 1 + random.IntN(100)}, want...)
	}
}

// hasAll knows that 红 is a part of 红色, and that nothing else in the vocabulary is a part of another.
func hasAll(words, asked []string, phrase bool) bool {
	var split []string
	for _, w := range words {
		split = append(split, characters(w)...)
	}
	if phrase {
		var one []string
		for _, w := range asked {
			one = append(one, characters(w)...)
		}
		return contains(split, one)
	}
	for _, w := range asked {
		if !contains(split, characters(w)) {
			return false
		}
	}
	return true
}

func characters(w string) []string {
	if r := []rune(w); len(r) == 2 && r[0] > 0x4e00 {
		return []string{string(r[0]), string(r[1])}
	}
	return []string{w}
}

func contains(words, run []string) bool {
	for i := range len(words) - len(run) + 1 {
		if slices.Equal(words[i:i+len(run)], run) {
			return true
		}
	}
	return false
}
