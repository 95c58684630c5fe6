package chat

import imv1 "github.com/game-im/hermod/api/im/v1"

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
	n := len(c.missed.old)
	long := c.missed.open
	if n > 0 {
		c.heading("%d %s while you were away", n, plural(n, "message"))
	}
	c.showHeld()
	if long {
		c.heading("now")
	}
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
	from := msg.GetFromUserId()
	if msg.GetType() == imv1.MessageType_MESSAGE_TYPE_JOIN_ROOM {
		c.met(from, msg.GetMetadata()["nickname"])
	}
	name := c.names[from]
	if name == "" {
		name = from
	}
	if from == c.cfg.User {
		name += " (you)"
	}
	room := msg.GetRoomId()
	if room == c.room {
		room = ""
	}
	c.screen.Print(c.cfg.Style.Message(msg, name, room))
}
