package datatest

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// lasting sends a message that expires.
func (s scene) lasting(messages *biz.Messages, d time.Duration) (seq int64) {
	s.t.Helper()
	m := text("r", "u", "", "secret")
	m.Metadata, m.Mentions, m.ExpiresIn = map[string]string{"k": "v"}, []biz.UserID{"v"}, d
	return s.send(messages, m).Seq
}

// testExpiry: nobody reads the content of a message whose time is over, and the room is told once, whoever comes
// first of those that erase.
func testExpiry(s scene) {
	messages, revisions := s.revise()
	_, others := s.revise()
	s.join("r", "u")
	s.join("r", "v")
	s.lasting(messages, time.Hour)
	const short = 300 * time.Millisecond
	for range 5 {
		s.lasting(messages, short)
	}
	s.send(messages, text("r", "u", "", "y"))
	last := s.at(6)
	s.equal("expires", last.ExpiresAt, last.Time.Add(short))
	<-time.After(time.Until(last.ExpiresAt)) // as a reader's clock has it
	before := s.at(6)
	s.equal("before it is erased", describe(before), describe(&biz.Message{Seq: 6, Sender: "u", ExpiresAt: last.ExpiresAt, State: &biz.MessageState{
		Version: 1, Recalled: true, RecalledAt: last.ExpiresAt,
	}}))
	got := s.revised(revisions.Recall(s.context(), as("u"), biz.RecallRequest{Room: "r", Seq: 2}))
	s.equal("a recall that is late", s.at(got.Seq).Metadata, map[string]string{biz.MetaEventType: string(biz.EventExpired)})

	ctx, cancel := context.WithCancel(s.context())
	var running sync.WaitGroup
	for _, r := range []*biz.Revisions{revisions, others} {
		running.Go(func() {
			if err := r.Run(ctx); err != nil {
				s.t.Error(err)
			}
		})
	}
	for s.room("r").HeadSeq < 12 && s.context().Err() == nil {
		time.Sleep(5 * time.Millisecond)
	}
	s.send(messages, text("r", "u", "", "z"))
	cancel()
	running.Wait()
	s.equal("head", s.room("r").HeadSeq, int64(13))
	after := s.at(6)
	if after.State.RecallSeq < 8 || after.State.RecallSeq > 12 {
		s.t.Errorf("erased: %s", describe(after))
	}
	after.State.RecallSeq = 0
	s.equal("after it was erased", describe(after), describe(before))
	told := 0
	for _, m := range s.page("r", 7, 10) {
		if m.Metadata[biz.MetaEventType] == string(biz.EventExpired) {
			s.equal("who tells", m.Sender == "" || m.Seq == got.Seq, true)
			told++
		}
	}
	s.equal("told", told, 5)
	s.equal("what lasts", string(s.at(1).Content), "secret")
	due, err := s.Revisions.Due(s.context(), time.Now().Add(2*time.Hour), 10)
	if err != nil || len(due) != 1 || due[0] != (biz.Place{Room: "r", Seq: 1}) {
		s.t.Errorf("due: %v, %v", due, err)
	}
}

// testExpiryEdited: the event of an edit does not tell what a message says whose time is over, before that is erased and
// afterwards alike.
func testExpiryEdited(s scene) {
	messages, revisions := s.revise()
	s.join("r", "u")
	var seq int64
	var edited biz.Revised
	for d := 300 * time.Millisecond; ; d *= 2 { // on a slow machine its time may be over before the edit
		seq = s.lasting(messages, d)
		var err error
		edited, err = revisions.Edit(s.context(), as("u"), biz.EditRequest{Room: "r", Seq: seq, Content: []byte("newer"), Mentions: []biz.UserID{"w"}})
		if err == nil {
			break
		}
	}
	s.revised(revisions.Edit(s.context(), as("u"), biz.EditRequest{Room: "r", Seq: s.lasting(messages, time.Hour), Content: []byte("lasts")}))
	<-time.After(time.Until(s.at(seq).ExpiresAt))
	before := s.at(edited.Seq)
	s.equal("before it is erased", describe(before), describe(&biz.Message{
		Seq: edited.Seq, Sender: "u", Content: []byte("message_edited by  of map[]"), Metadata: map[string]string{biz.MetaEventType: string(biz.EventEdited)},
	}))
	s.equal("the event of one that lasts", strings.HasSuffix(string(s.at(edited.Seq+2).Content), `says "lasts"`), true)
	s.revised(revisions.Recall(s.context(), as("u"), biz.RecallRequest{Room: "r", Seq: seq}))
	s.equal("after it was erased", describe(s.at(edited.Seq)), describe(before))
}

// testExpiryGone: what was recalled, or is no longer kept, does not expire as well.
func testExpiryGone(s scene) {
	messages, revisions := s.revise()
	s.join("r", "u")
	s.lasting(messages, time.Hour)
	s.lasting(messages, time.Hour)
	s.revised(revisions.Recall(s.context(), as("u"), biz.RecallRequest{Room: "r", Seq: 1}))
	due, err := s.Revisions.Due(s.context(), time.Now().Add(2*time.Hour), 10)
	if err != nil || len(due) != 1 {
		s.t.Errorf("due: %v, %v", due, err)
	}
	if err := s.Purge(s.context(), time.Now(), biz.Retention{MaxMessages: 1}); err != nil {
		s.t.Fatal(err)
	}
	due, err = s.Revisions.Due(s.context(), time.Now().Add(2*time.Hour), 10)
	if err != nil || len(due) != 0 {
		s.t.Errorf("due: %v, %v", due, err)
	}
}

// testExpiryEnds: what was said in a room that is deleted waits to be cleared away, and is nothing to erase: those who
// erase would find it again and again, and nothing else behind it.
func testExpiryEnds(s scene) {
	messages, _ := s.revise()
	s.join("r", "u")
	s.lasting(messages, time.Hour)
	ended := s.room("r")
	ended.DeletedAt = time.Now()
	s.mustAppend(deed("r", "u", planning(biz.ActPlan{Room: &ended, Event: &biz.Event{Type: biz.EventRoomDeleted}})))
	due := func() []biz.Place {
		due, err := s.Revisions.Due(s.context(), time.Now().Add(2*time.Hour), 1)
		if err != nil {
			s.t.Fatal(err)
		}
		return due
	}
	s.equal("in no room", len(due()), 0)
	s.join("r", "u")
	s.equal("in one that was made again", len(due()), 0)
	seq := s.lasting(messages, time.Hour)
	s.equal("what is said there now", due(), []biz.Place{{Room: "r", Seq: seq}})
}

// testAboutGoes: what is known about a message goes with it when it has had its time.
func testAboutGoes(s scene) {
	messages, revisions := s.revise()
	s.join("r", "u")
	s.join("r", "v")
	a := s.record(1, "r", aTime)
	for range 2 {
		seq := s.lasting(messages, time.Hour)
		s.revised(revisions.React(s.context(), as("v"), biz.ReactRequest{Room: "r", Seq: seq, Reaction: "ok"}))
		s.revised(revisions.Edit(s.context(), as("u"), biz.EditRequest{Room: "r", Seq: seq, Content: []byte("y"), Mentions: []biz.UserID{"v"}}))
		s.play(messages, a)
	}
	about := func() [4]int {
		first, err1 := s.Revisions.Reactions(s.context(), "r", 1, 0, 10)
		second, err2 := s.Revisions.Reactions(s.context(), "r", 5, 0, 10)
		heard, err3 := s.Revisions.HeardIn(s.context(), "r", a)
		if err1 != nil || err2 != nil || err3 != nil {
			s.t.Fatal(err1, err2, err3)
		}
		return [4]int{len(first), len(second), len(heard), s.unreadMentions("v")}
	}
	s.equal("before", about(), [4]int{1, 1, 2, 2})
	if err := s.Purge(s.context(), time.Now(), biz.Retention{MaxMessages: 4}); err != nil {
		s.t.Fatal(err)
	}
	s.equal("after", about(), [4]int{0, 1, 1, 1})
	_, err := revisions.Edit(s.context(), as("u"), biz.EditRequest{Room: "r", Seq: 1, Content: []byte("z")})
	s.wantReason(err, "MESSAGE_NOT_FOUND")
	_, err = revisions.Reactions(s.context(), as("u"), biz.ReactionsRequest{Room: "r", Seq: 1})
	s.wantReason(err, "MESSAGE_NOT_FOUND")
}

func testExtrasConflict(s scene) {
	s.join("r", "u")
	s.mustAppend(text("r", "u", "", "first"))
	draft := func(change func(*biz.Draft)) *biz.Draft {
		d := text("r", "u", "id", "x")
		d.ReplyTo, d.Mentions, d.ExpiresIn = 1, []biz.UserID{"a"}, time.Hour
		change(d)
		return d
	}
	same := func(*biz.Draft) {}
	first := s.mustAppend(draft(same))
	again := s.mustAppend(draft(same))
	s.equal("again", [2]any{again.Duplicate, again.Seq}, [2]any{true, first.Seq})
	for _, change := range []func(*biz.Draft){
		func(d *biz.Draft) { d.ReplyTo = 0 }, func(d *biz.Draft) { d.Mentions = nil }, func(d *biz.Draft) { d.ExpiresIn = 0 },
		func(d *biz.Draft) { d.ReplyTo, d.Mentions, d.ExpiresIn = 0, nil, 0 },
	} {
		s.wantReason(s.append(draft(change)).err, "MESSAGE_ID_CONFLICT")
	}
}

func testNotPersistent(s scene) {
	messages, revisions := s.revise()
	_, err := s.Members.Join(s.context(), "fleeting", "u", func(biz.JoinState) (biz.JoinPlan, error) {
		return biz.JoinPlan{Create: &biz.Room{ID: "fleeting", Name: "n", CreatedAt: aTime, LastActive: aTime}, Member: biz.Member{Room: "fleeting", User: "u", Role: biz.RoleUser, JoinedAt: aTime}}, nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	_, err = revisions.Edit(s.context(), as("u"), biz.EditRequest{Room: "fleeting", Seq: 1})
	s.wantReason(err, "ROOM_NOT_PERSISTENT")
	_, err = revisions.Recall(s.context(), as("u"), biz.RecallRequest{Room: "fleeting", Seq: 1})
	s.wantReason(err, "ROOM_NOT_PERSISTENT")
	_, err = revisions.React(s.context(), as("u"), biz.ReactRequest{Room: "fleeting", Seq: 1, Reaction: "x"})
	s.wantReason(err, "ROOM_NOT_PERSISTENT")
	d := text("fleeting", "u", "", "x")
	d.ReplyTo = 1
	messages.Send(s.context(), as("u"), d, func(_ biz.Receipt, err error) { s.wantReason(err, "ROOM_NOT_PERSISTENT") })
	_, err = revisions.React(s.context(), as("u"), biz.ReactRequest{Room: "nowhere", Seq: 1, Reaction: "x"})
	s.wantReason(err, "ROOM_NOT_FOUND")
}
