package datatest

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

var revisionSuite = map[string]func(scene){
	"an edit takes the place":          testEdit,
	"who may edit what":                testEditRefused,
	"an edit is repeated":              testEditRepeated,
	"a recall erases":                  testRecall,
	"who may recall what":              testRecallRefused,
	"reactions are counted and listed": testReactions,
	"reactions of many at a time":      testReactionsAtOnce,
	"reactions are bounded":            testReactionsBounded,
	"replies":                          testReplies,
	"mentions are counted":             testMentions,
	"events are not unread":            testEventsAreRead,
	"what expires":                     testExpiry,
	"what was edited expires":          testExpiryEdited,
	"expiry of a message that goes":    testExpiryGone,
	"expiry in a room that ends":       testExpiryEnds,
	"what goes with its message":       testAboutGoes,
	"a transcript is shown":            testTranscribed,
	"a transcript that was there":      testTranscribedBefore,
	"an edit refers to a recording":    testEditRefers,
	"recalled as soon as it is said":   testRecallAtOnce,
	"another message by its id":        testExtrasConflict,
	"nothing in a room without log":    testNotPersistent,
}

// revise are the use cases on a scene's stores, with windows of a minute.
func (s scene) revise() (*biz.Messages, *biz.Revisions) {
	rules := biz.MessageRules{MaxContentBytes: 1000, MaxMetadataBytes: 1000, EditWindow: time.Minute, RecallWindow: time.Minute}
	messages := biz.NewMessages(s.Rooms, s.Log, s.live, rules)
	return messages, biz.NewRevisions(messages, biz.NewHistory(s.History), s.Revisions, transcribe, slog.New(slog.DiscardHandler))
}

// transcribe is a biz.TranscriptEncoder for contents that are a recording's id, and have its transcript behind a bar.
func transcribe(content []byte, audio biz.AudioID, text string) ([]byte, bool) {
	id, said, _ := bytes.Cut(content, []byte("|"))
	return fmt.Appendf(nil, "%s|%s", id, text), string(id) == string(audio) && string(said) != text
}

func as(user biz.UserID) biz.Identity { return biz.Identity{User: user} }

func (s scene) send(messages *biz.Messages, d *biz.Draft) biz.Receipt {
	s.t.Helper()
	done := make(chan outcome, 1)
	messages.Send(s.context(), as(d.Sender), d, func(r biz.Receipt, err error) { done <- outcome{r, err} })
	o := <-done
	if o.err != nil {
		s.t.Fatal(o.err)
	}
	return o.Receipt
}

func (s scene) revised(r biz.Revised, err error) biz.Revised {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

func (s scene) wantReason(err error, reason string) {
	s.t.Helper()
	if err == nil || biz.AsError(err).Reason != reason {
		s.t.Fatalf("got %v, want %s", err, reason)
	}
}

// at is a message of room r as both ways of reading have it, which agree.
func (s scene) at(seq int64) *biz.Message {
	s.t.Helper()
	page := s.page("r", seq-1, 1)
	if len(page) != 1 || page[0].Seq != seq {
		s.t.Fatalf("no message %d: %v", seq, page)
	}
	found := s.messages(plenty, span("r", seq-1, seq))
	s.equal("read otherwise", describe(found[0]), describe(page[0]))
	return page[0]
}

// unbroken fails unless the log of room r has every number once, and what was delivered has its order.
func (s scene) unbroken() {
	s.t.Helper()
	page, live := s.page("r", 0, 1000), s.live.delivered("r")
	for i, m := range page {
		if m.Seq != int64(i+1) || i >= len(live) || live[i].Seq != m.Seq || live[i].ID != m.ID {
			s.t.Fatalf("message %d of %d, of which %d were delivered: %s", i+1, len(page), len(live), describe(m))
		}
	}
}

func describe(m *biz.Message) string {
	state := "nothing"
	if m.State != nil {
		state = fmt.Sprintf("%+v", *m.State)
	}
	return fmt.Sprintf("%d %s %q %v %v reply %d expires %v: %s", m.Seq, m.Sender, m.Content, m.Metadata, m.Mentions, m.ReplyTo, m.ExpiresAt, state)
}

func testEdit(s scene) {
	messages, revisions := s.revise()
	s.join("r", "u")
	d := text("r", "u", "", "first")
	d.Mentions = []biz.UserID{"a", "b"}
	s.send(messages, d)
	s.send(messages, text("r", "u", "", "other"))
	got := s.revised(revisions.Edit(s.context(), as("u"), biz.EditRequest{
		Room: "r", Seq: 1, Content: []byte("second"), Metadata: map[string]string{"k": "v"}, Mentions: []biz.UserID{"c"},
	}))
	s.equal("seq", got.Seq, int64(3))
	m := s.at(1)
	s.equal("content", string(m.Content), "second")
	s.equal("metadata", m.Metadata, map[string]string{"k": "v"})
	s.equal("mentions", m.Mentions, []biz.UserID{"c"})
	s.equal("state", fmt.Sprintf("%+v", *m.State), fmt.Sprintf("%+v", got.State))
	s.equal("edits", [2]int64{got.State.Version, int64(got.State.Edits)}, [2]int64{1, 1})
	event := s.at(3)
	s.equal("event", string(event.Content), `message_edited by u of map[target_seq:1 user_id:u] says "second"`)
	s.equal("its mentions", event.Mentions, []biz.UserID{"c"})
	s.equal("another message", describe(s.at(2)), describe(&biz.Message{Seq: 2, Sender: "u", Content: []byte("other")}))

	again := biz.EditRequest{Room: "r", Seq: 1, Content: []byte("third"), IfVersion: 2}
	_, err := revisions.Edit(s.context(), as("u"), again)
	s.wantReason(err, "VERSION_CONFLICT")
	again.IfVersion = 1
	got = s.revised(revisions.Edit(s.context(), as("u"), again))
	s.equal("edits", [2]int64{got.State.Version, int64(got.State.Edits)}, [2]int64{2, 2})
	s.equal("content", string(s.at(1).Content), "third")
	s.equal("metadata", len(s.at(1).Metadata), 0)
	s.unbroken()
}

func testEditRefused(s scene) {
	messages, revisions := s.revise()
	s.join("r", "u")
	s.join("r", "v")
	s.send(messages, text("r", "u", "", "x"))
	audio := text("r", "u", "", "x")
	audio.Type = biz.TypeAudio
	s.send(messages, audio)
	edit := func(by biz.UserID, seq int64, content string) error {
		_, err := revisions.Edit(s.context(), as(by), biz.EditRequest{Room: "r", Seq: seq, Content: []byte(content)})
		return err
	}
	s.wantReason(edit("v", 1, "y"), "NOT_YOUR_MESSAGE")
	s.wantReason(edit("w", 1, "y"), "NOT_A_MEMBER")
	s.wantReason(edit("u", 2, "y"), "INVALID_TYPE")
	s.wantReason(edit("u", 3, "y"), "MESSAGE_NOT_FOUND")
	s.wantReason(edit("u", 0, "y"), "INVALID_ARGUMENT")
	s.wantReason(edit("u", 1, strings.Repeat("y", 1001)), "CONTENT_TOO_LARGE")
	if err := edit("u", 1, "y"); err != nil {
		s.t.Fatal(err)
	}
	s.wantReason(edit("u", 3, "y"), "NOT_A_MESSAGE")
	_, err := revisions.Edit(s.context(), as("u"), biz.EditRequest{Room: "r", Seq: 1, Mentions: []biz.UserID{biz.MentionAll}})
	s.wantReason(err, "ROLE_TOO_LOW")
	s.equal("head", s.room("r").HeadSeq, int64(3))
}

func testEditRepeated(s scene) {
	messages, revisions := s.revise()
	s.join("r", "u")
	s.send(messages, text("r", "u", "", "x"))
	s.send(messages, text("r", "u", "", "x"))
	req := biz.EditRequest{Room: "r", Seq: 1, Content: []byte("y"), ClientID: "id"}
	first := s.revised(revisions.Edit(s.context(), as("u"), req))
	s.revised(revisions.React(s.context(), as("u"), biz.ReactRequest{Room: "r", Seq: 1, Reaction: "ok"}))
	again := s.revised(revisions.Edit(s.context(), as("u"), req))
	s.equal("seq", again.Seq, first.Seq)
	s.equal("version", again.State.Version, int64(2))
	s.equal("edits", s.at(1).State.Edits, 1)
	for _, other := range []biz.EditRequest{
		{Room: "r", Seq: 1, Content: []byte("z"), ClientID: "id"}, {Room: "r", Seq: 2, Content: []byte("y"), ClientID: "id"},
		{Room: "r", Seq: 1, Content: []byte("y"), ClientID: "id", Mentions: []biz.UserID{"a"}},
	} {
		_, err := revisions.Edit(s.context(), as("u"), other)
		s.wantReason(err, "MESSAGE_ID_CONFLICT")
	}
}

func testRecall(s scene) {
	messages, revisions := s.revise()
	s.join("r", "u")
	s.join("r", "v")
	d := text("r", "u", "", "secret 1")
	d.Metadata, d.ReplyTo = map[string]string{"k": "secret 2"}, 0
	s.send(messages, d)
	s.send(messages, text("r", "v", "", "kept"))
	s.revised(revisions.React(s.context(), as("v"), biz.ReactRequest{Room: "r", Seq: 1, Reaction: "ok"}))
	s.revised(revisions.Edit(s.context(), as("u"), biz.EditRequest{Room: "r", Seq: 1, Content: []byte("secret 3"), Mentions: []biz.UserID{"v"}}))
	s.revised(revisions.Edit(s.context(), as("v"), biz.EditRequest{Room: "r", Seq: 2, Content: []byte("kept as well")}))
	got := s.revised(revisions.Recall(s.context(), as("u"), biz.RecallRequest{Room: "r", Seq: 1, Reason: "a mistake"}))
	s.equal("seq", got.Seq, int64(6))
	m := s.at(1)
	s.equal("by", m.State.RecalledBy, biz.UserID("u"))
	s.equal("message", describe(m), describe(&biz.Message{Seq: 1, Sender: "u", State: &biz.MessageState{
		Version: 3, Edits: 1, EditedAt: m.State.EditedAt, Recalled: true, RecalledBy: "u", RecalledAt: m.State.RecalledAt, RecallSeq: 6,
	}}))
	for _, m := range s.page("r", 0, 10) {
		if strings.Contains(describe(m), "secret") || m.Seq == 4 && len(m.Mentions) > 0 {
			s.t.Errorf("still there: %s", describe(m))
		}
	}
	s.equal("another's event", string(s.at(5).Content), `message_edited by v of map[target_seq:2 user_id:v] says "kept as well"`)
	list, err := s.Revisions.Reactions(s.context(), "r", 1, 0, 10)
	if err != nil || len(list) > 0 || s.unreadMentions("v") != 0 {
		s.t.Errorf("reactions %v, %v; mentions %d", list, err, s.unreadMentions("v"))
	}

	again := s.revised(revisions.Recall(s.context(), as("u"), biz.RecallRequest{Room: "r", Seq: 1}))
	s.equal("again", again.Seq, int64(6))
	s.equal("state again", again.State.Version, int64(3))
	_, err = revisions.Edit(s.context(), as("u"), biz.EditRequest{Room: "r", Seq: 1, Content: []byte("x")})
	s.wantReason(err, "MESSAGE_RECALLED")
	_, err = revisions.React(s.context(), as("u"), biz.ReactRequest{Room: "r", Seq: 1, Reaction: "x"})
	s.wantReason(err, "MESSAGE_RECALLED")
	s.unbroken()
	s.equal("head", s.room("r").HeadSeq, int64(6))
}

func testRecallRefused(s scene) {
	messages, revisions := s.revise()
	for _, u := range []biz.UserID{"u", "v"} {
		s.join("r", u)
	}
	for user, role := range map[biz.UserID]biz.Role{"mod": biz.RoleModerator, "mod2": biz.RoleModerator, "admin": biz.RoleAdmin} {
		s.joinAs("r", user, role)
	}
	for _, u := range []biz.UserID{"u", "mod", "u", "mod"} {
		s.send(messages, text("r", u, "", "x"))
	}
	recall := func(by biz.UserID, seq int64) error {
		_, err := revisions.Recall(s.context(), as(by), biz.RecallRequest{Room: "r", Seq: seq})
		return err
	}
	s.wantReason(recall("v", 1), "ROLE_TOO_LOW")
	s.wantReason(recall("w", 1), "NOT_A_MEMBER")
	s.wantReason(recall("mod2", 2), "ROLE_TOO_LOW")
	s.wantReason(recall("u", 9), "MESSAGE_NOT_FOUND")
	for seq, by := range []biz.UserID{"mod2", "admin", "u", "mod"} {
		if err := recall(by, int64(seq+1)); err != nil {
			s.t.Fatalf("%s recalls %d: %v", by, seq+1, err)
		}
	}
	_, err := revisions.Recall(s.context(), biz.Identity{Roles: []string{biz.RoleService}}, biz.RecallRequest{Room: "r", Seq: 1})
	if err != nil {
		s.t.Errorf("a service, again: %v", err)
	}
	s.wantReason(recall("v", 1), "ROLE_TOO_LOW")
}

// joinAs makes a member of a role.
func (s scene) joinAs(room biz.RoomID, user biz.UserID, role biz.Role) {
	s.t.Helper()
	_, err := s.Members.Join(s.context(), room, user, func(biz.JoinState) (biz.JoinPlan, error) {
		return biz.JoinPlan{Member: biz.Member{Room: room, User: user, Role: role, JoinedAt: aTime}}, nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
}
