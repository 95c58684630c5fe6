package biz_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/game-im/hermod/internal/biz"
)

// told puts a page in a few words.
func told(p biz.SyncPage) string {
	var b strings.Builder
	for _, r := range p.Rooms {
		b.WriteString(string(r.Room))
		if r.Reset {
			b.WriteString("!")
		}
		if n := len(r.Messages); n > 0 {
			fmt.Fprintf(&b, " %d-%d", r.Messages[0].Seq, r.Messages[n-1].Seq)
		}
		fmt.Fprintf(&b, " above %d, ", r.Floor)
	}
	for _, s := range p.Snapshot {
		fmt.Fprintf(&b, "%s=%d ", s.Room, s.Head)
	}
	if p.Next != "" {
		b.WriteString("...")
	}
	return strings.TrimRight(b.String(), ", ")
}

// synced asks for all pages, and calls between between them.
func synced(t *testing.T, h *biz.History, req biz.SyncRequest, between func()) (pages []string) {
	t.Helper()
	for {
		page, err := h.Sync(t.Context(), u, req)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, told(page))
		if page.Next == "" {
			return pages
		}
		if len(pages) > 1000 {
			t.Fatal("it does not end")
		}
		req.Token = page.Next
		between()
	}
}

func wantPages(t *testing.T, got []string, want ...string) {
	t.Helper()
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func still() {}

func TestSyncCursors(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		floor, joined, head int64
		cursor              int64 // negative: none
		want                string
	}{
		"without a cursor":            {0, 0, 5, -1, "r 1-5 above 0, r=5"},
		"without one, above a floor":  {2, 0, 5, -1, "r 3-5 above 2, r=5"},
		"without one, a later member": {2, 4, 5, -1, "r 5-5 above 4, r=5"},
		"behind":                      {0, 0, 5, 3, "r 4-5 above 0, r=5"},
		"with all":                    {0, 0, 5, 5, "r=5"},
		"at the floor":                {3, 0, 5, 3, "r 4-5 above 3, r=5"},
		"below the floor":             {3, 0, 5, 2, "r! 4-5 above 3, r=5"},
		"below the floor, at the end": {5, 0, 5, 2, "r! above 5, r=5"},
		"before he joined again":      {0, 4, 5, 2, "r! 5-5 above 4, r=5"},
		"above the head":              {1, 0, 5, 6, "r! 2-5 above 1, r=5"},
		"of nothing":                  {0, 0, 0, -1, "r=0"},
	} {
		p := newPast("u")
		p.with("r", test.floor, test.head).Joined = test.joined
		req := biz.SyncRequest{Cursors: map[biz.RoomID]int64{"not his": 3}}
		if test.cursor >= 0 {
			req.Cursors["r"] = test.cursor
		}
		if got := synced(t, biz.NewHistory(p), req, still); len(got) != 1 || got[0] != test.want {
			t.Errorf("%s: %q; want %q", name, got, test.want)
		}
	}
}

func TestSyncPages(t *testing.T) {
	t.Parallel()
	p := newPast("u")
	p.with("a", 0, 4)
	p.with("b", 0, 0)
	p.with("c", 1, 6)
	p.with("d", 0, 3)
	p.with("foreign", 0, 9).Member = false
	p.with("fleeting", 0, 0).Persistent = false
	h := biz.NewHistory(p)
	const last = "a=4 b=0 c=6 d=3 fleeting=0"
	wantPages(t, synced(t, h, biz.SyncRequest{}, still), "a 1-4 above 0, c 2-6 above 1, d 1-3 above 0, "+last)
	wantPages(t, synced(t, h, biz.SyncRequest{Limit: 5}, still),
		"a 1-4 above 0, c 2-2 above 1, ...", "c 3-6 above 1, d 1-1 above 0, ...", "d 2-3 above 0, "+last)
	wantPages(t, synced(t, h, biz.SyncRequest{Limit: 4}, still),
		"a 1-4 above 0, ...", "c 2-5 above 1, ...", "c 6-6 above 1, d 1-3 above 0, "+last)
	wantPages(t, synced(t, h, biz.SyncRequest{Bytes: 900, Cursors: map[biz.RoomID]int64{"a": 2, "d": 3}}, still),
		"a 3-4 above 0, c 2-3 above 1, ...", "c 4-6 above 1, "+last)
	wantPages(t, synced(t, h, biz.SyncRequest{Bytes: 1, Cursors: map[biz.RoomID]int64{"a": 2, "c": 6, "d": 3}}, still),
		"a 3-3 above 0, ...", "a 4-4 above 0, ...", "a=4 ...", "b=0 ...", "c=6 ...", "d=3 ...", "fleeting=0")
	if p.reads > 20 {
		t.Errorf("%d reads of messages", p.reads)
	}
}

// TestSyncReadsManyRoomsAtOnce: not one after another.
func TestSyncReadsManyRoomsAtOnce(t *testing.T) {
	t.Parallel()
	p := newPast("u")
	for i := range 500 {
		p.with(biz.RoomID(fmt.Sprintf("room-%03d", i)), 0, 2)
	}
	page, err := biz.NewHistory(p).Sync(t.Context(), u, biz.SyncRequest{Limit: 1000})
	if err != nil || len(page.Rooms) != 500 || p.reads > 8 {
		t.Errorf("%d rooms in %d reads, %v", len(page.Rooms), p.reads, err)
	}
}

// TestSyncEndsWhileOthersWrite: each room is brought up to the head that it had when its turn came, and
// the snapshot tells of what came later.
func TestSyncEndsWhileOthersWrite(t *testing.T) {
	t.Parallel()
	p := newPast("u")
	a, b := p.with("a", 0, 4), p.with("b", 0, 2)
	got := synced(t, biz.NewHistory(p), biz.SyncRequest{Limit: 3}, func() { a.Head += 10; b.Head += 3 })
	wantPages(t, got, "a 1-3 above 0, ...", "a 4-4 above 0, b 1-2 above 0, ...", "b 3-5 above 0, ...", "a=34 b=11")
}

// TestSyncBetweenThePages: rooms are joined and left, and lose their oldest messages.
func TestSyncBetweenThePages(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*past)
		want   []string
	}{
		"the room is left":            {func(p *past) { p.rooms["b"].Member = false }, []string{"a 1-1 above 0, b 1-2 above 0, ...", "c 1-2 above 0, a=1 c=2"}},
		"the room is gone":            {func(p *past) { delete(p.rooms, "b") }, []string{"a 1-1 above 0, b 1-2 above 0, ...", "c 1-2 above 0, a=1 c=2"}},
		"another room is left":        {func(p *past) { p.rooms["c"].Member = false }, []string{"a 1-1 above 0, b 1-2 above 0, ...", "b 3-4 above 0, a=1 b=4"}},
		"one that was read is left":   {func(p *past) { p.rooms["a"].Member = false }, []string{"a 1-1 above 0, b 1-2 above 0, ...", "b 3-4 above 0, c 1-1 above 0, ...", "c 2-2 above 0, b=4 c=2"}},
		"one is joined behind":        {func(p *past) { p.with("d", 7, 7) }, []string{"a 1-1 above 0, b 1-2 above 0, ...", "b 3-4 above 0, c 1-1 above 0, ...", "c 2-2 above 0, a=1 b=4 c=2 d=7"}},
		"one is joined before":        {func(p *past) { p.with("0", 7, 7) }, []string{"a 1-1 above 0, b 1-2 above 0, ...", "b 3-4 above 0, c 1-1 above 0, ...", "c 2-2 above 0, 0=7 a=1 b=4 c=2"}},
		"the floor rises, not so far": {func(p *past) { p.rooms["b"].Floor = 2 }, []string{"a 1-1 above 0, b 1-2 above 0, ...", "b 3-4 above 2, c 1-1 above 0, ...", "c 2-2 above 0, a=1 b=4 c=2"}},
		"the floor passes by":         {func(p *past) { p.rooms["b"].Floor = 3 }, []string{"a 1-1 above 0, b 1-2 above 0, ...", "b! 4-4 above 3, c 1-2 above 0, a=1 b=4 c=2"}},
		"left, and joined again":      {func(p *past) { p.rooms["b"].Joined, p.rooms["b"].Head = 9, 10 }, []string{"a 1-1 above 0, b 1-2 above 0, ...", "b! 10-10 above 9, c 1-2 above 0, a=1 b=10 c=2"}},
	} {
		p := newPast("u")
		p.with("a", 0, 1)
		p.with("b", 0, 4)
		p.with("c", 0, 2)
		once := test.change
		got := synced(t, biz.NewHistory(p), biz.SyncRequest{Limit: 3}, func() {
			if once != nil {
				once(p)
				once = nil
			}
		})
		if fmt.Sprint(got) != fmt.Sprint(test.want) {
			t.Errorf("%s:\n got %q\nwant %q", name, got, test.want)
		}
	}
}

// TestSyncBesideADeletion: what was about to be read may be gone by then.
func TestSyncBesideADeletion(t *testing.T) {
	t.Parallel()
	p := newPast("u")
	p.with("a", 0, 2)
	b := p.with("b", 0, 4)
	h := biz.NewHistory(p)
	p.then = func() { b.Floor = 2 }
	wantPages(t, synced(t, h, biz.SyncRequest{}, still), "a 1-2 above 0, ...", "b 3-4 above 2, a=2 b=4")
	p.then = func() { b.Floor = 3 }
	wantPages(t, synced(t, h, biz.SyncRequest{Cursors: map[biz.RoomID]int64{"a": 2, "b": 2}}, still), "b! 4-4 above 3, a=2 b=4")
}

// TestSyncCountsInParts: a snapshot that would take too long, or too much of a page, takes several.
func TestSyncCountsInParts(t *testing.T) {
	t.Parallel()
	p := newPast("u")
	cursors := make(map[biz.RoomID]int64)
	for i := range 300 {
		room := biz.RoomID(fmt.Sprintf("room-%03d", i))
		p.with(room, 0, 5000)
		cursors[room] = 5000
	}
	h := biz.NewHistory(p)
	seen := make(map[biz.RoomID]bool)
	req := biz.SyncRequest{Cursors: cursors}
	for pages := 1; ; pages++ {
		p.looks = 0
		page, err := h.Sync(t.Context(), u, req)
		if err != nil || p.looks > 21_000 || len(page.Rooms) > 0 || pages > 20 {
			t.Fatalf("page %d: %d rooms, a look at %d messages, %v", pages, len(page.Rooms), p.looks, err)
		}
		for _, s := range page.Snapshot {
			if seen[s.Room] || s.Unread != biz.MaxUnread {
				t.Errorf("%+v, seen before: %v", s, seen[s.Room])
			}
			seen[s.Room] = true
		}
		if req.Token = page.Next; page.Next == "" {
			break
		}
	}
	if len(seen) != 300 {
		t.Errorf("%d rooms", len(seen))
	}
}

func TestSyncRefusals(t *testing.T) {
	t.Parallel()
	p := newPast("u")
	p.with("r", 0, 9)
	h := biz.NewHistory(p)
	many := make(map[biz.RoomID]int64)
	for i := range biz.MaxCursors + 1 {
		many[biz.RoomID(fmt.Sprint(i))] = 1
	}
	for name, test := range map[string]struct {
		by     biz.Identity
		req    biz.SyncRequest
		kind   biz.Kind
		reason string
	}{
		"too many cursors":  {u, biz.SyncRequest{Cursors: many}, biz.KindInvalid, "TOO_MANY_CURSORS"},
		"a negative cursor": {u, biz.SyncRequest{Cursors: map[biz.RoomID]int64{"r": -1}}, biz.KindInvalid, "INVALID_ARGUMENT"},
		"a cursor of ''":    {u, biz.SyncRequest{Cursors: map[biz.RoomID]int64{"": 1}}, biz.KindInvalid, "INVALID_ARGUMENT"},
		"a bad id":          {u, biz.SyncRequest{Cursors: map[biz.RoomID]int64{"\xff": 1}}, biz.KindInvalid, "INVALID_ARGUMENT"},
		"a negative limit":  {u, biz.SyncRequest{Limit: -1}, biz.KindInvalid, "INVALID_ARGUMENT"},
		"too much":          {u, biz.SyncRequest{Limit: biz.MaxSync + 1}, biz.KindInvalid, "INVALID_ARGUMENT"},
		"another user":      {u, biz.SyncRequest{User: "x"}, biz.KindPermissionDenied, "FOREIGN_USER"},
		"nobody":            {nobody, biz.SyncRequest{}, biz.KindInvalid, "INVALID_ARGUMENT"},
		"a service without": {biz.Identity{Roles: []string{biz.RoleService}}, biz.SyncRequest{}, biz.KindInvalid, "INVALID_ARGUMENT"},
		"no token":          {u, biz.SyncRequest{Token: "nonsense"}, biz.KindInvalid, "INVALID_PAGE_TOKEN"},
	} {
		_, err := h.Sync(t.Context(), test.by, test.req)
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		wantError(t, err, test.kind, test.reason)
	}
	delete(many, "0")
	if page, err := h.Sync(t.Context(), backend, biz.SyncRequest{User: "u", Cursors: many}); err != nil || told(page) != "r 1-9 above 0, r=9" {
		t.Errorf("a service for a user, with as many cursors as there may be: %s, %v", told(page), err)
	}
}

// TestPageTokens: one is good for its user alone, and is refused with a reason when anything is not as it
// was given out.
func TestPageTokens(t *testing.T) {
	t.Parallel()
	p := newPast("u")
	p.with("räume", 0, 9)
	h := biz.NewHistory(p)
	page, err := h.Sync(t.Context(), u, biz.SyncRequest{Limit: 4})
	if err != nil || page.Next == "" {
		t.Fatalf("%+v, %v", page, err)
	}
	refused := func(what, token, why string, by biz.Identity) {
		t.Helper()
		_, err := h.Sync(t.Context(), by, biz.SyncRequest{Token: token})
		if err == nil || biz.AsError(err).Reason != "INVALID_PAGE_TOKEN" || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: %v", what, err)
		}
	}
	refused("another's", page.Next, "another user", biz.Identity{User: "U"})
	refused("a long one", strings.Repeat("A", 10_000), "longer", u)
	refused("a short one", "AQ", "not one", u)
	refused("with blanks", page.Next+" ", "not one", u)
	for i := range page.Next {
		refused("a part of one", page.Next[:i+1][:max(1, i)], "", u)
		for _, c := range "A9_" {
			if other := page.Next[:i] + string(c) + page.Next[i+1:]; other != page.Next {
				refused("a changed one", other, "", u)
			}
		}
	}
}
