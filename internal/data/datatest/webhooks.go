package datatest

import (
	"fmt"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// Webhooks is everything that is kept for webhooks.
type Webhooks interface {
	biz.WebhookQueue
	biz.WebhookGraveyard
	biz.WebhookBook
}

var webhookSuite = map[string]func(scene){
	"a lease is one node's":                  webhookLease,
	"a place moves from where it was read":   webhookPlaces,
	"what was before the webhook is left":    webhookSince,
	"rooms that are behind are found":        webhookBehind,
	"what is given up is known, and revived": webhookDead,
	"an operator rewinds":                    webhookRewind,
	"a room that was made anew begins anew":  webhookNewRoom,
	"strange rooms are apart":                webhookStrangeRooms,
}

func (s scene) hold(name, owner string, now time.Time) biz.WebhookLease {
	s.t.Helper()
	l, held, err := s.Webhooks.Hold(s.context(), biz.WebhookHold{Name: name, Owner: owner, Now: now, Until: now.Add(time.Minute)})
	if err != nil || !held {
		s.t.Fatalf("held %v, %v", held, err)
	}
	return l
}

func (s scene) place(l biz.WebhookLease, room biz.RoomID) biz.WebhookPlace {
	s.t.Helper()
	p, err := s.Webhooks.Place(s.context(), l, room)
	if err != nil {
		s.t.Fatal(err)
	}
	return p
}

func (s scene) moved(l biz.WebhookLease, moves ...biz.WebhookMove) []biz.RoomID {
	s.t.Helper()
	lost, err := s.Webhooks.Settle(s.context(), l, moves)
	if err != nil {
		s.t.Fatal(err)
	}
	return lost
}

// said says some things in a room, and returns the time before them.
func (s scene) said(room biz.RoomID, n int) {
	s.t.Helper()
	s.join(room, "u")
	for i := range n {
		s.mustAppend(text(room, "u", "", fmt.Sprint(i)))
	}
}

func (s scene) behind(l biz.WebhookLease) map[biz.RoomID]int64 {
	s.t.Helper()
	found := map[biz.RoomID]int64{}
	for after, over := biz.RoomID(""), false; !over; {
		b, err := s.Webhooks.Behind(s.context(), l, after)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, r := range b.Rooms {
			found[r.Room] = r.Messages
		}
		after, over = b.Next, b.Next == ""
	}
	return found
}

func webhookLease(s scene) {
	now := time.Now()
	first := s.hold("w", "one", now)
	again := s.hold("w", "one", now.Add(time.Second))
	s.equal("term of who had it", again.Term, first.Term)
	other := s.hold("w", "two", now.Add(time.Hour))
	if other.Term <= first.Term || !other.Since.Equal(first.Since) {
		s.t.Errorf("first %+v, then %+v", first, other)
	}
	s.said("r", 1)
	p := s.place(first, "r")
	if _, err := s.Webhooks.Settle(s.context(), first, []biz.WebhookMove{{From: p, To: 1}}); err == nil || biz.KindOf(err) != biz.KindUnavailable {
		s.t.Errorf("who has lost the lease notes something: %v", err)
	}
	if lost := s.moved(other, biz.WebhookMove{From: p, To: 1}); len(lost) > 0 {
		s.t.Errorf("lost %v", lost)
	}
	s.equal("head", s.place(other, "r").Head, int64(1))
	s.equal("nothing is behind", len(s.behind(other)), 0)
}

func webhookPlaces(s scene) {
	l := s.hold("w", "one", time.Now().Add(-time.Hour))
	s.said("r", 5)
	p := s.place(l, "r")
	s.equal("a new room", []any{p.Seq, p.Head, p.Mark == nil}, []any{int64(0), int64(5), true})
	s.equal("lost", len(s.moved(l, biz.WebhookMove{From: p, To: 2})), 0)
	s.equal("who comes from the old place", s.moved(l, biz.WebhookMove{From: p, To: 3}), []biz.RoomID{"r"})
	p = s.place(l, "r")
	s.equal("the place", p.Seq, int64(2))
	s.equal("lost", len(s.moved(l, biz.WebhookMove{From: p, To: 5})), 0)
	s.equal("lost", s.moved(l, biz.WebhookMove{From: p, To: 4}), []biz.RoomID{"r"})
	s.equal("the place", s.place(l, "r").Seq, int64(5))
	other := s.hold("another", "one", time.Now().Add(-time.Hour))
	s.equal("another webhook's", s.place(other, "r").Seq, int64(0))
	s.equal("no room", s.place(l, "nowhere").Head, int64(0))
}

func webhookSince(s scene) {
	s.said("r", 3)
	s.said("still", 3)
	l := s.hold("w", "one", time.Now())
	if found := s.behind(l); len(found) > 0 {
		s.t.Errorf("behind are %v", found)
	}
	s.said("r", 2)
	s.equal("behind", s.behind(l), map[biz.RoomID]int64{"r": 1})
	s.equal("it begins", s.place(l, "r").Seq, int64(3))
	s.equal("all of it is old", s.place(l, "still").Seq, int64(3))
}

func webhookBehind(s scene) {
	l := s.hold("w", "one", time.Now().Add(-time.Hour))
	s.said("a", 3)
	s.said("b", 2)
	s.said("c", 1)
	pa, pc := s.place(l, "a"), s.place(l, "c")
	s.moved(l, biz.WebhookMove{From: pa, To: 1}, biz.WebhookMove{From: pc, To: 1})
	s.equal("behind", s.behind(l), map[biz.RoomID]int64{"a": 2, "b": 1})
}

func webhookDead(s scene) {
	l := s.hold("w", "one", time.Now().Add(-time.Hour))
	s.said("r", 9)
	dead := func(from, to int64) biz.WebhookDead {
		return biz.WebhookDead{Webhook: "w", Room: "r", From: from, To: to, Died: aTime, Reason: "answered 500"}
	}
	s.moved(l, biz.WebhookMove{From: s.place(l, "r"), To: 9, Dead: []biz.WebhookDead{dead(2, 2), dead(4, 6)}})
	all, err := s.Webhooks.Dead(s.context(), "w", biz.WebhookDead{}, 10)
	s.equal("dead", fmt.Sprint(all, err), fmt.Sprint([]biz.WebhookDead{dead(2, 2), dead(4, 6)}, nil))
	all, err = s.Webhooks.Dead(s.context(), "w", all[0], 10)
	s.equal("behind the first", fmt.Sprint(all, err), fmt.Sprint([]biz.WebhookDead{dead(4, 6)}, nil))
	if wanted, err := s.Webhooks.Wanted(s.context(), "w", 10); err != nil || len(wanted) > 0 {
		s.t.Errorf("wanted are %v, %v", wanted, err)
	}
	n, err := s.Webhooks.Revive(s.context(), "w", "")
	s.equal("revived", fmt.Sprint(n, err), fmt.Sprint(4, nil))
	wanted, err := s.Webhooks.Wanted(s.context(), "w", 10)
	if err != nil || len(wanted) != 2 || !wanted[0].Again {
		s.t.Fatalf("wanted are %v, %v", wanted, err)
	}
	wanted[1].Reason = "answered 501"
	for i, delivered := range []bool{true, false} {
		if err := s.Webhooks.Buried(s.context(), wanted[i], delivered); err != nil {
			s.t.Fatal(err)
		}
	}
	infos, err := s.Webhooks.List(s.context())
	if err != nil || len(infos) != 1 || infos[0].Dead != 3 || infos[0].Owner != "one" {
		s.t.Errorf("%+v, %v", infos, err)
	}
	if err := s.Webhooks.Forget(s.context(), "w", aTime.Add(time.Second)); err != nil {
		s.t.Fatal(err)
	}
	if all, err := s.Webhooks.Dead(s.context(), "w", biz.WebhookDead{}, 10); err != nil || len(all) > 0 {
		s.t.Errorf("there is %v, %v", all, err)
	}
	_, err = s.Webhooks.Revive(s.context(), "another", "")
	s.wantKind(err, biz.KindNotFound)
}

func webhookRewind(s scene) {
	s.said("r", 2)
	l := s.hold("w", "one", time.Now())
	s.said("r", 4)
	s.said("new", 2)
	s.wantKind(s.Webhooks.Rewind(s.context(), "another", "r", 1), biz.KindNotFound)
	s.wantKind(s.Webhooks.Rewind(s.context(), "w", "nowhere", 1), biz.KindNotFound)
	rewind := func(room biz.RoomID, seq, want int64) {
		s.t.Helper()
		if err := s.Webhooks.Rewind(s.context(), "w", room, seq); err != nil {
			s.t.Fatal(err)
		}
		s.equal("the place", s.place(l, room).Seq, want)
	}
	rewind("r", 5, 2)   // its turn is still to come
	rewind("new", 2, 0) // here as well
	s.moved(l, biz.WebhookMove{From: s.place(l, "r"), To: 6})
	rewind("r", 4, 3)
	rewind("r", 6, 3)
	rewind("r", 1, 0) // from before the webhook
	s.moved(l, biz.WebhookMove{From: s.place(l, "r"), To: 6})
	replays := s.place(l, "r").Replays
	n, err := s.Webhooks.RewindTo(s.context(), "w", l.Since)
	s.equal("rewound", fmt.Sprint(n, err), fmt.Sprint(2, nil))
	s.equal("the place", s.place(l, "r").Seq, int64(2))
	s.equal("replays", s.place(l, "r").Replays, replays+1)
	n, err = s.Webhooks.RewindTo(s.context(), "w", time.Now().Add(time.Hour))
	s.equal("rewound", fmt.Sprint(n, err), fmt.Sprint(0, nil))
}

func webhookNewRoom(s scene) {
	l := s.hold("w", "one", time.Now().Add(-time.Hour))
	s.said("r", 5)
	s.moved(l, biz.WebhookMove{From: s.place(l, "r"), To: 5})
	if err := s.DropRoom("r"); err != nil {
		s.t.Fatal(err)
	}
	s.equal("there is no room", s.place(l, "r").Head, int64(0))
}

func webhookStrangeRooms(s scene) {
	l := s.hold("w", "one", time.Now().Add(-time.Hour))
	var moves []biz.WebhookMove
	for i, id := range strangeIDs {
		s.said(biz.RoomID(id), i+1)
		moves = append(moves, biz.WebhookMove{From: s.place(l, biz.RoomID(id)), To: int64(i + 1)})
	}
	s.equal("lost", len(s.moved(l, moves...)), 0)
	for i, id := range strangeIDs {
		s.equal(id, s.place(l, biz.RoomID(id)).Seq, int64(i+1))
	}
	s.equal("nothing is behind", len(s.behind(l)), 0)
}
