package biz_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/game-im/hermod/internal/biz"
)

var u = biz.Identity{User: "u"}

func to(seq int64) *int64 { return &seq }

// inShort puts a page in a few words: the first and last seq, floor, head, and whether there is more.
func inShort(p biz.HistoryPage) string {
	var b strings.Builder
	for i, m := range p.Messages {
		if i > 0 && m.Seq != p.Messages[i-1].Seq+1 {
			return fmt.Sprintf("%d follows %d", m.Seq, p.Messages[i-1].Seq)
		}
	}
	if n := len(p.Messages); n > 0 {
		fmt.Fprintf(&b, "%d-%d", p.Messages[0].Seq, p.Messages[n-1].Seq)
	} else {
		b.WriteString("nothing")
	}
	fmt.Fprintf(&b, " of %d-%d", p.Floor, p.Head)
	if p.More {
		b.WriteString(" and more")
	}
	return b.String()
}

func TestHistoryPages(t *testing.T) {
	t.Parallel()
	p := newPast("u")
	p.with("r", 100, 1000)
	p.with("empty", 0, 0)
	p.with("forgotten", 7, 7)
	p.with("fleeting", 0, 0).Persistent = false
	h := biz.NewHistory(p)
	for _, test := range []struct {
		name string
		req  biz.HistoryRequest
		want string
	}{
		{"the newest", biz.HistoryRequest{}, "951-1000 of 100-1000 and more"},
		{"of a length", biz.HistoryRequest{Limit: 500}, "501-1000 of 100-1000 and more"},
		{"before", biz.HistoryRequest{Before: to(501), Limit: 100}, "401-500 of 100-1000 and more"},
		{"before the oldest", biz.HistoryRequest{Before: to(121)}, "101-120 of 100-1000"},
		{"to the oldest", biz.HistoryRequest{Before: to(151)}, "101-150 of 100-1000"},
		{"before the first", biz.HistoryRequest{Before: to(101)}, "nothing of 100-1000"},
		{"below the floor", biz.HistoryRequest{Before: to(5)}, "nothing of 100-1000"},
		{"before nothing", biz.HistoryRequest{Before: to(0)}, "nothing of 100-1000"},
		{"before what is not yet", biz.HistoryRequest{Before: to(5000), Limit: 1}, "1000-1000 of 100-1000 and more"},
		{"after", biz.HistoryRequest{After: to(200), Limit: 100}, "201-300 of 100-1000 and more"},
		{"after the last but some", biz.HistoryRequest{After: to(990)}, "991-1000 of 100-1000"},
		{"to the last", biz.HistoryRequest{After: to(950)}, "951-1000 of 100-1000"},
		{"after the last", biz.HistoryRequest{After: to(1000)}, "nothing of 100-1000"},
		{"after what is not yet", biz.HistoryRequest{After: to(2000)}, "nothing of 100-1000"},
		{"after what is gone", biz.HistoryRequest{After: to(3)}, "101-150 of 100-1000 and more"},
		{"from the beginning", biz.HistoryRequest{After: to(0), Limit: 2}, "101-102 of 100-1000 and more"},
		{"of bytes", biz.HistoryRequest{After: to(200), Bytes: 2000}, "201-210 of 100-1000 and more"},
		{"of bytes, back", biz.HistoryRequest{Before: to(200), Bytes: 2000}, "190-199 of 100-1000 and more"},
		{"of too few bytes", biz.HistoryRequest{Bytes: 1}, "1000-1000 of 100-1000 and more"},
		{"an empty room", biz.HistoryRequest{Room: "empty"}, "nothing of 0-0"},
		{"a room of which nothing is left", biz.HistoryRequest{Room: "forgotten"}, "nothing of 7-7"},
		{"a room that keeps nothing", biz.HistoryRequest{Room: "fleeting", After: to(5)}, "nothing of 0-0"},
	} {
		if test.req.Room == "" {
			test.req.Room = "r"
		}
		page, err := h.Page(t.Context(), u, test.req)
		if got := inShort(page); err != nil || got != test.want {
			t.Errorf("%s: %s, %v; want %s", test.name, got, err, test.want)
		}
	}
}

func TestHistoryRefusals(t *testing.T) {
	t.Parallel()
	p := newPast("u")
	p.with("r", 0, 10)
	p.with("foreign", 0, 10).Member = false
	h := biz.NewHistory(p)
	for name, test := range map[string]struct {
		by     biz.Identity
		req    biz.HistoryRequest
		kind   biz.Kind
		reason string
	}{
		"no room":            {u, biz.HistoryRequest{}, biz.KindInvalid, "INVALID_ARGUMENT"},
		"a bad id":           {u, biz.HistoryRequest{Room: "a\x00"}, biz.KindInvalid, "INVALID_ARGUMENT"},
		"both sides":         {u, biz.HistoryRequest{Room: "r", After: to(1), Before: to(2)}, biz.KindInvalid, "INVALID_ARGUMENT"},
		"negative after":     {u, biz.HistoryRequest{Room: "r", After: to(-1)}, biz.KindInvalid, "INVALID_ARGUMENT"},
		"negative before":    {u, biz.HistoryRequest{Room: "r", Before: to(-1)}, biz.KindInvalid, "INVALID_ARGUMENT"},
		"negative limit":     {u, biz.HistoryRequest{Room: "r", Limit: -1}, biz.KindInvalid, "INVALID_ARGUMENT"},
		"too much":           {u, biz.HistoryRequest{Room: "r", Limit: biz.MaxHistory + 1}, biz.KindInvalid, "INVALID_ARGUMENT"},
		"no member":          {u, biz.HistoryRequest{Room: "foreign"}, biz.KindPermissionDenied, "NOT_A_MEMBER"},
		"no such room":       {u, biz.HistoryRequest{Room: "x"}, biz.KindNotFound, "ROOM_NOT_FOUND"},
		"another user":       {u, biz.HistoryRequest{Room: "r", User: "other"}, biz.KindPermissionDenied, "FOREIGN_USER"},
		"nobody":             {biz.Identity{}, biz.HistoryRequest{Room: "r"}, biz.KindUnauthenticated, "UNAUTHENTICATED"},
		"trusted, no member": {biz.Identity{Trusted: true}, biz.HistoryRequest{Room: "foreign", User: "u"}, biz.KindPermissionDenied, "NOT_A_MEMBER"},
	} {
		_, err := h.Page(t.Context(), test.by, test.req)
		if err == nil || biz.KindOf(err) != test.kind || biz.AsError(err).Reason != test.reason {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestMembersSeeWhatCameAfterThem: as what is delivered to them begins there. Who need not be a member
// sees all that is kept.
func TestMembersSeeWhatCameAfterThem(t *testing.T) {
	t.Parallel()
	p := newPast("u")
	p.with("r", 3, 10).Joined = 5
	h := biz.NewHistory(p)
	service := biz.Identity{User: "backend", Roles: []string{biz.RoleService}}
	for name, test := range map[string]struct {
		by    biz.Identity
		named biz.UserID
		want  string
	}{
		"a member":                          {u, "", "6-10 of 5-10"},
		"a service":                         {service, "", "4-10 of 3-10"},
		"a service for a member":            {service, "u", "6-10 of 5-10"},
		"a service for who is none":         {service, "x", "4-10 of 3-10"},
		"a trusted caller":                  {biz.Identity{Trusted: true}, "", "4-10 of 3-10"},
		"a trusted caller for a member":     {biz.Identity{Trusted: true}, "u", "6-10 of 5-10"},
		"a service that is a member itself": {biz.Identity{User: "u", Roles: []string{biz.RoleService}}, "", "4-10 of 3-10"},
	} {
		for _, req := range []biz.HistoryRequest{{}, {After: to(0)}, {Before: to(11)}} {
			req.Room, req.User = "r", test.named
			page, err := h.Page(t.Context(), test.by, req)
			if got := inShort(page); err != nil || got != test.want {
				t.Errorf("%s: %s, %v; want %s", name, got, err, test.want)
			}
		}
	}
	p.rooms["r"].Floor = 8
	if page, err := h.Page(t.Context(), u, biz.HistoryRequest{Room: "r"}); err != nil || inShort(page) != "9-10 of 8-10" {
		t.Errorf("above both: %s, %v", inShort(page), err)
	}
}

// TestHistoryBesideADeletion: what was about to be read may be gone by then.
func TestHistoryBesideADeletion(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		req   biz.HistoryRequest
		floor int64
		want  string
	}{
		{biz.HistoryRequest{After: to(10), Limit: 10}, 15, "16-25 of 15-100 and more"},
		{biz.HistoryRequest{After: to(10), Limit: 10}, 50, "51-60 of 50-100 and more"},
		{biz.HistoryRequest{After: to(10), Limit: 10}, 100, "nothing of 100-100"},
		{biz.HistoryRequest{Before: to(20), Limit: 10}, 50, "nothing of 50-100"},
		{biz.HistoryRequest{Before: to(20), Limit: 10}, 15, "16-19 of 0-100 and more"}, // the rest is found to be gone when it is asked for
	} {
		p := newPast("u")
		r := p.with("r", 0, 100)
		p.then = func() { r.Floor = test.floor }
		test.req.Room = "r"
		page, err := biz.NewHistory(p).Page(t.Context(), u, test.req)
		if got := inShort(page); err != nil || got != test.want {
			t.Errorf("%+v, floor %d: %s, %v; want %s", test.req, test.floor, got, err, test.want)
		}
	}
}

// TestHistoryGivesUp on a room that loses messages faster than they are read.
func TestHistoryGivesUp(t *testing.T) {
	t.Parallel()
	p := newPast("u")
	r := p.with("r", 0, 100)
	var lose func()
	lose = func() { r.Floor++; p.then = lose }
	p.then = lose
	_, err := biz.NewHistory(p).Page(t.Context(), u, biz.HistoryRequest{Room: "r", After: to(0)})
	if err == nil || biz.KindOf(err) != biz.KindUnavailable || biz.AsError(err).Reason != "HISTORY_SHIFTING" {
		t.Errorf("got %v", err)
	}
	_, err = biz.NewHistory(p).Sync(t.Context(), u, biz.SyncRequest{})
	if err == nil || biz.AsError(err).Reason != "HISTORY_SHIFTING" {
		t.Errorf("synchronised: %v", err)
	}
}
