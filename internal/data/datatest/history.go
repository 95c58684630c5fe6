package datatest

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/game-im/hermod/internal/biz"
)

var historySuite = map[string]func(scene){
	"standing of nobody":           testStandingOfNobody,
	"standing follows the log":     testStanding,
	"standings in order of bytes":  testStandings,
	"spans one after another":      testSpans,
	"spans from their ends":        testSpansBack,
	"spans end where bytes do":     testSpansBytes,
	"spans end where the log does": testSpansMissing,
	"unread are those of others":   testUnread,
	"unread are counted to a bound": func(s scene) {
		s.say("r", "a", 30)
		s.equal("bounded", s.unread("u", 7, span("r", 0, 30)), []int{7})
	},
	"unread of many rooms":     testUnreadMany,
	"unread of long rooms":     testUnreadLong,
	"marks never go back":      testMarks,
	"marks go with membership": testMarksLeave,
}

func span(room biz.RoomID, after, to int64) biz.Span {
	return biz.Span{Room: room, After: after, To: to}
}

// say has a user join a room and send n messages to it.
func (s scene) say(room biz.RoomID, user biz.UserID, n int) {
	s.t.Helper()
	s.join(room, user)
	var sent sync.WaitGroup
	for i := range n {
		sent.Add(1)
		s.Log.Append(text(room, user, "", fmt.Sprint(i)), func(_ biz.Receipt, err error) {
			if err != nil {
				s.t.Error(err)
			}
			sent.Done()
		})
	}
	sent.Wait()
}

func (s scene) standing(room biz.RoomID, user biz.UserID) biz.Standing {
	s.t.Helper()
	got, err := s.History.Standing(s.context(), room, user)
	if err != nil {
		s.t.Fatal(err)
	}
	return got
}

func testStandingOfNobody(s scene) {
	_, err := s.History.Standing(s.context(), "r", "u")
	s.wantKind(err, biz.KindNotFound)
	s.say("r", "a", 3)
	want := biz.Standing{Room: "r", Persistent: true, Head: 3}
	s.equal("of nobody", s.standing("r", ""), want)
	s.equal("of who is no member", s.standing("r", "A"), want)
	got, err := s.History.Standings(s.context(), "A", "", 10)
	if err != nil || len(got) != 0 {
		s.t.Fatalf("rooms of who is in none: %v, %v", got, err)
	}
}

func testStanding(s scene) {
	s.say("r", "a", 3)
	s.join("r", "u")
	s.equal("joined", s.standing("r", "u"), biz.Standing{Room: "r", Persistent: true, Head: 3, Member: true, Joined: 3})
	s.say("r", "a", 2)
	s.equal("later", s.standing("r", "u"), biz.Standing{Room: "r", Persistent: true, Head: 5, Member: true, Joined: 3})
	_, err := s.Members.Join(s.context(), "fleeting", "u", func(biz.JoinState) (biz.JoinPlan, error) {
		return biz.JoinPlan{Create: &biz.Room{Name: "n", CreatedAt: aTime, LastActive: aTime}, Member: biz.Member{JoinedAt: aTime}}, nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.equal("not persistent", s.standing("fleeting", "u"), biz.Standing{Room: "fleeting", Member: true})
}

func testStandings(s scene) {
	want := make([]biz.RoomID, 0, len(strangeIDs))
	for _, id := range strangeIDs {
		s.join(biz.RoomID(id), "u")
		s.join(biz.RoomID(id+"x"), "other")
		want = append(want, biz.RoomID(id))
	}
	slices.Sort(want)
	var got []biz.RoomID
	for after := biz.RoomID(""); ; {
		part, err := s.History.Standings(s.context(), "u", after, 4)
		if err != nil {
			s.t.Fatal(err)
		}
		if len(part) == 0 {
			break
		}
		for _, st := range part {
			got = append(got, st.Room)
			s.equal("standing", st, s.standing(st.Room, "u"))
		}
		after = part[len(part)-1].Room
	}
	s.equal("rooms", got, want)
}

func (s scene) messages(bytes int, spans ...biz.Span) []*biz.Message {
	s.t.Helper()
	got, err := s.History.Messages(s.context(), spans, bytes)
	if err != nil {
		s.t.Fatal(err)
	}
	return got
}

// seqs puts messages in a few words.
func seqs(messages []*biz.Message) string {
	var b strings.Builder
	for _, m := range messages {
		fmt.Fprintf(&b, "%s%d ", m.Room, m.Seq)
	}
	return b.String()
}

const plenty = 1 << 20

func testSpans(s scene) {
	const rooms = 40
	var spans []biz.Span
	var want strings.Builder
	for i := range rooms {
		room := biz.RoomID(fmt.Sprintf("r%02d", (i*7)%rooms))
		s.say(room, "a", 6)
		spans = append(spans, span(room, int64(i%3), 5))
		for seq := i%3 + 1; seq <= 5; seq++ {
			fmt.Fprintf(&want, "%s%d ", room, seq)
		}
	}
	got := s.messages(plenty, spans...)
	s.equal("messages", seqs(got), want.String())
	s.sameMessage(got[0], s.page(spans[0].Room, 0, 1)[0])
	s.equal("one", seqs(s.messages(plenty, spans[1])), seqs(s.page(spans[1].Room, 1, 4)))
}

func testSpansBack(s scene) {
	for _, room := range []biz.RoomID{"r", "s"} {
		s.say(room, "a", 9)
	}
	back := func(room biz.RoomID, after, to int64) biz.Span {
		return biz.Span{Room: room, After: after, To: to, Back: true}
	}
	s.equal("one", seqs(s.messages(plenty, back("r", 5, 8))), "r8 r7 r6 ")
	s.equal("several", seqs(s.messages(plenty, back("s", 6, 9), span("r", 0, 2), back("r", 1, 3))), "s9 s8 s7 r1 r2 r3 r2 ")
	s.equal("of bytes", seqs(s.messages(1, back("r", 5, 8))), "r8 ")
}

func testSpansBytes(s scene) {
	rooms := []biz.RoomID{"a", "b", "c"}
	for _, room := range rooms {
		s.join(room, "u")
		for range 3 {
			s.mustAppend(text(room, "u", "", strings.Repeat("x", 1000)))
		}
	}
	each := s.page("a", 0, 1)[0].Bytes()
	all := []biz.Span{span("a", 0, 3), span("b", 0, 3), span("c", 0, 3)}
	for n := 1; n <= 9; n++ {
		want := "a1 a2 a3 b1 b2 b3 c1 c2 c3 "[:3*n]
		s.equal(fmt.Sprintf("bytes of %d", n), seqs(s.messages(n*each, all...)), want)
		s.equal(fmt.Sprintf("less than those of %d", n+1), seqs(s.messages((n+1)*each-1, all...)), want)
	}
	s.equal("always one", seqs(s.messages(1, all...)), "a1 ")
}

func testSpansMissing(s scene) {
	s.say("r", "a", 3)
	s.say("s", "a", 3)
	s.equal("above the head", seqs(s.messages(plenty, span("r", 1, 9), span("s", 0, 2))), "r2 r3 ")
	s.equal("of a room that is not there", seqs(s.messages(plenty, span("q", 0, 1), span("s", 0, 2))), "")
	s.equal("from above the head down", seqs(s.messages(plenty, biz.Span{Room: "r", To: 4, Back: true})), "")
}

func (s scene) unread(user biz.UserID, most int, spans ...biz.Span) []int {
	s.t.Helper()
	got, err := s.History.Unread(s.context(), user, spans, most)
	if err != nil {
		s.t.Fatal(err)
	}
	return got
}

func testUnread(s scene) {
	for i, id := range strangeIDs {
		s.say("r", biz.UserID(id), 1+i%2)
	}
	head := s.room("r").HeadSeq
	for i, id := range strangeIDs {
		s.equal(id, s.unread(biz.UserID(id), 1000, span("r", 0, head)), []int{int(head) - 1 - i%2})
	}
	s.equal("a part", s.unread("u", 1000, span("r", 2, 5)), []int{3})
	s.equal("of nothing", s.unread("u", 1000, span("r", 5, 5)), []int{0})
}

func testUnreadMany(s scene) {
	const rooms = 37
	var spans []biz.Span
	var want []int
	for i := range rooms {
		room := biz.RoomID(fmt.Sprintf("r%02d", i))
		s.say(room, "a", 1+i%5)
		s.say(room, "u", 2)
		spans = append(spans, span(room, 0, int64(3+i%5)))
		want = append(want, 1+i%5)
	}
	s.equal("unread", s.unread("u", 1000, spans...), want)
}

// testUnreadLong: what takes long to count is counted a part at a time, and is remembered.
func testUnreadLong(s scene) {
	var spans []biz.Span
	for _, room := range []biz.RoomID{"a", "b", "c"} {
		s.say(room, "a", 600)
		s.say(room, "u", 100)
		s.say(room, "b", 500)
		spans = append(spans, span(room, 90, 1200))
	}
	for counted := 0; counted < len(spans); {
		got := s.unread("u", 1000, spans[counted:]...)
		if len(got) == 0 || counted == 0 && len(got) == len(spans) {
			s.t.Fatalf("%d counts of %d", len(got), len(spans)-counted)
		}
		for _, n := range got {
			s.equal("counted in parts", n, 1000)
		}
		counted += len(got)
	}
	for user, want := range map[biz.UserID]int{"a": 600, "b": 610, "u": 1000, "c": 1000} {
		s.equal(string(user), s.unread(user, 1000, spans...), []int{want, want, want})
	}
	s.equal("further", s.unread("u", 2000, span("a", 0, 1200)), []int{1100})
	s.say("a", "u", 1)
	s.say("a", "b", 300)
	s.equal("what came since", s.unread("u", 1000, span("a", 1190, 1501)), []int{310})
}

func (s scene) mark(room biz.RoomID, user biz.UserID, seq int64) {
	s.t.Helper()
	if err := s.History.MarkRead(s.context(), room, user, seq); err != nil {
		s.t.Fatal(err)
	}
}

func testMarks(s scene) {
	s.say("r", "a", 9)
	s.join("r", "u")
	s.join("s", "u")
	for _, step := range []struct{ seq, want int64 }{{5, 5}, {3, 5}, {9, 9}, {9, 9}, {0, 9}} {
		s.mark("r", "u", step.seq)
		s.equal(fmt.Sprintf("after %d", step.seq), s.standing("r", "u").Read, step.want)
	}
	s.equal("of another", s.standing("r", "a").Read, int64(0))
	s.equal("in another room", s.standing("s", "u").Read, int64(0))
	s.mark("nowhere", "u", 1)
	s.mark("r", "nobody", 1)
	s.equal("no membership comes of it", s.standing("r", "nobody").Member, false)

	var marking sync.WaitGroup
	for seq := range int64(50) {
		marking.Go(func() { s.mark("s", "u", seq) })
	}
	marking.Wait()
	s.equal("of many at a time the highest", s.standing("s", "u").Read, int64(49))
}

func testMarksLeave(s scene) {
	s.say("r", "a", 3)
	s.join("r", "u")
	s.mark("r", "u", 3)
	_, err := s.Members.Join(s.context(), "r", "u", func(state biz.JoinState) (biz.JoinPlan, error) {
		m := *state.Member
		m.Nickname = "another"
		return biz.JoinPlan{Member: m}, nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.equal("after another join", s.standing("r", "u").Read, int64(3))
	if left, err := s.Members.Leave(s.context(), "r", "u"); err != nil || !left {
		s.t.Fatalf("leave: %v, %v", left, err)
	}
	s.say("r", "a", 2)
	s.join("r", "u")
	s.equal("of the next membership", s.standing("r", "u"), biz.Standing{Room: "r", Persistent: true, Head: 5, Member: true, Joined: 5})
}
