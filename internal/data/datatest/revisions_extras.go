package datatest

import (
	"fmt"

	"github.com/game-im/hermod/internal/biz"
)

func testReplies(s scene) {
	messages, revisions := s.revise()
	s.join("r", "u")
	s.send(messages, text("r", "u", "", "x"))
	d := text("r", "u", "", "y")
	d.ReplyTo = 1
	s.send(messages, d)
	s.revised(revisions.Recall(s.context(), as("u"), biz.RecallRequest{Room: "r", Seq: 1}))
	s.equal("reply", s.at(2).ReplyTo, int64(1))
	above := text("r", "u", "id", "z")
	above.ReplyTo = 4
	s.wantReason(s.append(above).err, "ABOVE_HEAD")
	again := text("r", "u", "id", "z") // of which nothing was stored
	again.ReplyTo = 3
	s.equal("seq", s.mustAppend(again).Seq, int64(4))
	s.unbroken()
}

// unreadMentions is how many mentions the user has not read in room r.
func (s scene) unreadMentions(user biz.UserID) int {
	s.t.Helper()
	counts, err := s.History.Mentions(s.context(), user, []biz.RoomID{"r", "elsewhere"})
	if err != nil {
		s.t.Fatal(err)
	}
	return counts["r"]
}

func testMentions(s scene) {
	messages, revisions := s.revise()
	s.join("r", "u")
	s.join("r", "v")
	s.joinAs("r", "mod", biz.RoleModerator)
	mention := func(by biz.UserID, whom ...biz.UserID) int64 {
		s.t.Helper()
		d := text("r", by, "", "x")
		d.Mentions = whom
		return s.send(messages, d).Seq
	}
	mention("u", "v", "nobody")
	mention("v", "v", "u")
	third := mention("mod", biz.MentionAll, "v")
	mention("u")
	s.equal("of v", s.unreadMentions("v"), 2)
	s.equal("of u", s.unreadMentions("u"), 2)
	s.equal("of the moderator", s.unreadMentions("mod"), 0)
	s.equal("of who was mentioned before he came", func() int { s.join("r", "nobody"); return s.unreadMentions("nobody") }(), 0)
	s.revised(revisions.Edit(s.context(), as("mod"), biz.EditRequest{Room: "r", Seq: third, Mentions: []biz.UserID{"u"}}))
	s.equal("of v after an edit", s.unreadMentions("v"), 1)
	s.equal("of u after it", s.unreadMentions("u"), 2)
	page, err := biz.NewHistory(s.History).Sync(s.context(), as("u"), biz.SyncRequest{})
	if err != nil || len(page.Snapshot) != 1 {
		s.t.Fatalf("%+v, %v", page, err)
	}
	s.equal("in a snapshot", [2]int{page.Snapshot[0].Unread, page.Snapshot[0].Mentions}, [2]int{2, 2})
	s.mark("r", "u", 2)
	s.equal("of u who has read", s.unreadMentions("u"), 1)

	d := text("r", "u", "", "x")
	d.Mentions = []biz.UserID{biz.MentionAll}
	messages.Send(s.context(), as("u"), d, func(_ biz.Receipt, err error) { s.wantReason(err, "ROLE_TOO_LOW") })
	d = text("r", "u", "", "x")
	for i := range biz.MaxMentions + 1 {
		d.Mentions = append(d.Mentions, biz.UserID(fmt.Sprint(i)))
	}
	messages.Send(s.context(), as("u"), d, func(_ biz.Receipt, err error) { s.wantReason(err, "TOO_MANY_MENTIONS") })
}

func testEventsAreRead(s scene) {
	messages, revisions := s.revise()
	s.join("r", "u")
	s.join("r", "v")
	s.send(messages, text("r", "u", "", "x"))
	s.revised(revisions.React(s.context(), as("u"), biz.ReactRequest{Room: "r", Seq: 1, Reaction: "ok"}))
	s.revised(revisions.Edit(s.context(), as("u"), biz.EditRequest{Room: "r", Seq: 1, Content: []byte("y")}))
	s.send(messages, text("r", "u", "", "x"))
	system := text("r", "u", "", "x")
	system.Type, system.Metadata = biz.TypeSystem, map[string]string{biz.MetaEventType: "of a service"}
	s.mustAppend(system)
	for _, event := range []biz.EventType{biz.EventTranscriptCompleted, biz.EventTranscriptFailed} {
		told := text("r", "u", "", "x")
		told.Type, told.Metadata = biz.TypeSystem, map[string]string{biz.MetaEventType: string(event), biz.MetaAudioID: "a-1"}
		s.mustAppend(told)
	}
	s.equal("unread", s.unread("v", 1000, span("r", 0, 7)), []int{3})
	s.revised(revisions.Recall(s.context(), as("u"), biz.RecallRequest{Room: "r", Seq: 1}))
	s.equal("unread later", s.unread("v", 1000, span("r", 0, 8), span("r", 1, 8)), []int{3, 2})
}
