package biz_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// findings is a biz.SearchRepo that finds every message of a room, whatever is asked for.
type findings struct {
	room    biz.RoomID
	head    int64
	asked   int
	looked  int
	stalls  bool
	behind  bool
	missing int64 // messages up to this seq are gone
}

func (s *findings) LookUp(ctx context.Context, l biz.LookUp) (found biz.Found, err error) {
	if s.stalls {
		<-ctx.Done()
		return biz.Found{}, ctx.Err()
	}
	s.asked++
	next := s.head
	if l.After.At != 0 {
		next = l.After.At - 1
	}
	for ; next > 0 && len(found.Places) < l.Limit; next-- {
		found.Places = append(found.Places, biz.SearchPlace{At: next, Room: s.room, Seq: next})
	}
	s.looked += len(found.Places)
	if next > 0 {
		found.Next = found.Places[len(found.Places)-1]
	}
	return found, nil
}

func (s *findings) Behind(context.Context, biz.UserID, []biz.RoomID) (bool, error) {
	return s.behind, nil
}

// every has something to say in every n-th message.
type every int64

func (n every) Text(m *biz.Message) string {
	if m.Seq%int64(n) == 0 {
		return "needle"
	}
	return "hay"
}

func (every) Changed(*biz.Message) int64 { return 0 }

func newSearch(s *findings, reader biz.MessageReader) *biz.Search {
	p := newPast("u")
	p.with(s.room, s.missing, s.head)
	return biz.NewSearch(s, p, reader, biz.SearchRules{Enabled: true})
}

// TestSearchWorkIsBounded: where words are common and what is meant is rare, a page ends before all has been read,
// and the pages together have everything.
func TestSearchWorkIsBounded(t *testing.T) {
	t.Parallel()
	s := &findings{room: "r", head: 9000}
	find := newSearch(s, every(1000))
	req := biz.SearchRequest{Query: "needle"}
	found, pages := 0, 0
	for {
		before := s.looked
		page, err := find.Find(t.Context(), u, req)
		if err != nil {
			t.Fatal(err)
		}
		if n := s.looked - before; n > 4000 {
			t.Fatalf("a page looked at %d messages", n)
		}
		for _, m := range page.Messages {
			if m.Seq%1000 != 0 {
				t.Errorf("found %d", m.Seq)
			}
		}
		found, pages = found+len(page.Messages), pages+1
		if req.Token = page.Next; req.Token == "" {
			break
		}
	}
	if found != 9 || pages < 4 {
		t.Errorf("%d messages on %d pages", found, pages)
	}
}

// TestSearchStopsWhereItHasEnough: a page asks for no more than it needs.
func TestSearchStopsWhereItHasEnough(t *testing.T) {
	t.Parallel()
	s := &findings{room: "r", head: 1_000_000}
	page, err := newSearch(s, every(1)).Find(t.Context(), u, biz.SearchRequest{Query: "needle"})
	if err != nil || len(page.Messages) != 20 || page.Messages[0].Seq != 1_000_000 || page.Next == "" || s.looked > 100 {
		t.Errorf("%d messages, %v, of %d", len(page.Messages), err, s.looked)
	}
	last, err := newSearch(&findings{room: "r", head: 20}, every(1)).Find(t.Context(), u, biz.SearchRequest{Query: "needle"})
	if err != nil || len(last.Messages) != 20 || last.Next != "" {
		t.Errorf("%d messages, %q, %v", len(last.Messages), last.Next, err)
	}
}

func TestSearchPassesOverWhatIsGone(t *testing.T) {
	t.Parallel()
	page, err := newSearch(&findings{room: "r", head: 50, missing: 47}, every(1)).Find(t.Context(), u, biz.SearchRequest{Query: "needle"})
	if err != nil || len(page.Messages) != 3 || page.Next != "" {
		t.Errorf("%d messages, %q, %v", len(page.Messages), page.Next, err)
	}
}

func TestSearchPagesByBytes(t *testing.T) {
	t.Parallel()
	find := newSearch(&findings{room: "r", head: 10}, every(1))
	req := biz.SearchRequest{Query: "needle", Bytes: 450} // of messages of 200
	var seqs []int64
	for pages := 1; ; pages++ {
		page, err := find.Find(t.Context(), u, req)
		if err != nil || len(page.Messages) > 2 {
			t.Fatalf("%d messages, %v", len(page.Messages), err)
		}
		for _, m := range page.Messages {
			seqs = append(seqs, m.Seq)
		}
		if req.Token = page.Next; req.Token == "" {
			break
		}
	}
	for i, seq := range seqs {
		if seq != int64(10-i) {
			t.Fatalf("found %v", seqs)
		}
	}
	if len(seqs) != 10 {
		t.Errorf("found %v", seqs)
	}
	one, err := find.Find(t.Context(), u, biz.SearchRequest{Query: "needle", Bytes: 1})
	if err != nil || len(one.Messages) != 1 {
		t.Errorf("of too few bytes: %d messages, %v", len(one.Messages), err)
	}
}

func TestSearchSaysWhatItMayLack(t *testing.T) {
	t.Parallel()
	for _, behind := range []bool{false, true} {
		page, err := newSearch(&findings{room: "r", head: 1, behind: behind}, every(1)).Find(t.Context(), u, biz.SearchRequest{Query: "needle"})
		if err != nil || page.Incomplete != behind || len(page.Messages) != 1 {
			t.Errorf("behind %v: %+v, %v", behind, page, err)
		}
	}
}

func TestSearchRefusals(t *testing.T) {
	t.Parallel()
	s := &findings{room: "r", head: 100}
	find := newSearch(s, every(1))
	first, err := find.Find(t.Context(), u, biz.SearchRequest{Query: "needle"})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	for name, test := range map[string]struct {
		by     biz.Identity
		req    biz.SearchRequest
		kind   biz.Kind
		reason string
	}{
		"nobody":           {biz.Identity{}, biz.SearchRequest{Query: "x"}, biz.KindInvalid, "INVALID_ARGUMENT"},
		"somebody else":    {biz.Identity{User: "v"}, biz.SearchRequest{User: "u", Query: "x"}, biz.KindPermissionDenied, "FOREIGN_USER"},
		"no query":         {u, biz.SearchRequest{}, biz.KindInvalid, "EMPTY_QUERY"},
		"symbols":          {u, biz.SearchRequest{Query: "?!"}, biz.KindInvalid, "EMPTY_QUERY"},
		"too many":         {u, biz.SearchRequest{Query: "x", Limit: 101}, biz.KindInvalid, "INVALID_ARGUMENT"},
		"too few":          {u, biz.SearchRequest{Query: "x", Limit: -1}, biz.KindInvalid, "INVALID_ARGUMENT"},
		"too many rooms":   {u, biz.SearchRequest{Query: "x", Rooms: make([]biz.RoomID, 65)}, biz.KindInvalid, "TOO_MANY_ROOMS"},
		"too many senders": {u, biz.SearchRequest{Query: "x", From: make([]biz.UserID, 65)}, biz.KindInvalid, "TOO_MANY_USERS"},
		"a nameless room":  {u, biz.SearchRequest{Query: "x", Rooms: []biz.RoomID{""}}, biz.KindInvalid, "INVALID_ARGUMENT"},
		"a long name":      {u, biz.SearchRequest{Query: "x", From: []biz.UserID{biz.UserID(strings.Repeat("x", 256))}}, biz.KindInvalid, "INVALID_ARGUMENT"},
		"backwards":        {u, biz.SearchRequest{Query: "x", Since: now, Until: now.Add(-1)}, biz.KindInvalid, "INVALID_ARGUMENT"},
		"no room":          {u, biz.SearchRequest{Query: "x", Rooms: []biz.RoomID{"nowhere"}}, biz.KindNotFound, "ROOM_NOT_FOUND"},
		"no member":        {biz.Identity{User: "v"}, biz.SearchRequest{Query: "x", Rooms: []biz.RoomID{"r"}}, biz.KindPermissionDenied, "NOT_A_MEMBER"},
		"another query":    {u, biz.SearchRequest{Query: "other", Token: first.Next}, biz.KindInvalid, "INVALID_PAGE_TOKEN"},
		"another sender":   {u, biz.SearchRequest{Query: "needle", From: []biz.UserID{"v"}, Token: first.Next}, biz.KindInvalid, "INVALID_PAGE_TOKEN"},
		"another's token":  {biz.Identity{User: "v"}, biz.SearchRequest{Query: "needle", Token: first.Next}, biz.KindInvalid, "INVALID_PAGE_TOKEN"},
		"a broken token":   {u, biz.SearchRequest{Query: "needle", Token: first.Next[1:]}, biz.KindInvalid, "INVALID_PAGE_TOKEN"},
		"a long token":     {u, biz.SearchRequest{Query: "needle", Token: strings.Repeat("A", 5000)}, biz.KindInvalid, "INVALID_PAGE_TOKEN"},
	} {
		_, err := find.Find(t.Context(), test.by, test.req)
		if e := biz.AsError(err); err == nil || e.Kind != test.kind || e.Reason != test.reason {
			t.Errorf("%s: %v", name, err)
		}
	}
	if page, err := find.Find(t.Context(), biz.Identity{User: "v"}, biz.SearchRequest{Query: "x"}); err != nil || len(page.Messages) > 0 || page.Next != "" {
		t.Errorf("of nobody's rooms: %+v, %v", page, err)
	}
	off := biz.NewSearch(s, newPast("u"), every(1), biz.SearchRules{})
	if _, err := off.Find(t.Context(), u, biz.SearchRequest{Query: "x"}); err == nil || biz.AsError(err).Reason != "SEARCH_DISABLED" {
		t.Errorf("without an index: %v", err)
	}
}

// TestSearchEnds when the index does not answer: with what can be done about it, unless the caller is the one who
// has no time.
func TestSearchEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		find := newSearch(&findings{room: "r", head: 1, stalls: true}, every(1))
		_, err := find.Find(t.Context(), u, biz.SearchRequest{Query: "x"})
		if e := biz.AsError(err); err == nil || e.Kind != biz.KindUnavailable || e.Reason != "SEARCH_TOO_BROAD" {
			t.Errorf("too slow: %v", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err = find.Find(ctx, u, biz.SearchRequest{Query: "x"}); err == nil || biz.KindOf(err) != biz.KindCanceled {
			t.Errorf("canceled: %v", err)
		}
	})
}
