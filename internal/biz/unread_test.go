package biz_test

import (
	"testing"

	"github.com/game-im/hermod/internal/biz"
)

func TestMarkReadNeverGoesBack(t *testing.T) {
	t.Parallel()
	p := newPast("u")
	p.with("r", 2, 9)
	h := biz.NewHistory(p)
	for _, step := range []struct{ seq, read, unread int64 }{
		{0, 0, 7}, {1, 1, 7}, {5, 5, 4}, {3, 5, 4}, {9, 9, 0}, {0, 9, 0},
	} {
		got, err := h.MarkRead(t.Context(), u, "r", "", step.seq)
		want := biz.RoomState{Room: "r", Head: 9, Floor: 2, Read: step.read, Unread: int(step.unread)}
		if err != nil || got != want {
			t.Errorf("marked %d: %+v, %v; want %+v", step.seq, got, err, want)
		}
	}
}

func TestMarkReadRefusals(t *testing.T) {
	t.Parallel()
	p := newPast("u")
	p.with("r", 0, 9)
	p.with("fleeting", 0, 3).Persistent = false
	p.with("foreign", 0, 9).Member = false
	h := biz.NewHistory(p)
	service := biz.Identity{Roles: []string{biz.RoleService}}
	for name, test := range map[string]struct {
		by     biz.Identity
		room   biz.RoomID
		named  biz.UserID
		seq    int64
		reason string
	}{
		"above the head":          {u, "r", "", 10, "ABOVE_HEAD"},
		"negative":                {u, "r", "", -1, "INVALID_ARGUMENT"},
		"no room":                 {u, "", "", 1, "INVALID_ARGUMENT"},
		"no such room":            {u, "x", "", 1, "ROOM_NOT_FOUND"},
		"no member":               {u, "foreign", "", 1, "NOT_A_MEMBER"},
		"a service for no member": {service, "r", "x", 1, "NOT_A_MEMBER"},
		"a service for nobody":    {service, "r", "", 1, "INVALID_ARGUMENT"},
		"another user":            {u, "r", "x", 1, "FOREIGN_USER"},
		"where nothing is kept":   {u, "fleeting", "", 1, "ABOVE_HEAD"},
		"nobody":                  {biz.Identity{}, "r", "", 1, "INVALID_ARGUMENT"},
	} {
		if _, err := h.MarkRead(t.Context(), test.by, test.room, test.named, test.seq); err == nil || biz.AsError(err).Reason != test.reason {
			t.Errorf("%s: %v; want %s", name, err, test.reason)
		}
	}
	if got, err := h.MarkRead(t.Context(), service, "r", "u", 4); err != nil || got.Read != 4 {
		t.Errorf("a service for a member: %+v, %v", got, err)
	}
	if got, err := h.MarkRead(t.Context(), u, "fleeting", "", 0); err != nil || got != (biz.RoomState{Room: "fleeting"}) {
		t.Errorf("nothing of what is not kept: %+v, %v", got, err)
	}
}

// TestUnreadCountsOthers above the mark, the floor and the beginning of the membership, and looks no
// further than it has to.
func TestUnreadCountsOthers(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		room         biz.Standing
		own          func(int64) bool
		want, looked int
	}{
		"all":                      {biz.Standing{Head: 10}, nil, 10, 10},
		"above the mark":           {biz.Standing{Head: 10, Read: 8}, nil, 2, 2},
		"above the floor":          {biz.Standing{Head: 10, Read: 3, Floor: 7}, nil, 3, 3},
		"since he joined":          {biz.Standing{Head: 10, Read: 3, Floor: 7, Joined: 9}, nil, 1, 1},
		"not his own":              {biz.Standing{Head: 10}, func(seq int64) bool { return seq%2 == 0 }, 5, 10},
		"none":                     {biz.Standing{Head: 10, Read: 10}, nil, 0, 0},
		"to the bound":             {biz.Standing{Head: 100_000}, nil, 1000, 1000},
		"to the bound, among many": {biz.Standing{Head: 100_000}, func(seq int64) bool { return seq%4 > 0 }, 1000, 3997},
		"no further than that":     {biz.Standing{Head: 100_000}, func(seq int64) bool { return seq > 97_000 }, 1000, 4000},
		"hardly any":               {biz.Standing{Head: 100_000}, func(seq int64) bool { return seq > 100 }, 0, 5000},
	} {
		p := newPast("u")
		r := p.with("r", 0, 0)
		test.room.Room, test.room.Persistent, test.room.Member = "r", true, true
		r.Standing, r.own = test.room, test.own
		page, err := biz.NewHistory(p).Sync(t.Context(), u, biz.SyncRequest{Cursors: map[biz.RoomID]int64{"r": r.Head}})
		if err != nil || len(page.Snapshot) != 1 || page.Snapshot[0].Unread != test.want || p.looks > test.looked {
			t.Errorf("%s: %+v after a look at %d messages, %v; want %d", name, page.Snapshot, p.looks, err, test.want)
		}
	}
}
