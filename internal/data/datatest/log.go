package datatest

import (
	"bytes"
	"fmt"
	"strings"
	"sync"

	"github.com/game-im/hermod/internal/biz"
)

var logSuite = map[string]func(scene){
	"keeps everything":         testLogKeeps,
	"duplicates":               testLogDuplicates,
	"conflicts":                testLogConflicts,
	"many senders":             testLogMany,
	"one goroutine's order":    testLogOrder,
	"pages":                    testLogPages,
	"ids compare byte by byte": testLogIDs,
	"unknown room": func(s scene) {
		s.wantKind(s.append(text("nowhere", "u", "", "x")).err, biz.KindNotFound)
		s.equal("delivered", len(s.live.delivered("nowhere")), 0)
	},
}

func testLogKeeps(s scene) {
	s.join("r", "u")
	for _, d := range []*biz.Draft{
		{Message: biz.Message{
			Room: "r", Sender: "ü", ClientID: "c\"1", Type: biz.TypeRichText, Content: []byte{0, 1, 254, 255}, AckRequired: true,
			Metadata: map[string]string{"": "empty key", "k": "", "q": "\"<&>\u2028😀\n"},
		}, Origin: "session"},
		{Message: biz.Message{Room: "r", Sender: "u", Type: biz.TypeText}},
		text("r", "u", "", strings.Repeat("long ", 100_000)),
	} {
		receipt := s.mustAppend(d)
		if d.ID != receipt.ID || d.Seq != receipt.Seq || !d.Time.Equal(receipt.Time) || receipt.Duplicate {
			s.t.Fatalf("receipt %+v for message %s %d %v", receipt, d.ID, d.Seq, d.Time)
		}
		if seq, ok := biz.SeqOfMessageID(receipt.ID, "r"); !ok || seq != receipt.Seq {
			s.t.Fatalf("the id carries seq %d, %v", seq, ok)
		}
		page := s.page("r", receipt.Seq-1, 10)
		if len(page) != 1 {
			s.t.Fatalf("%d messages after %d", len(page), receipt.Seq-1)
		}
		s.sameMessage(page[0], &d.Message)
	}
}

func (s scene) sameMessage(got, want *biz.Message) {
	s.t.Helper()
	if !bytes.Equal(got.Content, want.Content) || !got.Time.Equal(want.Time) || len(got.Metadata) != len(want.Metadata) {
		s.t.Fatalf("got %+v\nwant %+v", got, want)
	}
	g, w := *got, *want
	g.Content, w.Content, g.Time, w.Time = nil, nil, want.Time, want.Time
	s.equal("message", g, w)
}

func testLogDuplicates(s scene) {
	s.join("r", "u")
	s.join("r2", "u")
	draft := func() *biz.Draft {
		d := text("r", "u", "id", "x")
		d.Metadata = map[string]string{"b": "2", "a": "1"}
		return d
	}
	first := s.mustAppend(draft())
	again := draft()
	again.AckRequired = true // not a part of what was said
	second := s.mustAppend(again)
	want := first
	want.Duplicate = true
	s.equal("receipt", second, want)
	s.equal("stored", len(s.page("r", 0, 10)), 1)
	s.equal("last active", s.room("r").LastActive.Equal(first.Time), true)
	s.equal("delivered", len(s.live.delivered("r")), 1)

	for _, other := range []*biz.Draft{text("r", "other", "id", "x"), text("r2", "u", "id", "x"), text("r", "u", "", "x"), text("r", "u", "", "x")} {
		if s.mustAppend(other).Duplicate {
			s.t.Fatalf("%+v is taken for a duplicate", other)
		}
	}
	s.equal("next seq", s.mustAppend(text("r", "u", "id2", "x")).Seq, int64(5))
}

func testLogConflicts(s scene) {
	s.join("r", "u")
	s.mustAppend(text("r", "u", "id", "x"))
	change := map[string]func(*biz.Message){
		"content":  func(m *biz.Message) { m.Content = []byte("y") },
		"type":     func(m *biz.Message) { m.Type = biz.TypeRichText },
		"metadata": func(m *biz.Message) { m.Metadata = map[string]string{"k": "v"} },
	}
	for name, fn := range change {
		d := text("r", "u", "id", "x")
		fn(&d.Message)
		o := s.append(d)
		if biz.KindOf(o.err) != biz.KindConflict || biz.AsError(o.err).Reason != "MESSAGE_ID_CONFLICT" {
			s.t.Errorf("other %s: %v", name, o.err)
		}
	}
	s.equal("next seq", s.mustAppend(text("r", "u", "", "z")).Seq, int64(2))
}

func testLogMany(s scene) {
	const rooms, senders, each = 4, 6, 30
	for r := range rooms {
		s.join(biz.RoomID(fmt.Sprintf("r%d", r)), "u")
	}
	var wg sync.WaitGroup
	for i := range senders {
		wg.Go(func() {
			for n := range each {
				room := biz.RoomID(fmt.Sprintf("r%d", n%rooms))
				d := text(room, biz.UserID(fmt.Sprintf("u%d", i)), fmt.Sprintf("id%d", n), "x")
				done := make(chan error, 1)
				s.Log.Append(d, func(_ biz.Receipt, err error) { done <- err })
				if err := <-done; err != nil {
					s.t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	total := 0
	for r := range rooms {
		total += s.checkContiguous(biz.RoomID(fmt.Sprintf("r%d", r)))
	}
	s.equal("total", total, senders*each)
}

// checkContiguous tells how many messages a room has.
func (s scene) checkContiguous(room biz.RoomID) int {
	s.t.Helper()
	stored, live := s.page(room, 0, 1000), s.live.delivered(room)
	if len(stored) != len(live) {
		s.t.Fatalf("%d stored and %d delivered", len(stored), len(live))
	}
	for i := range stored {
		if stored[i].Seq != int64(i+1) {
			s.t.Fatalf("place %d has seq %d", i+1, stored[i].Seq)
		}
		s.sameMessage(stored[i], &live[i])
	}
	return len(stored)
}

func testLogOrder(s scene) {
	s.join("r", "u")
	const n = 500
	var wg sync.WaitGroup
	wg.Add(n)
	for i := range n {
		s.Log.Append(text("r", "u", "", fmt.Sprint(i)), func(_ biz.Receipt, err error) {
			if err != nil {
				s.t.Error(err)
			}
			wg.Done()
		})
	}
	wg.Wait()
	for i, m := range s.live.delivered("r") {
		s.equal("content", string(m.Content), fmt.Sprint(i))
	}
	s.equal("count", s.checkContiguous("r"), n)
}

func testLogPages(s scene) {
	s.join("r", "u")
	s.join("s", "u")
	s.mustAppend(text("s", "u", "", "other room"))
	big := strings.Repeat("x", 300<<10)
	for range 3 {
		s.mustAppend(text("r", "u", "", big))
	}
	s.mustAppend(text("r", "u", "", "small"))
	if n := len(s.page("r", 0, 10)); n == 0 || n > 2 {
		s.t.Errorf("a page of large messages has %d of them", n)
	}
	s.equal("above the third", len(s.page("r", 3, 10)), 1)
	s.equal("at the head", len(s.page("r", 4, 10)), 0)
	s.equal("beyond the head", len(s.page("r", 1000, 10)), 0)
	s.equal("limited", len(s.page("r", 0, 1)), 1)
	s.equal("unknown room", len(s.page("nowhere", 0, 10)), 0)
}

func testLogIDs(s scene) {
	s.join("r", "u")
	for _, id := range strangeIDs {
		if s.mustAppend(text("r", "u", id, id)).Duplicate {
			s.t.Errorf("client id %q is taken for another", id)
		}
	}
	for _, id := range strangeIDs {
		if !s.mustAppend(text("r", "u", id, id)).Duplicate {
			s.t.Errorf("client id %q is forgotten", id)
		}
	}
}

func (s scene) page(room biz.RoomID, after int64, limit int) []*biz.Message {
	s.t.Helper()
	page, err := s.Log.Page(s.context(), room, after, limit)
	if err != nil {
		s.t.Fatal(err)
	}
	return page
}
