package chat

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/client"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const enteredAgain = "-- /help lists the commands"

// TestChangesAreShown as they come, and not again by messages that show them already.
func TestChangesAreShown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &room{}
		out, err := talk(t, r, func(c *Chat, _ io.Writer) {
			edited := &imv1.SystemContent{EventType: "message_edited", TargetSeq: 1, Content: []byte("one!"), State: &imv1.MessageState{Version: 1, Edits: 1}}
			first := numbered(1, "bob", "one!") // as it is by now
			first.State, first.Timestamp = edited.State, timestamppb.New(noon)
			second := happened(2, "bob", edited)
			second.Timestamp = timestamppb.New(noon)
			c.Message(first)
			c.Message(second)
			time.Sleep(2 * quiet)
			reply := numbered(3, "carol", "@alice yes,\nwhy not")
			reply.ReplyToSeq, reply.Mentions = 1, []string{"alice"}
			c.Message(reply)
			c.Message(happened(4, "carol", &imv1.SystemContent{
				EventType: "reaction_added", TargetSeq: 1, Reaction: "👍",
				State: &imv1.MessageState{Version: 2, Edits: 1, Reactions: []*imv1.ReactionCount{{Reaction: "👍", Users: 1}}},
			}))
			c.Message(happened(5, "bob", &imv1.SystemContent{EventType: "message_edited", TargetSeq: 3, Content: []byte("no"), State: &imv1.MessageState{Version: 1}}))
			c.Message(happened(6, "bob", &imv1.SystemContent{
				EventType: "message_recalled", TargetSeq: 3, State: &imv1.MessageState{Version: 2, Recalled: true, RecalledBy: "bob"},
				EventData: map[string]string{"reason": "rude\x1b[2J"},
			}))
			c.Message(happened(6, "", &imv1.SystemContent{EventType: "message_edited", TargetSeq: 1, Content: []byte(`{"transcription":"x"}`), State: &imv1.MessageState{Version: 9}}))
			late := numbered(7, "bob", "so be it")
			late.ReplyToSeq = 3
			c.Message(late)
			unknown := numbered(8, "bob", "what was that")
			unknown.ReplyToSeq = 999
			c.Message(unknown)
			c.Message(happened(9, "", &imv1.SystemContent{EventType: "message_expired", TargetSeq: 888, State: &imv1.MessageState{Version: 1, Recalled: true}}))
		})
		if err != nil {
			t.Errorf("Run: %v", err)
		}
		expect(t, out, entered,
			"-- 1 message while you were away --",
			"12:01 [1] Bobby: one! (edited)",
			"-- now --",
			`12:02 [3] @you carol: (to [1] Bobby: "one!") @alice yes,`+"\n      why not",
			"12:02 * carol reacted to [1]: 👍",
			"12:02 * Bobby edited [3]: no",
			"12:02 * Bobby took [3] back: rude\ufffd[2J",
			"12:02 [7] Bobby: (to [3] carol: (taken back)) so be it",
			"12:02 [8] Bobby: (to [999]) what was that",
			"12:02 * the time of [888] is over",
		)
		if len(r.done) > 0 {
			t.Errorf("a script has asked for %q", r.done)
		}
	})
}

// TestEventsOfMembers have a line each.
func TestEventsOfMembers(t *testing.T) {
	t.Parallel()
	until := timestamppb.New(noon.Add(30 * time.Minute))
	carol := &imv1.RoomUser{UserId: "carol", Role: imv1.UserRole_USER_ROLE_ADMIN, MutedUntil: until}
	for kind, want := range map[string]string{
		"role_changed":     "12:02 * Bobby made carol an admin",
		"member_muted":     "12:02 * Bobby muted carol until 12:31: spam",
		"member_unmuted":   "12:02 * Bobby lets carol speak again",
		"member_kicked":    "12:02 * Bobby put carol out: spam",
		"member_banned":    "12:02 * Bobby put carol out and keeps him out: spam",
		"room_updated":     `12:02 * Bobby changed the room "The lobby"`,
		"reaction_removed": "12:02 * Bobby reacts no more to [7]: +1",
	} {
		synctest.Test(t, func(t *testing.T) {
			content := &imv1.SystemContent{EventType: kind, Member: carol, Room: &imv1.RoomInfo{Name: "The lobby"}, Reaction: "+1"}
			switch kind {
			case "reaction_removed":
				content.TargetSeq = 7
			case "member_muted", "member_kicked", "member_banned":
				content.EventData = map[string]string{"reason": "spam"}
			}
			out, _ := talk(t, &room{}, func(c *Chat, _ io.Writer) {
				time.Sleep(2 * quiet)
				c.Message(happened(9, "bob", content))
			})
			expect(t, out, entered, want)
		})
	}
}

// TestPutOut: what is typed then goes nowhere, and the chat says so.
func TestPutOut(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"member_kicked", "member_banned", "room_deleted"} {
		synctest.Test(t, func(t *testing.T) {
			r := &room{}
			out, err := talk(t, r, func(c *Chat, typed io.Writer) {
				time.Sleep(2 * quiet)
				c.Message(happened(1, "", &imv1.SystemContent{EventType: kind, Member: &imv1.RoomUser{UserId: "alice"}}))
				fmt.Fprint(typed, "hello?\n")
			})
			if err == nil || len(r.sent) > 0 || !strings.HasSuffix(out, "-- you are in no room; /join ROOM enters one\n") {
				t.Errorf("%s: %v, sent %q, output:\n%s", kind, err, r.sent, out)
			}
		})
	}
}

// TestCommandsAboutMessages ask for what is typed, by number or about the last message that fits.
func TestCommandsAboutMessages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &room{seq: 40}
		_, err := talk(t, r, func(c *Chat, typed io.Writer) {
			time.Sleep(2 * quiet)
			c.Message(numbered(40, "bob", "hi"))
			fmt.Fprint(typed, "mine\n/reply . yes @Bobby, and @all\n/reply 7 @carol's\n/edit . theirs @bob\n/edit 12 x y\n/recall . oops\n/recall [12]\n"+
				"/react . 👍\n/unreact 40 👍\n/to bob psst, @carol\n")
		})
		if err != nil {
			t.Errorf("Run: %v", err)
		}
		want := "lobby: mine|lobby: yes @Bobby, and @all reply=40 mentions=[bob *]|lobby: @carol's reply=7|: psst, @carol to=bob"
		if got := strings.Join(r.sent, "|"); got != want {
			t.Errorf("sent\n%s\nwant\n%s", got, want)
		}
		want = "edit lobby 43 theirs @bob [bob]|edit lobby 12 x y []|recall lobby 43 oops|recall lobby 12 |react lobby 40 👍|unreact lobby 40 👍"
		if got := strings.Join(r.done, "|"); got != want {
			t.Errorf("did\n%s\nwant\n%s", got, want)
		}
	})
}

// TestCommandsThatFail: one clear line each, and a script fails.
func TestCommandsThatFail(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]string{
		"/edit":            "/edit wants N TEXT",
		"/edit 7":          "/edit wants N TEXT",
		"/edit x y":        `"x" is no number of a message; [7] is written 7, and . is the last one`,
		"/edit -1 y":       `"-1" is no number of a message; [7] is written 7, and . is the last one`,
		"/recall .":        "there is no such message here; give its number",
		"/react 7 👍":       "[7] stays as it is: a user may not (ROLE_TOO_LOW)",
		"/to bob":          "/to wants USER TEXT",
		"/history x":       `"x" is not possible; 1 to 500 messages are allowed`,
		"/history":         "unknown method (Unimplemented)",
		"/read 7":          "unknown method (Unimplemented)",
		"/search anything": "unknown method (Unimplemented)",
	} {
		synctest.Test(t, func(t *testing.T) {
			r := &room{answers: answers{refuse: &client.RefusedError{Reason: "ROLE_TOO_LOW", Message: "a user may not"}}}
			out, _ := talk(t, r, func(_ *Chat, in io.Writer) {
				time.Sleep(2 * quiet)
				fmt.Fprintln(in, typed)
			})
			expect(t, out, entered, "-- "+want)
		})
	}
}

// TestScrollingUp goes on where it was, counts messages and no events about them, and shows what they are now.
func TestScrollingUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		recalled := numbered(5, "bob", "")
		recalled.State = &imv1.MessageState{Version: 1, Recalled: true, RecalledBy: "bob"}
		reacted := numbered(8, "carol", "eight")
		reacted.State = &imv1.MessageState{Version: 1, Reactions: []*imv1.ReactionCount{{Reaction: "👍", Users: 2}, {Reaction: "+1", Users: 1}}}
		reaction := happened(9, "bob", &imv1.SystemContent{EventType: "reaction_added", TargetSeq: 8, State: reacted.State})
		muted := happened(7, "bob", &imv1.SystemContent{EventType: "member_muted", Member: &imv1.RoomUser{UserId: "carol"}})
		r := &room{answers: answers{history: []*imv1.HistoryResponse{
			{Messages: []*imv1.MessageResponse{reacted, reaction}, More: true}, // one message alone
			{Messages: []*imv1.MessageResponse{numbered(6, "bob", "six"), muted}, More: true},
			{Messages: []*imv1.MessageResponse{recalled}},
			{},
		}}}
		out, err := talk(t, r, func(c *Chat, typed io.Writer) {
			time.Sleep(2 * quiet)
			c.Message(numbered(10, "bob", "ten"))
			fmt.Fprint(typed, "/history 2\n/history\n/history\n")
		})
		if err != nil {
			t.Errorf("Run: %v", err)
		}
		expect(t, out, entered,
			"12:02 [10] Bobby: ten",
			"-- 3 earlier messages --",
			"12:02 [6] Bobby: six",
			"12:02 * Bobby muted carol",
			"12:02 [8] carol: eight (👍 2, +1 1)",
			"-- now --",
			"-- 1 earlier message --",
			"12:02 [5] Bobby: (taken back)",
			"-- now --",
			"-- nothing was said before",
		)
		want := "history lobby before 10 limit 2|history lobby before 8 limit 2|history lobby before 6 limit 10|history lobby before 5 limit 10"
		if got := strings.Join(r.done, "|"); got != want {
			t.Errorf("asked for\n%s\nwant\n%s", got, want)
		}
	})
}

// TestReadersAndSearch show what is found.
func TestReadersAndSearch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		elsewhere := numbered(3, "bob", "lunch at one")
		elsewhere.RoomId = "dev"
		r := &room{answers: answers{
			readers: &imv1.ListReadersResponse{Members: []*imv1.Watermark{{UserId: "alice"}, {UserId: "bob"}, {UserId: "carol"}}, NextPageToken: "x"},
			found:   &imv1.SearchResponse{Messages: []*imv1.MessageResponse{numbered(9, "carol", "lunch?"), elsewhere}},
		}}
		out, err := talk(t, r, func(_ *Chat, typed io.Writer) {
			time.Sleep(2 * quiet)
			fmt.Fprint(typed, "mine\n/read\n/search \"lunch at\" one\n")
			synctest.Wait()
			r.answers.readers, r.answers.found = &imv1.ListReadersResponse{}, &imv1.SearchResponse{}
			fmt.Fprint(typed, "/read 1\n/search x\n")
			synctest.Wait()
			r.answers.found.Incomplete = true
			fmt.Fprint(typed, "/search x\n")
		})
		if err != nil {
			t.Errorf("Run: %v", err)
		}
		expect(t, out, entered,
			"12:02 [1] Al (you): mine",
			"-- [1] was read by Bobby (bob), carol and more",
			"-- 2 found --",
			"12:02 #dev [3] Bobby: lunch at one",
			"12:02 #lobby [9] carol: lunch?",
			"-- now --",
			"-- nobody else has read [1] yet",
			"-- nothing found",
			"-- nothing found, but the newest messages were not searched yet",
		)
	})
}

// TestCompany: on a terminal one sees who types, comes and goes, and others hear of oneself.
func TestCompany(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := &room{terminal: true, answers: answers{presence: []*imv1.UserPresence{
			{UserId: "bob", State: imv1.PresenceState_PRESENCE_STATE_AWAY},
			{UserId: "carol", State: imv1.PresenceState_PRESENCE_STATE_OFFLINE, LastSeen: timestamppb.New(noon)},
		}}}
		presence := func(user string, state imv1.PresenceState) *imv1.PresenceContent {
			return &imv1.PresenceContent{Users: []*imv1.UserPresence{{UserId: user, State: state}}}
		}
		out, err := talk(t, r, func(c *Chat, typed io.Writer) {
			time.Sleep(2 * quiet)
			bobTypes := &client.Ephemeral{RoomID: "lobby", UserID: "bob", Kind: client.EphemeralTyping}
			c.Ephemeral(bobTypes)
			c.Ephemeral(bobTypes)
			c.Ephemeral(&client.Ephemeral{RoomID: "lobby", UserID: "alice", Kind: client.EphemeralTyping})
			c.Ephemeral(&client.Ephemeral{RoomID: "lobby", UserID: "bob", Kind: client.EphemeralRead})
			c.Ephemeral(&client.Ephemeral{RoomID: "dev", UserID: "carol", Kind: client.EphemeralTyping})
			c.Message(numbered(40, "bob", "there"))
			c.Ephemeral(bobTypes)
			c.Presence(presence("carol", imv1.PresenceState_PRESENCE_STATE_OFFLINE))
			c.Presence(presence("carol", imv1.PresenceState_PRESENCE_STATE_ONLINE))
			c.Presence(presence("carol", imv1.PresenceState_PRESENCE_STATE_ONLINE))
			c.Presence(presence("carol", imv1.PresenceState_PRESENCE_STATE_AWAY))
			fmt.Fprint(typed, "/who\n")
			synctest.Wait()
			c.typing("/edit . x")
			c.typing("h")
			c.typing("he")
			time.Sleep(tellTyping)
			c.typing("hel")
			time.Sleep(2 * markEvery)
			fmt.Fprint(typed, "/away\n")
			time.Sleep(time.Second)
			fmt.Fprint(typed, "\n")
			time.Sleep(time.Second)
			fmt.Fprint(typed, "/quit\n")
		})
		if err != nil {
			t.Errorf("Run: %v", err)
		}
		expect(t, out, entered, enteredAgain,
			"-- Bobby is typing",
			"12:02 [40] Bobby: there",
			"-- Bobby is typing",
			"-- carol is online",
			"-- carol is away",
			"-- online: you",
			"-- away: Bobby (bob)",
			"-- offline: carol, last seen 12:01",
			"-- you are away, until you type something",
		)
		for what, times := range map[string]int{"watch lobby": 1, "typing lobby": 2, "mark lobby 40": 1, "presence bob carol": 1, "away true": 1, "away false": 1} {
			n := 0
			for _, did := range r.done {
				if did == what {
					n++
				}
			}
			if n != times {
				t.Errorf("%q %d times, want %d: %q", what, n, times, r.done)
			}
		}
	})
}

// TestLinesWithoutColour say all that those with colours say.
func TestLinesWithoutColour(t *testing.T) {
	t.Parallel()
	msg := numbered(7, "bob", "hi")
	msg.State = &imv1.MessageState{Edits: 1}
	line := Line{Msg: msg, Name: "bob", Place: "@bob", Reply: `[3] "x"`, Notes: []string{"edited"}, ForMe: true}
	plain := plainStyle().Line(line)
	if want := `12:02 @bob [7] @you bob: (to [3] "x") hi (edited)`; plain != want {
		t.Errorf("got  %q\nwant %q", plain, want)
	}
	coloured := plainStyle()
	coloured.Color = true
	bare := coloured.Line(line)
	for _, attribute := range append([]string{dim, bold}, nameColors...) {
		bare = strings.ReplaceAll(bare, "\x1b["+attribute+"m", "")
	}
	if bare = strings.ReplaceAll(bare, "\x1b[0m", ""); bare != plain {
		t.Errorf("without its colours it is %q", bare)
	}
}

// TestLongRoomsAreForgotten from their beginning on.
func TestLongRoomsAreForgotten(t *testing.T) {
	t.Parallel()
	c := New(Config{User: "alice"}, nil)
	for seq := range int64(5 * maxRemembered) {
		c.keep(numbered(seq+1, "bob", "x"))
	}
	if n := c.thread("lobby").timeline.Len(); n < maxRemembered || n > 2*maxRemembered {
		t.Errorf("%d messages are remembered", n)
	}
	if _, ok := c.thread("lobby").timeline.Message(5 * maxRemembered); !ok {
		t.Error("the newest is forgotten")
	}
}
