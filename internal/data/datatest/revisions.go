package datatest

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
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
	"expiry of a message that goes":    testExpiryGone,
	"what goes with its message":       testAboutGoes,
	"a transcript is shown":            testTranscribed,
	"a transcript that was there":      testTranscribedBefore,
	"another message by its id":        testExtrasConflict,
	"nothing in a room without log":    testNotPersistent,
}

// revise are the use cases on a scene's stores, with windows of a minute.
func (s scene) revise() (*biz.Messages, *biz.Revisions) {
	rules := biz.MessageRules{MaxContentBytes: 1000, MaxMetadataBytes: 1000, EditWindow: time.Minute, RecallWindow: time.Minute}
	messages := biz.NewMessages(s.Rooms, s.Log, s.live, rules)
	return messages, biz.NewRevisions(messages, biz.NewHistory(s.History), s.Revisions, transcribe, slog.New(slog.DiscardHandler))
}

// transcribe is a biz.TranscriptEncoder.
func transcribe(content []byte, text string) ([]byte, bool) {
	before, said, _ := bytes.Cut(content, []byte("|"))
	return fmt.Appendf(nil, "%s|%s", before, text), string(said) != text
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

// at is a message as both ways of reading have it, which agree.
func (s scene) at(room biz.RoomID, seq int64) *biz.Message {
	s.t.Helper()
	page := s.page(room, seq-1, 1)
	if len(page) != 1 || page[0].Seq != seq {
		s.t.Fatalf("no message %d: %v", seq, page)
	}
	found := s.messages(plenty, span(room, seq-1, seq))
	s.equal("read otherwise", describe(found[0]), describe(page[0]))
	return page[0]
}

// unbroken fails unless the room's log has every number once, and what was delivered has its order.
func (s scene) unbroken(room biz.RoomID) {
	s.t.Helper()
	page, live := s.page(room, 0, 1000), s.live.delivered(room)
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
	m := s.at("r", 1)
	s.equal("content", string(m.Content), "second")
	s.equal("metadata", m.Metadata, map[string]string{"k": "v"})
	s.equal("mentions", m.Mentions, []biz.UserID{"c"})
	s.equal("state", fmt.Sprintf("%+v", *m.State), fmt.Sprintf("%+v", got.State))
	s.equal("edits", [2]int64{got.State.Version, int64(got.State.Edits)}, [2]int64{1, 1})
	event := s.at("r", 3)
	s.equal("event", string(event.Content), `message_edited by u of map[target_seq:1 user_id:u] says "second"`)
	s.equal("its mentions", event.Mentions, []biz.UserID{"c"})
	s.equal("another message", describe(s.at("r", 2)), describe(&biz.Message{Seq: 2, Sender: "u", Content: []byte("other")}))

	again := biz.EditRequest{Room: "r", Seq: 1, Content: []byte("third"), IfVersion: 2}
	_, err := revisions.Edit(s.context(), as("u"), again)
	s.wantReason(err, "VERSION_CONFLICT")
	again.IfVersion = 1
	got = s.revised(revisions.Edit(s.context(), as("u"), again))
	s.equal("edits", [2]int64{got.State.Version, int64(got.State.Edits)}, [2]int64{2, 2})
	s.equal("content", string(s.at("r", 1).Content), "third")
	s.equal("metadata", len(s.at("r", 1).Metadata), 0)
	s.unbroken("r")
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
	s.equal("edits", s.at("r", 1).State.Edits, 1)
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
	m := s.at("r", 1)
	s.equal("by", m.State.RecalledBy, biz.UserID("u"))
	s.equal("message", describe(m), describe(&biz.Message{Seq: 1, Sender: "u", State: &biz.MessageState{
		Version: 3, Edits: 1, EditedAt: m.State.EditedAt, Recalled: true, RecalledBy: "u", RecalledAt: m.State.RecalledAt, RecallSeq: 6,
	}}))
	for _, m := range s.page("r", 0, 10) {
		if strings.Contains(describe(m), "secret") || m.Seq == 4 && len(m.Mentions) > 0 {
			s.t.Errorf("still there: %s", describe(m))
		}
	}
	s.equal("another's event", string(s.at("r", 5).Content), `message_edited by v of map[target_seq:2 user_id:v] says "kept as well"`)
	list, err := s.Revisions.Reactions(s.context(), "r", 1, 0, 10)
	if err != nil || len(list) > 0 || s.unreadMentions("v", "r") != 0 {
		s.t.Errorf("reactions %v, %v; mentions %d", list, err, s.unreadMentions("v", "r"))
	}

	again := s.revised(revisions.Recall(s.context(), as("u"), biz.RecallRequest{Room: "r", Seq: 1}))
	s.equal("again", again.Seq, int64(6))
	s.equal("state again", again.State.Version, int64(3))
	_, err = revisions.Edit(s.context(), as("u"), biz.EditRequest{Room: "r", Seq: 1, Content: []byte("x")})
	s.wantReason(err, "MESSAGE_RECALLED")
	_, err = revisions.React(s.context(), as("u"), biz.ReactRequest{Room: "r", Seq: 1, Reaction: "x"})
	s.wantReason(err, "MESSAGE_RECALLED")
	s.unbroken("r")
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

func testReactions(s scene) {
	messages, revisions := s.revise()
	users := []biz.UserID{"a", "b", "c"}
	for _, u := range users {
		s.join("r", u)
	}
	s.send(messages, text("r", "a", "", "x"))
	react := func(by biz.UserID, reaction string, remove bool) biz.Revised {
		s.t.Helper()
		return s.revised(revisions.React(s.context(), as(by), biz.ReactRequest{Room: "r", Seq: 1, Reaction: reaction, Remove: remove}))
	}
	s.equal("a removal of nothing", react("a", "👍", true).Seq, int64(0))
	for _, u := range users {
		react(u, "👍", false)
	}
	react("b", "👎", false)
	s.equal("twice", react("b", "👎", false).Seq, int64(0))
	want := []biz.ReactionCount{{Reaction: "👍", Users: 3}, {Reaction: "👎", Users: 1}}
	s.equal("counts", s.at("r", 1).State.Reactions, want)
	s.equal("head", s.room("r").HeadSeq, int64(5))
	var all []biz.Reaction
	for token := ""; ; {
		page, err := revisions.Reactions(s.context(), as("c"), biz.ReactionsRequest{Room: "r", Seq: 1, Limit: 3, Token: token})
		if err != nil {
			s.t.Fatal(err)
		}
		all = append(all, page.Reactions...)
		if token = page.Next; token == "" {
			break
		}
	}
	s.equal("listed", listed(all), "a 👍 b 👍 c 👍 b 👎 ")
	s.equal("when", all[0].At, s.at("r", 2).Time)
	react("a", "👍", true)
	react("b", "👎", true)
	s.equal("counts", s.at("r", 1).State.Reactions, []biz.ReactionCount{{Reaction: "👍", Users: 2}})
	react("a", "👍", false)
	page, err := revisions.Reactions(s.context(), as("a"), biz.ReactionsRequest{Room: "r", Seq: 1})
	if err != nil {
		s.t.Fatal(err)
	}
	s.equal("listed", listed(page.Reactions), "b 👍 c 👍 a 👍 ")
	_, err = revisions.Reactions(s.context(), as("x"), biz.ReactionsRequest{Room: "r", Seq: 1})
	s.wantReason(err, "NOT_A_MEMBER")
	s.join("r", "late")
	_, err = revisions.Reactions(s.context(), as("late"), biz.ReactionsRequest{Room: "r", Seq: 1})
	s.wantReason(err, "MESSAGE_NOT_FOUND")
	_, err = revisions.React(s.context(), as("late"), biz.ReactRequest{Room: "r", Seq: 1, Reaction: "👍"})
	s.wantReason(err, "MESSAGE_NOT_FOUND")
}

func listed(list []biz.Reaction) string {
	var b strings.Builder
	for _, r := range list {
		fmt.Fprintf(&b, "%s %s ", r.User, r.Reaction)
	}
	return b.String()
}

func testReactionsAtOnce(s scene) {
	messages, revisions := s.revise()
	s.join("r", "author")
	const users = 40
	for i := range users {
		s.join("r", biz.UserID(fmt.Sprint(i)))
	}
	s.send(messages, text("r", "author", "", "x"))
	var reacting sync.WaitGroup
	for i := range users {
		reacting.Go(func() {
			for n := range 3 { // it comes, comes again, and goes for every second one
				req := biz.ReactRequest{Room: "r", Seq: 1, Reaction: fmt.Sprint(i % 4), Remove: n == 2 && i%2 == 0}
				if _, err := revisions.React(s.context(), as(biz.UserID(fmt.Sprint(i))), req); err != nil {
					s.t.Error(err)
				}
			}
		})
	}
	reacting.Wait()
	state := s.at("r", 1).State
	s.equal("version", state.Version, int64(users+users/2))
	s.equal("events", s.room("r").HeadSeq, int64(1+users+users/2))
	counts := slices.Clone(state.Reactions)
	slices.SortFunc(counts, func(a, b biz.ReactionCount) int { return strings.Compare(a.Reaction, b.Reaction) })
	s.equal("counts", counts, []biz.ReactionCount{{Reaction: "1", Users: 10}, {Reaction: "3", Users: 10}})
	list, err := s.Revisions.Reactions(s.context(), "r", 1, 0, 100)
	if err != nil || len(list) != 20 {
		s.t.Errorf("%d reactions, %v", len(list), err)
	}
	s.unbroken("r")
}

func testReactionsBounded(s scene) {
	messages, revisions := s.revise()
	s.join("r", "u")
	s.send(messages, text("r", "u", "", "x"))
	react := func(reaction string, remove bool) error {
		_, err := revisions.React(s.context(), as("u"), biz.ReactRequest{Room: "r", Seq: 1, Reaction: reaction, Remove: remove})
		return err
	}
	for i := range biz.MaxReactions {
		if err := react(fmt.Sprint(i), false); err != nil {
			s.t.Fatal(err)
		}
	}
	s.wantReason(react("one more", false), "INVALID_REACTION") // of a blank
	s.wantReason(react("more", false), "TOO_MANY_REACTIONS")
	s.wantReason(react(strings.Repeat("x", 65), false), "INVALID_REACTION")
	s.wantReason(react("", false), "INVALID_REACTION")
	if err := react("3", true); err != nil {
		s.t.Fatal(err)
	}
	if err := react("more", false); err != nil {
		s.t.Error(err)
	}
}

func testReplies(s scene) {
	messages, revisions := s.revise()
	s.join("r", "u")
	s.send(messages, text("r", "u", "", "x"))
	d := text("r", "u", "", "y")
	d.ReplyTo = 1
	s.send(messages, d)
	s.revised(revisions.Recall(s.context(), as("u"), biz.RecallRequest{Room: "r", Seq: 1}))
	s.equal("reply", s.at("r", 2).ReplyTo, int64(1))
	above := text("r", "u", "id", "z")
	above.ReplyTo = 4
	s.wantReason(s.append(above).err, "ABOVE_HEAD")
	again := text("r", "u", "id", "z") // of which nothing was stored
	again.ReplyTo = 3
	s.equal("seq", s.mustAppend(again).Seq, int64(4))
	s.unbroken("r")
}

// unreadMentions is how many mentions the user has not read.
func (s scene) unreadMentions(user biz.UserID, room biz.RoomID) int {
	s.t.Helper()
	counts, err := s.History.Mentions(s.context(), user, []biz.RoomID{room, "elsewhere"})
	if err != nil {
		s.t.Fatal(err)
	}
	return counts[room]
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
	s.equal("of v", s.unreadMentions("v", "r"), 2)
	s.equal("of u", s.unreadMentions("u", "r"), 2)
	s.equal("of the moderator", s.unreadMentions("mod", "r"), 0)
	s.equal("of who was mentioned before he came", func() int { s.join("r", "nobody"); return s.unreadMentions("nobody", "r") }(), 0)
	s.revised(revisions.Edit(s.context(), as("mod"), biz.EditRequest{Room: "r", Seq: third, Mentions: []biz.UserID{"u"}}))
	s.equal("of v after an edit", s.unreadMentions("v", "r"), 1)
	s.equal("of u after it", s.unreadMentions("u", "r"), 2)
	page, err := biz.NewHistory(s.History).Sync(s.context(), as("u"), biz.SyncRequest{})
	if err != nil || len(page.Snapshot) != 1 {
		s.t.Fatalf("%+v, %v", page, err)
	}
	s.equal("in a snapshot", [2]int{page.Snapshot[0].Unread, page.Snapshot[0].Mentions}, [2]int{2, 2})
	s.mark("r", "u", 2)
	s.equal("of u who has read", s.unreadMentions("u", "r"), 1)

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
	s.equal("unread", s.unread("v", 1000, span("r", 0, 5)), []int{3})
	s.revised(revisions.Recall(s.context(), as("u"), biz.RecallRequest{Room: "r", Seq: 1}))
	s.equal("unread later", s.unread("v", 1000, span("r", 0, 6), span("r", 1, 6)), []int{3, 2})
}

// lasting sends a message that expires.
func (s scene) lasting(messages *biz.Messages, room biz.RoomID, d time.Duration) (seq int64) {
	s.t.Helper()
	m := text(room, "u", "", "secret")
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
	s.lasting(messages, "r", time.Hour)
	const short = 300 * time.Millisecond
	for range 5 {
		s.lasting(messages, "r", short)
	}
	s.send(messages, text("r", "u", "", "y"))
	last := s.at("r", 6)
	s.equal("expires", last.ExpiresAt, last.Time.Add(short))
	<-time.After(time.Until(last.ExpiresAt)) // as a reader's clock has it
	before := s.at("r", 6)
	s.equal("before it is erased", describe(before), describe(&biz.Message{Seq: 6, Sender: "u", ExpiresAt: last.ExpiresAt, State: &biz.MessageState{
		Version: 1, Recalled: true, RecalledAt: last.ExpiresAt,
	}}))
	got := s.revised(revisions.Recall(s.context(), as("u"), biz.RecallRequest{Room: "r", Seq: 2}))
	s.equal("a recall that is late", s.at("r", got.Seq).Metadata, map[string]string{biz.MetaEventType: string(biz.EventExpired)})

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
	after := s.at("r", 6)
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
	s.equal("what lasts", string(s.at("r", 1).Content), "secret")
	due, err := s.Revisions.Due(s.context(), time.Now().Add(2*time.Hour), 10)
	if err != nil || len(due) != 1 || due[0] != (biz.Place{Room: "r", Seq: 1}) {
		s.t.Errorf("due: %v, %v", due, err)
	}
}

// testExpiryGone: what was recalled, or is no longer kept, does not expire as well.
func testExpiryGone(s scene) {
	messages, revisions := s.revise()
	s.join("r", "u")
	s.lasting(messages, "r", time.Hour)
	s.lasting(messages, "r", time.Hour)
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

// testAboutGoes: what is known about a message goes with it when it has had its time.
func testAboutGoes(s scene) {
	messages, revisions := s.revise()
	s.join("r", "u")
	s.join("r", "v")
	for range 2 {
		seq := s.lasting(messages, "r", time.Hour)
		s.revised(revisions.React(s.context(), as("v"), biz.ReactRequest{Room: "r", Seq: seq, Reaction: "ok"}))
		s.revised(revisions.Edit(s.context(), as("u"), biz.EditRequest{Room: "r", Seq: seq, Content: []byte("y"), Mentions: []biz.UserID{"v"}}))
		audio := text("r", "u", "", "sound")
		audio.Type, audio.Audio = biz.TypeAudio, "a"
		s.send(messages, audio)
	}
	about := func() [4]int {
		first, err1 := s.Revisions.Reactions(s.context(), "r", 1, 0, 10)
		second, err2 := s.Revisions.Reactions(s.context(), "r", 5, 0, 10)
		heard, err3 := s.Revisions.HeardIn(s.context(), "r", "a")
		if err1 != nil || err2 != nil || err3 != nil {
			s.t.Fatal(err1, err2, err3)
		}
		return [4]int{len(first), len(second), len(heard), s.unreadMentions("v", "r")}
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

// recorded is a recording whose transcript has ended.
func (s scene) recorded(id biz.AudioID) *biz.Transcript {
	s.t.Helper()
	if err := s.Audios.Add(s.context(), biz.Audio{ID: id, Room: "r", User: "u", Format: "opus", CreatedAt: aTime}, true); err != nil {
		s.t.Fatal(err)
	}
	now := time.Now()
	jobs, err := s.Queue.Claim(s.context(), now, now.Add(time.Minute), 1)
	if err != nil || len(jobs) != 1 {
		s.t.Fatalf("%v, %v", jobs, err)
	}
	job := jobs[0]
	job.Transcript.Status, job.Transcript.Text, job.Transcript.UpdatedAt = biz.TranscriptCompleted, "said", now
	if held, err := s.Queue.Finish(s.context(), job); !held || err != nil {
		s.t.Fatal(held, err)
	}
	if held, err := s.Queue.Settle(s.context(), job); !held || err != nil {
		s.t.Fatal(held, err)
	}
	return &job.Transcript
}

func testTranscribed(s scene) {
	messages, revisions := s.revise()
	s.join("r", "u")
	for _, id := range []biz.AudioID{"a", "b", "a", ""} {
		audio := text("r", "u", "", "sound")
		audio.Type, audio.Audio, audio.Metadata = biz.TypeAudio, id, map[string]string{"k": "v"}
		s.send(messages, audio)
	}
	s.revised(revisions.Recall(s.context(), as("u"), biz.RecallRequest{Room: "r", Seq: 3}))
	tr := s.recorded("a")
	for range 2 {
		heard, err := revisions.Transcribed(s.context(), "r", tr)
		if err != nil || heard != 1 {
			s.t.Fatalf("heard in %d, %v", heard, err)
		}
	}
	m := s.at("r", 1)
	s.equal("content", string(m.Content), "sound|said")
	s.equal("metadata", m.Metadata, map[string]string{"k": "v"})
	s.equal("state", fmt.Sprintf("%+v", *m.State), fmt.Sprintf("%+v", biz.MessageState{Version: 1}))
	s.equal("of another recording", string(s.at("r", 2).Content), "sound")
	s.equal("recalled", len(s.at("r", 3).Content), 0)
	s.equal("event", string(s.at("r", 6).Content), `message_edited by  of map[target_seq:1] says "sound|said"`)
	s.equal("head", s.room("r").HeadSeq, int64(6))
	s.revised(revisions.Recall(s.context(), as("u"), biz.RecallRequest{Room: "r", Seq: 1}))
	s.equal("event of a recalled one", strings.Contains(string(s.at("r", 6).Content), "said"), false)
}

// testTranscribedBefore: a recording that is sent after its transcript has ended is due again.
func testTranscribedBefore(s scene) {
	messages, _ := s.revise()
	s.join("r", "u")
	s.recorded("a")
	due := func() int {
		jobs, err := s.Queue.Claim(s.context(), time.Now(), time.Now().Add(time.Minute), 9)
		if err != nil {
			s.t.Fatal(err)
		}
		for _, j := range jobs {
			s.equal("status", j.Transcript.Status, biz.TranscriptCompleted)
		}
		return len(jobs)
	}
	s.equal("before", due(), 0)
	audio := text("r", "u", "", "sound")
	audio.Type, audio.Audio = biz.TypeAudio, "a"
	s.send(messages, audio)
	s.equal("afterwards", due(), 1)
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
