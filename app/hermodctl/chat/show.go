package chat

import (
	"cmp"
	"fmt"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/client"
)

// receive shows msg, or holds it back while the block of missed messages is gathered.
func (c *Chat) receive(msg *imv1.MessageResponse) {
	if !c.missed.add(msg) {
		c.show(msg)
	} else if c.missed.full() {
		c.heading("more than %d messages while you were away", maxMissed-1)
		c.showHeld()
	}
}

// caughtUp ends the block.
func (c *Chat) caughtUp() {
	c.missed.done = true
	n := spoken(c.missed.old)
	long := c.missed.open
	if n > 0 {
		c.heading("%d %s while you were away", n, plural(n, "message"))
	}
	c.showHeld()
	if long {
		c.heading("now")
	}
}

// spoken counts the messages that are not about others.
func spoken(messages []*imv1.MessageResponse) int {
	n := 0
	for _, msg := range messages {
		if e, ok := client.EventOf(msg); !ok || e.Target == 0 {
			n++
		}
	}
	return n
}

// showHeld shows what was held back.
func (c *Chat) showHeld() {
	old, live := c.missed.take()
	for _, msg := range old {
		c.show(msg)
	}
	if len(old) > 0 && c.missed.done {
		c.heading("now")
	}
	for _, msg := range live {
		c.show(msg)
	}
}

func (c *Chat) show(msg *imv1.MessageResponse) {
	if msg.GetType() == imv1.MessageType_MESSAGE_TYPE_JOIN_ROOM {
		c.met(msg.GetFromUserId(), msg.GetMetadata()["nickname"])
	}
	c.silent(msg)
	news := c.keep(msg)
	e, isEvent := client.EventOf(msg)
	if isEvent && e.Target > 0 && (!news || transcribed(e)) {
		return // the message that it is about shows it already, or another event tells what is said
	}
	if text := c.eventText(e); isEvent && text != "" {
		c.screen.Print(c.cfg.Style.Event(msg, c.place(msg.GetRoomId()), text))
		c.obey(e)
	} else {
		c.print(msg)
	}
	c.shown(msg)
}

// transcribed tells whether an edit is that by which the node shows a transcript in the message of a recording.
func transcribed(e *client.Event) bool { return e.Type == client.EventEdited && e.By == "" }

// obey leaves a room that one was put out of, or that has ended.
func (c *Chat) obey(e *client.Event) {
	out := e.Type == client.EventKicked || e.Type == client.EventBanned
	if e.Type == client.EventRoomDeleted || out && e.Member.GetUserId() == c.cfg.User {
		c.left(e.RoomID)
	}
}

// print shows a message as it is now.
func (c *Chat) print(msg *imv1.MessageResponse) {
	if now, ok := c.thread(msg.GetRoomId()).timeline.Message(msg.GetSeq()); ok {
		msg = now
	}
	c.screen.Print(c.cfg.Style.Line(Line{
		Msg: msg, Name: c.speaker(msg.GetFromUserId()), Place: c.place(msg.GetRoomId()), Reply: c.quote(msg),
		Notes: notes(msg.GetState()), ForMe: msg.GetFromUserId() != c.cfg.User && c.mentionsMe(msg),
	}))
}

// speaker is how a line calls somebody.
func (c *Chat) speaker(user string) string {
	name := cmp.Or(c.names[user], user)
	if user == c.cfg.User {
		name += " (you)"
	}
	return name
}

// place is how a line calls a room, empty for the present one.
func (c *Chat) place(room string) string {
	switch t := c.threads[room]; {
	case room == c.room || room == "":
		return ""
	case t != nil && t.with != "":
		return "@" + t.with
	}
	return "#" + room
}

// notes says what has become of a message.
func notes(state *imv1.MessageState) []string {
	var all []string
	if state.GetEdits() > 0 {
		all = append(all, "edited")
	}
	for _, r := range state.GetReactions() {
		all = append(all, fmt.Sprintf("%s %d", r.GetReaction(), r.GetUsers()))
	}
	return all
}
