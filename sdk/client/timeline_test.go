package client

import (
	"fmt"
	"strings"
	"testing"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"
)

// log is a room as a server keeps it: rows are as they are now, and what is sent live is as it was then.
type log struct {
	rows []*imv1.MessageResponse // of seq 1 and on
}

func (l *log) add(m *imv1.MessageResponse) *imv1.MessageResponse {
	m.RoomId, m.Seq = "a", int64(len(l.rows)+1)
	m.MessageId, m.FromUserId = fmt.Sprint("id-", m.Seq), "bob"
	m.Timestamp = &timestamppb.Timestamp{Seconds: 1_700_000_000 + m.Seq}
	l.rows = append(l.rows, m)
	return m
}

func (l *log) say(text string) {
	l.add(&imv1.MessageResponse{
		Type: imv1.MessageType_MESSAGE_TYPE_TEXT, Content: []byte(text), Metadata: map[string]string{"k": text},
		Mentions: []string{text}, ReplyToSeq: int64(len(l.rows)) / 2,
	})
}

// tell adds an event.
func (l *log) tell(c *imv1.SystemContent, mentions ...string) {
	content, err := proto.Marshal(c)
	if err != nil {
		panic(err)
	}
	l.add(&imv1.MessageResponse{
		Type: imv1.MessageType_MESSAGE_TYPE_SYSTEM, Content: content, Mentions: mentions,
		Metadata: map[string]string{keyEventType: c.GetEventType()},
	})
}

// change makes the state of a message another one, and returns it.
func (l *log) change(seq int64, how func(*imv1.MessageState)) *imv1.MessageState {
	row := l.rows[seq-1]
	s := &imv1.MessageState{}
	if row.State != nil {
		s = proto.CloneOf(row.State)
	}
	s.Version++
	how(s)
	row.State = s
	return s
}

func (l *log) edit(seq int64, text string) {
	s := l.change(seq, func(s *imv1.MessageState) { s.Edits++ })
	row := l.rows[seq-1]
	row.Content, row.Metadata, row.Mentions = []byte(text), map[string]string{"e": text}, []string{text}
	l.tell(&imv1.SystemContent{
		EventType: string(EventEdited), TargetSeq: seq, State: s, Content: row.Content, Metadata: row.Metadata,
	}, text)
}

func (l *log) react(seq int64, reaction string) {
	s := l.change(seq, func(s *imv1.MessageState) {
		s.Reactions = append(s.Reactions, &imv1.ReactionCount{Reaction: reaction, Users: 1})
	})
	l.tell(&imv1.SystemContent{EventType: string(EventReactionAdded), TargetSeq: seq, State: s, Reaction: reaction})
}

// recall erases the content of a message, and what events have said of it.
func (l *log) recall(seq int64, whole bool) {
	s := l.change(seq, func(s *imv1.MessageState) { s.Recalled, s.Reactions = true, nil })
	row := l.rows[seq-1]
	row.Content, row.Metadata, row.Mentions = nil, nil, nil
	for _, event := range l.rows {
		e, ok := EventOf(event)
		if !ok || e.Target != seq {
			continue
		}
		event.Mentions = nil
		if whole {
			event.Content = nil
			continue
		}
		var c imv1.SystemContent
		if err := proto.Unmarshal(event.Content, &c); err != nil {
			panic(err)
		}
		c.Content, c.Metadata = nil, nil
		event.Content, _ = proto.Marshal(&c)
	}
	l.tell(&imv1.SystemContent{EventType: string(EventRecalled), TargetSeq: seq, State: s})
}

// act does something at random.
func (l *log) act(t *rapid.T) {
	var open []int64 // messages that were not recalled
	for _, m := range l.rows {
		if m.Type == imv1.MessageType_MESSAGE_TYPE_TEXT && !m.GetState().GetRecalled() {
			open = append(open, m.Seq)
		}
	}
	what := rapid.IntRange(0, 9).Draw(t, "act")
	if len(open) == 0 || what < 3 {
		l.say(fmt.Sprint("said ", len(l.rows)))
		return
	}
	seq := rapid.SampledFrom(open).Draw(t, "of")
	switch what {
	case 3, 4, 5:
		l.edit(seq, fmt.Sprint("edited ", len(l.rows)))
	case 6, 7:
		l.react(seq, fmt.Sprint("r", len(l.rows)))
	case 8:
		l.recall(seq, rapid.Bool().Draw(t, "events have nothing left"))
	default:
		l.tell(&imv1.SystemContent{EventType: string(EventMuted), Member: &imv1.RoomUser{UserId: "eve", Muted: true}})
	}
}

// page reads rows as they are now.
func (l *log) page(from, to int) []*imv1.MessageResponse {
	var page []*imv1.MessageResponse
	for _, m := range l.rows[from:to] {
		page = append(page, proto.CloneOf(m))
	}
	return page
}

// dump is all that a timeline holds, byte for byte.
func dump(t interface{ Fatal(...any) }, tl *Timeline) string {
	var b strings.Builder
	for m := range tl.Messages() {
		data, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%d %x\n", m.GetSeq(), data)
	}
	return b.String()
}

// TestTimelineIsTheSameHoweverItIsTold: a client that was there, one that comes back and one that does both, with
// pages that were read at any time and come at any other, in any order and repeatedly, end in the same state.
func TestTimelineIsTheSameHoweverItIsTold(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var l log
		var tl Timeline
		var later [][]*imv1.MessageResponse
		told := map[int64]bool{}
		apply := func(page []*imv1.MessageResponse) {
			before, changed := dump(t, &tl), false
			for _, m := range page {
				changed = tl.Apply(m) != 0 || changed
				told[m.GetSeq()] = true
			}
			if after := dump(t, &tl); changed != (before != after) {
				t.Fatalf("Apply said that something has changed: %v\nbefore:\n%s\nafter:\n%s", changed, before, after)
			}
		}
		for range rapid.IntRange(1, 25).Draw(t, "acts") {
			l.act(t)
			head := len(l.rows)
			if rapid.Bool().Draw(t, "live") {
				apply(l.page(head-1, head))
			}
			if rapid.IntRange(0, 3).Draw(t, "a page") == 0 {
				from := rapid.IntRange(0, head-1).Draw(t, "from")
				later = append(later, l.page(from, rapid.IntRange(from+1, head).Draw(t, "to")))
			}
			if n := len(later); n > 0 && rapid.Bool().Draw(t, "a page arrives") {
				i := rapid.IntRange(0, n-1).Draw(t, "page")
				apply(later[i])
				if rapid.Bool().Draw(t, "once") {
					later = append(later[:i], later[i+1:]...)
				}
			}
		}
		for i, m := range l.page(0, len(l.rows)) { // what is still missing
			if !told[m.GetSeq()] {
				later = append(later, l.page(i, i+1))
			}
		}
		for _, i := range rapid.Permutation(indices(len(later))).Draw(t, "order") {
			apply(later[i])
		}

		var fresh, backward Timeline
		for _, m := range l.page(0, len(l.rows)) {
			fresh.Apply(m)
		}
		all := l.page(0, len(l.rows))
		for i := range all {
			backward.Apply(all[len(all)-1-i])
		}
		want := dump(t, &fresh)
		if got := dump(t, &backward); got != want {
			t.Fatalf("scrolled up:\n%s\nread forward:\n%s", got, want)
		}
		if got := dump(t, &tl); got != want {
			t.Fatalf("told by and by:\n%s\nread at the end:\n%s", got, want)
		}
	})
}

func indices(n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = i
	}
	return all
}

// TestTimelineOfOneRoom has what the random histories cannot tell: what the states are.
func TestTimelineOfOneRoom(t *testing.T) {
	t.Parallel()
	var l log
	var tl Timeline
	l.say("one")
	l.say("two")
	l.edit(1, "uno")
	l.react(1, "👍")
	l.recall(2, false)
	l.tell(&imv1.SystemContent{EventType: string(EventKicked), Member: &imv1.RoomUser{UserId: "eve"}})
	var changed []int64
	for _, m := range l.page(2, 6) {
		changed = append(changed, tl.Apply(m)) // of messages that have not come
	}
	if tl.Len() != 1 {
		t.Errorf("%d messages before any but the event that eve was kicked", tl.Len())
	}
	own := proto.CloneOf(l.rows[0])
	own.State, own.Content = nil, []byte("one") // as it was
	own.Metadata = map[string]string{keyClientID: "c1"}
	own.LinkSeq, own.AckRequired = 7, true
	changed = append(changed, tl.Apply(own), tl.Apply(own))
	for _, m := range l.page(1, 2) {
		changed = append(changed, tl.Apply(m))
	}
	notice := &imv1.MessageResponse{RoomId: "a", Type: imv1.MessageType_MESSAGE_TYPE_JOIN_ROOM}
	gone := &imv1.MessageResponse{RoomId: "a", Seq: 9, Type: imv1.MessageType_MESSAGE_TYPE_SYSTEM, Metadata: map[string]string{keyEventType: string(EventMessagesGone)}}
	changed = append(changed, tl.Apply(notice), tl.Apply(gone))
	if got := fmt.Sprint(changed); got != "[0 0 0 6 1 0 2 0 0]" {
		t.Errorf("changed %v", got)
	}
	one, ok := tl.Message(1)
	if !ok || string(one.GetContent()) != "uno" || one.GetState().GetReactions()[0].GetReaction() != "👍" || one.GetMetadata()["e"] != "uno" || one.GetLinkSeq() != 0 {
		t.Errorf("the first message is %v", one)
	}
	two, ok := tl.Message(2)
	if !ok || !two.GetState().GetRecalled() || two.GetContent() != nil || two.GetFromUserId() != "bob" {
		t.Errorf("the second message is %v", two)
	}
	if _, ok := tl.Message(3); ok {
		t.Error("an event about a message is in what it is about")
	}
	var down, up []int64
	for m := range tl.Messages() {
		down = append(down, m.GetSeq())
	}
	for m := range tl.Backward() {
		up = append(up, m.GetSeq())
	}
	if fmt.Sprint(down, up) != "[1 2 6] [6 2 1]" {
		t.Errorf("messages %v, and backward %v", down, up)
	}
	tl.Forget(2)
	for _, m := range l.page(0, 5) {
		if seq := tl.Apply(m); seq != 0 {
			t.Errorf("%d is taken in again", seq)
		}
	}
	if tl.Len() != 1 || len(tl.places) != 1 {
		t.Errorf("%d messages, %d places are kept", tl.Len(), len(tl.places))
	}
}
