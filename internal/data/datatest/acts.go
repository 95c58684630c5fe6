package datatest

import (
	"fmt"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

var actSuite = map[string]func(scene){
	"what is told has its place":      testActTold,
	"a refusal concerns nobody else":  testActRefused,
	"what a decision rests on":        testActState,
	"who would inherit":               testActHeir,
	"nothing is told":                 testActSilent,
	"each sees what was before":       testActOrder,
	"a repetition does nothing":       testActRepeated,
	"who is removed":                  testActRemoves,
	"who may come in":                 testActDoor,
	"the room changes":                testActRoom,
	"the room ends":                   testActEnds,
	"a room that keeps nothing":       testActNotKept,
	"what cannot be said is not done": testActUnspeakable,
	"unknown room": func(s scene) {
		s.wantKind(s.append(deed("nowhere", "u", muting("u"))).err, biz.KindNotFound)
	},
}

// act is an act made of functions.
type act struct {
	needs  biz.ActNeeds
	decide func(biz.ActState) (biz.ActPlan, error)
}

func (a act) Needs() biz.ActNeeds                        { return a.needs }
func (a act) Decide(s biz.ActState) (biz.ActPlan, error) { return a.decide(s) }

func deed(room biz.RoomID, sender biz.UserID, a biz.Act) *biz.Draft {
	return &biz.Draft{Message: biz.Message{Room: room, Sender: sender, Type: biz.TypeSystem}, Act: a}
}

// telling does nothing but tell.
func telling(event biz.EventType) act {
	return act{decide: func(s biz.ActState) (biz.ActPlan, error) {
		return biz.ActPlan{Event: &biz.Event{Type: event, By: s.Sender.User}}, nil
	}}
}

// muting mutes a member, who is not to be muted already.
func muting(user biz.UserID) act {
	return act{needs: biz.ActNeeds{Member: user}, decide: func(s biz.ActState) (biz.ActPlan, error) {
		switch {
		case s.Member == nil:
			return biz.ActPlan{}, biz.Errorf(biz.KindNotFound, "NOT_A_MEMBER", "there is no %s", user)
		case s.Member.Muted:
			return biz.ActPlan{}, biz.Errorf(biz.KindConflict, "MUTED", "%s is muted", user)
		}
		s.Member.Muted, s.Member.MutedUntil = true, aTime.Add(time.Hour)
		return biz.ActPlan{Member: s.Member, Event: &biz.Event{Type: biz.EventMuted, Member: s.Member}}, nil
	}}
}

// removing ends a membership.
func removing(user biz.UserID) act {
	return act{needs: biz.ActNeeds{Member: user}, decide: func(s biz.ActState) (biz.ActPlan, error) {
		if s.Member == nil {
			return biz.ActPlan{}, biz.Errorf(biz.KindNotFound, "NOT_A_MEMBER", "there is no %s", user)
		}
		return biz.ActPlan{Remove: user, Event: &biz.Event{Type: biz.EventKicked}}, nil
	}}
}

// planning does what it is told.
func planning(plan biz.ActPlan) act {
	return act{decide: func(biz.ActState) (biz.ActPlan, error) { return plan, nil }}
}

func testActTold(s scene) {
	s.join("r", "u")
	s.mustAppend(text("r", "u", "", "x"))
	d := deed("r", "u", telling(biz.EventRoomUpdated))
	d.ClientID, d.Content = "id", []byte("what it asked for")
	got := s.mustAppend(d)
	s.equal("seq", got.Seq, int64(2))
	s.mustAppend(text("r", "u", "", "y"))
	page := s.page("r", 1, 10)
	s.equal("messages", len(page), 2)
	told := page[0]
	s.equal("content", string(told.Content), "room_updated by u of map[]")
	s.equal("type", told.Type, biz.TypeSystem)
	s.equal("metadata", told.Metadata, map[string]string{biz.MetaEventType: "room_updated"})
	s.equal("client id", told.ClientID, "id")
	s.equal("id", told.ID, got.ID)
	s.checkContiguous("r")
}

func testActRefused(s scene) {
	s.join("r", "u")
	var outcomes []<-chan outcome
	for i := range 30 {
		outcomes = append(outcomes, s.start(text("r", "u", "", fmt.Sprint(i))), s.start(deed("r", "u", muting("nobody"))))
	}
	for i, c := range outcomes {
		o := <-c
		if i%2 == 0 {
			s.equal("sent", o.err, nil)
			continue
		}
		s.wantKind(o.err, biz.KindNotFound)
		s.equal("receipt", o.Receipt, biz.Receipt{})
	}
	s.equal("stored", s.checkContiguous("r"), 30)
	panics := act{decide: func(biz.ActState) (biz.ActPlan, error) { panic("on purpose") }}
	s.wantKind(s.append(deed("r", "u", panics)).err, biz.KindInternal)
	s.mustAppend(text("r", "u", "", "the log goes on"))
}

func (s scene) start(d *biz.Draft) <-chan outcome {
	done := make(chan outcome, 1)
	s.Log.Append(d, func(r biz.Receipt, err error) { done <- outcome{r, err} })
	return done
}

func testActState(s scene) {
	s.join("r", "u")
	s.join("r", "v")
	said := s.mustAppend(text("r", "u", "", "x"))
	var seen biz.ActState
	look := act{needs: biz.ActNeeds{Member: "v", Message: said.Seq}, decide: func(got biz.ActState) (biz.ActPlan, error) {
		seen = got
		return biz.ActPlan{}, nil
	}}
	s.mustAppend(deed("r", "u", look))
	s.equal("room", seen.Room.ID, biz.RoomID("r"))
	s.equal("head", seen.Room.HeadSeq, int64(1))
	s.equal("members", seen.Room.Members, 2)
	s.equal("sender", seen.Sender.User, biz.UserID("u"))
	s.equal("member", seen.Member.User, biz.UserID("v"))
	s.equal("message", string(seen.Message.Content), "x")
	if seen.Ban != nil || seen.Invitation != nil || seen.Now.IsZero() {
		s.t.Fatalf("%+v", seen)
	}
	look.needs = biz.ActNeeds{Member: "nobody", Message: 77}
	s.mustAppend(deed("r", "", look))
	if seen.Sender != nil || seen.Member != nil || seen.Message != nil {
		s.t.Fatalf("what is not there: %+v", seen)
	}
}

func testActHeir(s scene) {
	var got biz.UserID
	look := act{needs: biz.ActNeeds{Member: "u", Heir: "u"}, decide: func(state biz.ActState) (biz.ActPlan, error) {
		if got = ""; state.Heir != nil {
			got = state.Heir.User
		}
		return biz.ActPlan{}, nil
	}}
	heir := func(what string, want biz.UserID) {
		s.t.Helper()
		for _, sender := range []biz.UserID{"u", ""} {
			s.mustAppend(deed("r", sender, look))
			s.equal(what, got, want)
		}
	}
	s.join("elsewhere", "w")
	s.joinAs("elsewhere", "w", biz.RoleAdmin)
	s.join("r", "u")
	s.joinAs("r", "u", biz.RoleAdmin)
	heir("of who is alone", "")
	s.join("r", "z")
	s.join("r", "a")
	s.join("r", "b")
	heir("among users", "z")
	s.joinAs("r", "a", biz.RoleModerator)
	s.joinAs("r", "b", biz.RoleModerator)
	heir("among moderators", "a")
	s.joinAs("r", "b", biz.RoleAdmin)
	heir("beside an admin", "b")
	s.joinAs("r", "u", biz.RoleModerator)
	heir("of who is no admin", "")
}

func testActSilent(s scene) {
	s.join("r", "u")
	s.mustAppend(text("r", "u", "", "x"))
	d := deed("r", "u", planning(biz.ActPlan{Said: 1}))
	d.ClientID = "id"
	s.equal("seq", s.mustAppend(d).Seq, int64(1))
	again := deed("r", "u", planning(biz.ActPlan{Said: 7}))
	again.ClientID = "id"
	got := s.mustAppend(again)
	s.equal("first seq", got.Seq, int64(1))
	s.equal("duplicate", got.Duplicate, true)
	s.equal("next", s.mustAppend(text("r", "u", "", "y")).Seq, int64(2))
	s.equal("stored", s.checkContiguous("r"), 2)
}

// testActOrder: of what is appended at once, each is decided as if it came alone. Whoever is muted twice is not.
func testActOrder(s scene) {
	const users = 20
	for i := range users {
		s.join("r", userNo(i))
	}
	var muted, again, spoke []<-chan outcome
	for i := range users {
		m, err := s.Rooms.Speaker(s.context(), "r", userNo(i))
		if err != nil {
			s.t.Fatal(err)
		}
		speech := text("r", userNo(i), "", "may I")
		speech.Permit = biz.Permit{Required: true, Version: m.Version}
		muted = append(muted, s.start(deed("r", userNo(0), muting(userNo(i)))))
		again = append(again, s.start(deed("r", userNo(0), muting(userNo(i)))))
		spoke = append(spoke, s.start(speech))
	}
	for i := range users {
		s.equal("muted", (<-muted[i]).err, nil)
		s.wantKind((<-again[i]).err, biz.KindConflict)
		// MutedUntil is past: he may speak. What matters is that he was judged anew and the numbers have no holes.
		s.equal("spoke", (<-spoke[i]).err, nil)
		m, err := s.Members.Member(s.context(), "r", userNo(i))
		if err != nil || !m.Muted || !m.MutedUntil.Equal(aTime.Add(time.Hour)) {
			s.t.Fatalf("%+v, %v", m, err)
		}
	}
	s.equal("stored", s.checkContiguous("r"), 2*users)
}

func userNo(i int) biz.UserID { return biz.UserID(fmt.Sprintf("u%d", i)) }

func testActRepeated(s scene) {
	s.join("r", "u")
	s.join("r", "v")
	ask := func(content string) *biz.Draft {
		d := deed("r", "u", muting("v"))
		d.ClientID, d.Content = "id", []byte(content)
		return d
	}
	first := s.mustAppend(ask("v"))
	want := first
	want.Duplicate = true
	s.equal("receipt", s.mustAppend(ask("v")), want)
	s.wantKind(s.append(ask("w")).err, biz.KindConflict)
	s.equal("told", s.checkContiguous("r"), 1)
	refused := deed("r", "u", muting("nobody"))
	refused.ClientID = "id2"
	s.wantKind(s.append(refused).err, biz.KindNotFound)
	s.equal("a refusal takes no id", s.mustAppend(text("r", "u", "id2", "x")).Duplicate, false)
}

func testActRemoves(s scene) {
	s.join("r", "u")
	s.join("r", "v")
	m, err := s.Rooms.Speaker(s.context(), "r", "v")
	if err != nil {
		s.t.Fatal(err)
	}
	kick := s.start(deed("r", "u", removing("v")))
	speech := text("r", "v", "", "am I still here")
	speech.Permit = biz.Permit{Required: true, Version: m.Version}
	spoke := s.start(speech)
	s.equal("kicked", (<-kick).err, nil)
	s.wantKind((<-spoke).err, biz.KindPermissionDenied)
	s.wantKind(s.append(deed("r", "u", removing("v"))).err, biz.KindNotFound)
	_, err = s.Rooms.Speaker(s.context(), "r", "v")
	s.wantKind(err, biz.KindNotFound)
	s.equal("members", s.room("r").Members, 1)
	s.equal("told before he is taken off", s.live.left(), []biz.Member{{Room: "r", User: "v", JoinSeq: 1}})
	s.equal("joins again", s.join("r", "v").Fresh, true)
}

func testActDoor(s scene) {
	s.join("r", "u")
	now := time.Now().UTC().Truncate(time.Microsecond)
	state := func(user biz.UserID) (seen biz.ActState) {
		s.mustAppend(deed("r", "u", act{needs: biz.ActNeeds{Member: user}, decide: func(got biz.ActState) (biz.ActPlan, error) {
			seen = got
			return biz.ActPlan{}, nil
		}}))
		return seen
	}
	invited := biz.Invitation{Room: "r", User: "v", Inviter: "u", At: now}
	s.mustAppend(deed("r", "u", planning(biz.ActPlan{Invite: &invited})))
	s.equal("invitation", *state("v").Invitation, invited)
	for range 2 { // a ban takes the place of another, and of an invitation
		banned := biz.Ban{Room: "r", User: "v", By: "u", Reason: "ü", At: now, Until: now.Add(time.Hour)}
		s.mustAppend(deed("r", "u", planning(biz.ActPlan{Ban: &banned})))
		got := state("v")
		s.equal("ban", *got.Ban, banned)
		if got.Invitation != nil {
			s.t.Fatal("who is banned is still invited")
		}
	}
	if state("w").Ban != nil {
		s.t.Fatal("another is banned")
	}
	s.mustAppend(deed("r", "u", planning(biz.ActPlan{Unban: "v"})))
	if state("v").Ban != nil {
		s.t.Fatal("still banned")
	}
	over := biz.Ban{Room: "r", User: "v", At: now, Until: now.Add(-time.Second)}
	s.mustAppend(deed("r", "u", planning(biz.ActPlan{Ban: &over})))
	if state("v").Ban != nil {
		s.t.Fatal("a ban that is over is in force")
	}
}

func testActRoom(s scene) {
	s.join("r", "u")
	before := s.room("r")
	change := before
	change.Name, change.Description = "näme", "d"
	change.Config = biz.RoomConfig{MaxUsers: 3, MessageTTL: time.Hour, IdleTimeout: time.Minute, AutoTranscribe: true, InviteOnly: true}
	s.mustAppend(deed("r", "u", planning(biz.ActPlan{Room: &change, Event: &biz.Event{Type: biz.EventRoomUpdated}})))
	got := s.room("r")
	change.Config.Persistent = true // which cannot be changed
	s.equal("config", got.Config, change.Config)
	s.equal("name", got.Name+got.Description, "nämed")
	s.equal("version", got.Version, before.Version+1)
	s.equal("head", got.HeadSeq, int64(1))
}

func testActEnds(s scene) {
	s.join("r", "u")
	s.join("r", "v")
	s.mustAppend(text("r", "u", "", "x"))
	ended := s.room("r")
	ended.DeletedAt = time.Now()
	deleting := func() biz.Act {
		return planning(biz.ActPlan{Room: &ended, Event: &biz.Event{Type: biz.EventRoomDeleted}})
	}
	first, after := s.start(deed("r", "u", deleting())), s.start(text("r", "u", "", "too late"))
	o := <-first
	s.equal("deleted", o.err, nil)
	s.equal("it is not stored", o.Seq, int64(0))
	s.wantKind((<-after).err, biz.KindNotFound)
	s.wantKind(s.append(deed("r", "u", deleting())).err, biz.KindNotFound)
	live := s.live.delivered("r")
	s.equal("told", string(live[len(live)-1].Content), "room_deleted by  of map[]")
	_, err := s.Rooms.Room(s.context(), "r")
	s.wantKind(err, biz.KindNotFound)
	_, err = s.Rooms.Speaker(s.context(), "r", "u")
	s.wantKind(err, biz.KindNotFound)
	rooms, err := s.Members.RoomsOf(s.context(), "u")
	if err != nil || len(rooms) != 0 {
		s.t.Fatalf("%v, %v", rooms, err)
	}

	again := s.join("r", "w")
	s.equal("joins at the head", again.Member.JoinSeq, int64(1))
	s.equal("members", s.room("r").Members, 1)
	s.equal("no place is given out twice", s.mustAppend(text("r", "w", "", "y")).Seq, int64(2))
	s.equal("floor", s.room("r").FloorSeq, int64(1))
	if err := s.Purge(s.context(), time.Now(), biz.Retention{}); err != nil {
		s.t.Fatal(err)
	}
	s.equal("what was said before is gone", len(s.page("r", 0, 10)), 1)
	s.equal("who is there stays", s.room("r").Members, 1)
	if _, err := s.Members.Member(s.context(), "r", "w"); err != nil {
		s.t.Fatal(err)
	}
}

func testActNotKept(s scene) {
	_, err := s.Members.Join(s.context(), "live", "u", func(biz.JoinState) (biz.JoinPlan, error) {
		return biz.JoinPlan{
			Create: &biz.Room{ID: "live", CreatedAt: aTime, LastActive: aTime},
			Member: biz.Member{Room: "live", User: "u", Role: biz.RoleAdmin, JoinedAt: aTime},
		}, nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	d := deed("live", "u", muting("u"))
	d.ClientID = "id"
	got := s.mustAppend(d)
	s.equal("seq", got.Seq, int64(0))
	live := s.live.delivered("live")
	s.equal("told", len(live), 1)
	s.equal("id", live[0].ID, got.ID)
	m, err := s.Members.Member(s.context(), "live", "u")
	if err != nil || !m.Muted {
		s.t.Fatalf("%+v, %v", m, err)
	}
	s.equal("head", s.room("live").HeadSeq, int64(0))
	again := deed("live", "u", muting("u"))
	again.ClientID = "id"
	s.equal("duplicate", s.mustAppend(again).Duplicate, true)
}

func testActUnspeakable(s scene) {
	s.join("r", "u")
	s.wantKind(s.append(deed("r", "u", planning(biz.ActPlan{Remove: "u", Event: &biz.Event{Type: "unspeakable"}}))).err, biz.KindInternal)
	s.equal("members", s.room("r").Members, 1)
}
