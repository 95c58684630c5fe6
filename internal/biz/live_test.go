package biz_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// ears is a Teller and a Whereabouts that remember and answer.
type ears struct {
	told   []biz.Ephemeral
	states map[biz.UserID]biz.PresenceState
}

func (e *ears) DeliverEphemeral(m *biz.Ephemeral) { e.told = append(e.told, *m) }

func (e *ears) States(_ context.Context, users []biz.UserID) (states []biz.PresenceState) {
	for _, u := range users {
		state, ok := e.states[u]
		if !ok {
			state = biz.PresenceOffline
		}
		states = append(states, state)
	}
	return states
}

// speakers is a store whose memory of members may be older than what is stored.
type speakers struct {
	*store
	remembered map[biz.UserID]biz.Member
	asked      int // the store
}

func (s *speakers) Speaker(ctx context.Context, id biz.RoomID, user biz.UserID) (biz.Membership, error) {
	m, err := s.store.Speaker(ctx, id, user)
	if old, ok := s.remembered[user]; ok {
		m.Member, err = old, nil
	}
	return m, err
}

func (s *speakers) Memberships(ctx context.Context, user biz.UserID, rooms []biz.RoomID) ([]biz.Membership, error) {
	s.asked++
	return s.store.Memberships(ctx, user, rooms)
}

func TestEphemeralRefusals(t *testing.T) {
	t.Parallel()
	s := &speakers{store: newStore()}
	s.put(durable("r"), "u", "v")
	s.members["r"][1].Muted = true
	e := &ears{}
	tells := biz.NewEphemerals(s, e, biz.EphemeralRules{})
	service := biz.Identity{Roles: []string{biz.RoleService}}
	long := strings.Repeat("x", biz.MaxEphemeralData)
	for name, test := range map[string]struct {
		by     biz.Identity
		m      biz.Ephemeral
		reason string
	}{
		"no room":               {u, biz.Ephemeral{Kind: "typing"}, "INVALID_ARGUMENT"},
		"no such room":          {u, biz.Ephemeral{Room: "x", Kind: "typing"}, "ROOM_NOT_FOUND"},
		"no kind":               {u, biz.Ephemeral{Room: "r"}, "INVALID_ARGUMENT"},
		"a long kind":           {u, biz.Ephemeral{Room: "r", Kind: long[:biz.MaxEphemeralKind+1]}, "INVALID_ARGUMENT"},
		"a kind with NUL":       {u, biz.Ephemeral{Room: "r", Kind: "a\x00b"}, "INVALID_ARGUMENT"},
		"the server's own kind": {u, biz.Ephemeral{Room: "r", Kind: "read"}, "RESERVED_KIND"},
		"much data":             {u, biz.Ephemeral{Room: "r", Kind: "k", Data: map[string]string{"k": long}}, "DATA_TOO_LARGE"},
		"no text":               {u, biz.Ephemeral{Room: "r", Kind: "k", Data: map[string]string{"k": "\xff"}}, "INVALID_ARGUMENT"},
		"another user":          {u, biz.Ephemeral{Room: "r", User: "v", Kind: "k"}, "FOREIGN_USER"},
		"no member":             {biz.Identity{User: "w"}, biz.Ephemeral{Room: "r", Kind: "k"}, "NOT_A_MEMBER"},
		"muted":                 {biz.Identity{User: "v"}, biz.Ephemeral{Room: "r", Kind: "k"}, "MUTED"},
		"a service for a mute":  {service, biz.Ephemeral{Room: "r", User: "v", Kind: "k"}, "MUTED"},
		"a service for nobody":  {service, biz.Ephemeral{Room: "r", Kind: "k"}, "INVALID_ARGUMENT"},
	} {
		if err := tells.Send(t.Context(), test.by, &test.m); err == nil || biz.AsError(err).Reason != test.reason {
			t.Errorf("%s: %v, want %s", name, err, test.reason)
		}
	}
	if len(e.told) > 0 {
		t.Errorf("told %v", e.told)
	}
	m := biz.Ephemeral{Room: "r", Kind: long[:biz.MaxEphemeralKind], Data: map[string]string{"": long}, Origin: "s"}
	if err := tells.Send(t.Context(), u, &m); err != nil || len(e.told) != 1 || e.told[0].User != "u" || e.told[0].Origin != "s" || e.told[0].Time.IsZero() {
		t.Errorf("%v, told %v", err, e.told)
	}
}

// TestEphemeralsAskNoStore but before they refuse: what is remembered is enough to be let through.
func TestEphemeralsAskNoStore(t *testing.T) {
	t.Parallel()
	s := &speakers{store: newStore(), remembered: map[biz.UserID]biz.Member{"v": {Room: "r", User: "v", Muted: true}}}
	s.put(durable("r"), "u", "v")
	e := &ears{}
	tells := biz.NewEphemerals(s, e, biz.EphemeralRules{})
	for _, who := range []struct {
		user  biz.UserID
		asked int
	}{{"u", 0}, {"v", 1}} {
		s.asked = 0
		if err := tells.Send(t.Context(), biz.Identity{User: who.user}, &biz.Ephemeral{Room: "r", Kind: "typing"}); err != nil || s.asked != who.asked {
			t.Errorf("%s: %v, asked %d times", who.user, err, s.asked)
		}
	}
	if len(e.told) != 2 {
		t.Errorf("told %v", e.told)
	}
}

func TestEphemeralsHaveARate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newStore()
		s.put(durable("r"), "u", "v")
		e := &ears{}
		tells := biz.NewEphemerals(s, e, biz.EphemeralRules{PerSecond: 2, Burst: 3})
		send := func(user biz.UserID, n int) {
			for range n {
				if err := tells.Send(t.Context(), biz.Identity{User: user}, &biz.Ephemeral{Room: "r", Kind: "typing"}); err != nil {
					wantError(t, err, biz.KindResourceLimit, "RATE_LIMITED")
				}
			}
		}
		send("u", 10)
		send("v", 2)
		if len(e.told) != 5 {
			t.Errorf("%d were told, want 3 of one and 2 of the other", len(e.told))
		}
		time.Sleep(time.Second)
		send("u", 10)
		if len(e.told) != 7 {
			t.Errorf("%d a second later, want 2 more", len(e.told)-5)
		}
		tells.SetRules(biz.EphemeralRules{PerSecond: 1, Burst: 1})
		send("u", 10)
		if len(e.told) != 8 {
			t.Errorf("%d by other rules, want 1", len(e.told)-7)
		}
	})
}

// marks is a WatermarkRepo of members with numbers.
type marks []biz.Watermark

func (m marks) Watermarks(_ context.Context, _ biz.RoomID, after, seq int64, limit int) (page []biz.Watermark, next int64, err error) {
	for i, w := range m[after:] {
		if w.Read >= seq {
			page = append(page, w)
		}
		if len(page) == limit {
			return page, after + int64(i) + 1, nil
		}
	}
	return page, 0, nil
}

// TestMarkReadIsTold to the room, once for each time that the mark rises, and not where many would have to hear it.
func TestMarkReadIsTold(t *testing.T) {
	t.Parallel()
	p := newPast("u")
	p.with("r", 0, 9)
	p.with("many", 0, 9)
	s := newStore()
	s.put(durable("r"), "u", "v")
	s.put(durable("many"), "u", "v", "w")
	e := &ears{}
	w := biz.NewWatermarks(biz.NewHistory(p), marks(nil), s, s, e, biz.WatermarkRules{MaxTold: 2})
	for _, step := range []struct {
		room biz.RoomID
		seq  int64
		told string
	}{{"r", 3, "3"}, {"r", 3, ""}, {"r", 2, ""}, {"r", 9, "9"}, {"many", 5, ""}} {
		e.told = nil
		if _, err := w.MarkRead(t.Context(), u, step.room, "", step.seq); err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, m := range e.told {
			got += m.Data["seq"]
			if m.Kind != biz.EphemeralRead || m.User != "u" || m.Room != step.room || m.Origin != "" {
				t.Errorf("told %+v", m)
			}
		}
		if got != step.told {
			t.Errorf("marked %d in %s: told %q, want %q", step.seq, step.room, got, step.told)
		}
	}
	e.told = nil
	w.SetRules(biz.WatermarkRules{})
	if _, err := w.MarkRead(t.Context(), u, "many", "", 9); err != nil || len(e.told) > 0 {
		t.Errorf("told %v, %v where nothing is to be told", e.told, err)
	}
}

func TestReaders(t *testing.T) {
	t.Parallel()
	s := newStore()
	s.put(durable("r"), "u", "v")
	s.put(durable("q"), "u")
	m := marks{{User: "a", Read: 1}, {User: "b", Read: 5}, {User: "c", Read: 9}}
	w := biz.NewWatermarks(nil, m, s, s, &ears{}, biz.WatermarkRules{})
	ask := func(by biz.Identity, req biz.ReadersRequest) (biz.ReadersPage, error) {
		return w.Readers(t.Context(), by, req)
	}
	first, err := ask(u, biz.ReadersRequest{Room: "r", Limit: 2})
	if err != nil || len(first.Members) != 2 || first.Next == "" {
		t.Fatalf("%+v, %v", first, err)
	}
	last, err := ask(u, biz.ReadersRequest{Room: "r", Limit: 2, Token: first.Next})
	if err != nil || len(last.Members) != 1 || last.Next != "" {
		t.Errorf("%+v, %v", last, err)
	}
	if page, err := ask(u, biz.ReadersRequest{Room: "r", Seq: 5}); err != nil || len(page.Members) != 2 {
		t.Errorf("%+v, %v", page, err)
	}
	service := biz.Identity{Roles: []string{biz.RoleService}}
	if page, err := ask(service, biz.ReadersRequest{Room: "r"}); err != nil || len(page.Members) != 3 {
		t.Errorf("a service: %+v, %v", page, err)
	}
	for name, test := range map[string]struct {
		by     biz.Identity
		req    biz.ReadersRequest
		reason string
	}{
		"no member":                   {biz.Identity{User: "x"}, biz.ReadersRequest{Room: "r"}, "NOT_A_MEMBER"},
		"no room":                     {u, biz.ReadersRequest{}, "INVALID_ARGUMENT"},
		"no such room":                {u, biz.ReadersRequest{Room: "x"}, "ROOM_NOT_FOUND"},
		"no such room, for a service": {service, biz.ReadersRequest{Room: "x"}, "ROOM_NOT_FOUND"},
		"too many":                    {u, biz.ReadersRequest{Room: "r", Limit: biz.MaxReaders + 1}, "INVALID_ARGUMENT"},
		"negative limit":              {u, biz.ReadersRequest{Room: "r", Limit: -1}, "INVALID_ARGUMENT"},
		"negative seq":                {u, biz.ReadersRequest{Room: "r", Seq: -1}, "INVALID_ARGUMENT"},
		"another user":                {u, biz.ReadersRequest{Room: "r", User: "v"}, "FOREIGN_USER"},
		"nobody":                      {biz.Identity{}, biz.ReadersRequest{Room: "r"}, "UNAUTHENTICATED"},
		"a token of another room":     {u, biz.ReadersRequest{Room: "q", Token: first.Next}, "INVALID_PAGE_TOKEN"},
		"a token of another user":     {biz.Identity{User: "v"}, biz.ReadersRequest{Room: "r", Token: first.Next}, "INVALID_PAGE_TOKEN"},
		"no token":                    {u, biz.ReadersRequest{Room: "r", Token: "x"}, "INVALID_PAGE_TOKEN"},
	} {
		if _, err := ask(test.by, test.req); err == nil || biz.AsError(err).Reason != test.reason {
			t.Errorf("%s: %v, want %s", name, err, test.reason)
		}
	}
}

// acquaintances is an AcquaintanceRepo by what a store has.
type acquaintances struct {
	*store
	seen map[biz.UserID]time.Time
}

func (a *acquaintances) Acquainted(ctx context.Context, user biz.UserID, users []biz.UserID) (found []biz.UserID, err error) {
	for _, other := range users {
		shared := other == user
		for room := range a.members {
			_, mine := a.Member(ctx, room, user)
			_, his := a.Member(ctx, room, other)
			shared = shared || mine == nil && his == nil
		}
		if shared {
			found = append(found, other)
		}
	}
	return found, nil
}

func (a *acquaintances) LastSeen(_ context.Context, users []biz.UserID) (map[biz.UserID]time.Time, error) {
	found := map[biz.UserID]time.Time{}
	for _, user := range users {
		if at, ok := a.seen[user]; ok {
			found[user] = at
		}
	}
	return found, nil
}

// TestPresenceIsForThoseWhoShareARoom: of anybody else nothing is told, not even when he was last there.
func TestPresenceIsForThoseWhoShareARoom(t *testing.T) {
	t.Parallel()
	s := newStore()
	s.put(durable("r"), "u", "on", "away", "off")
	s.put(durable("q"), "stranger")
	seen := time.Now().Add(-time.Hour)
	a := &acquaintances{store: s, seen: map[biz.UserID]time.Time{"on": seen, "off": seen, "stranger": seen}}
	e := &ears{states: map[biz.UserID]biz.PresenceState{"on": biz.PresenceOnline, "away": biz.PresenceAway, "u": biz.PresenceOnline}}
	p := biz.NewPresences(e, a, s, s, biz.PresenceRules{MaxNamed: 10})
	asked := []biz.UserID{"stranger", "off", "on", "away", "on", "nobody", "u"}
	got, err := p.Of(t.Context(), u, "", asked)
	want := []biz.UserPresence{
		{User: "stranger"}, {User: "off", State: biz.PresenceOffline, LastSeen: seen}, {User: "on", State: biz.PresenceOnline},
		{User: "away", State: biz.PresenceAway}, {User: "nobody"}, {User: "u", State: biz.PresenceOnline},
	}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got  %v, %v\nwant %v", got, err, want)
	}
	got, err = p.Of(t.Context(), biz.Identity{Roles: []string{biz.RoleService}}, "", asked[:1])
	if err != nil || got[0].State != biz.PresenceOffline || !got[0].LastSeen.Equal(seen) {
		t.Errorf("a service: %v, %v", got, err)
	}
	many := make([]biz.UserID, biz.MaxPresenceUsers+1)
	for i := range many {
		many[i] = biz.UserID(fmt.Sprint(i))
	}
	_, err = p.Of(t.Context(), u, "", many)
	wantError(t, err, biz.KindInvalid, "INVALID_ARGUMENT")
	_, err = p.Of(t.Context(), u, "on", asked)
	wantError(t, err, biz.KindPermissionDenied, "FOREIGN_USER")
	_, err = p.Of(t.Context(), u, "", []biz.UserID{""})
	wantError(t, err, biz.KindInvalid, "INVALID_ARGUMENT")
}

func TestWatchFindsWhoMayBeHeardOf(t *testing.T) {
	t.Parallel()
	s := newStore()
	s.put(durable("small"), "u", "a", "b")
	s.put(durable("large"), "u", "c", "d", "e")
	s.put(durable("foreign"), "f")
	p := biz.NewPresences(&ears{}, &acquaintances{store: s}, s, s, biz.PresenceRules{MaxNamed: 3})
	got, err := p.Watch(t.Context(), "u", biz.Watching{Users: []biz.UserID{"c", "f", "a"}, Rooms: []biz.RoomID{"large", "small", "foreign", "large", "nowhere"}})
	if err != nil || !slices.Equal(got.Users, []biz.UserID{"a", "b", "c"}) || !slices.Equal(got.Counts, []biz.RoomID{"large"}) {
		t.Errorf("%+v, %v", got, err)
	}
	w := biz.Watching{Rooms: make([]biz.RoomID, biz.MaxPresenceRooms+1)}
	wantError(t, w.Check(), biz.KindInvalid, "INVALID_ARGUMENT")
	w = biz.Watching{Rooms: []biz.RoomID{""}}
	wantError(t, w.Check(), biz.KindInvalid, "INVALID_ARGUMENT")
}
