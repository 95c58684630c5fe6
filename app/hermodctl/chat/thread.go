package chat

import (
	"fmt"
	"slices"
	"strings"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/client"
)

// Of a room so many messages are remembered, and when there are twice as many, the oldest are forgotten.
const maxRemembered = 1000

// thread is what was said in a room, as far as it was shown.
type thread struct {
	timeline client.Timeline
	first    int64  // seq of the first message that is shown; 0: none
	mine     int64  // seq of one's own last message; 0: none
	others   int64  // and of that of others
	with     string // the other one in a direct room
}

func (c *Chat) thread(room string) *thread {
	t := c.threads[room]
	if t == nil {
		t = &thread{}
		c.threads[room] = t
	}
	return t
}

// keep remembers a message, and tells whether it is news: not if it tells of what the message that it is about
// says already.
func (c *Chat) keep(msg *imv1.MessageResponse) (news bool) {
	if msg.GetRoomId() == "" {
		return true
	}
	t := c.thread(msg.GetRoomId())
	news = t.timeline.Apply(msg) != 0
	if e, ok := client.EventOf(msg); ok && !news {
		_, known := t.timeline.Message(e.Target)
		news = !known
	}
	if seq := msg.GetSeq(); isSpeech(msg) && msg.GetFromUserId() == c.cfg.User {
		t.mine = max(t.mine, seq)
	} else if isSpeech(msg) {
		t.others = max(t.others, seq)
	}
	t.shorten()
	return news
}

// shorten forgets the oldest when there are too many.
func (t *thread) shorten() {
	if t.timeline.Len() < 2*maxRemembered {
		return
	}
	n := 0
	for msg := range t.timeline.Backward() {
		if n++; n > maxRemembered {
			t.timeline.Forget(msg.GetSeq())
			return
		}
	}
}

// shown notes that a message is on the screen.
func (c *Chat) shown(msg *imv1.MessageResponse) {
	seq := msg.GetSeq()
	if seq == 0 || msg.GetRoomId() == "" {
		return
	}
	t := c.thread(msg.GetRoomId())
	if t.first == 0 || seq < t.first {
		t.first = seq
	}
	c.marks.note(c, msg.GetRoomId(), seq)
}

// isSpeech tells whether msg is what somebody said.
func isSpeech(msg *imv1.MessageResponse) bool {
	switch msg.GetType() {
	case imv1.MessageType_MESSAGE_TYPE_TEXT, imv1.MessageType_MESSAGE_TYPE_AUDIO, imv1.MessageType_MESSAGE_TYPE_RICH_TEXT:
		return true
	}
	return false
}

// quoted is how much of a message is shown in the one that answers it, in characters.
const quoted = 40

// quote says what a message answers; empty: nothing.
func (c *Chat) quote(msg *imv1.MessageResponse) string {
	seq := msg.GetReplyToSeq()
	if seq == 0 {
		return ""
	}
	answered, known := c.thread(msg.GetRoomId()).timeline.Message(seq)
	if !known {
		return fmt.Sprintf("[%d]", seq)
	}
	return fmt.Sprintf("[%d] %s: %s", seq, c.speaker(answered.GetFromUserId()), excerpt(answered))
}

// excerpt is the beginning of what a message says.
func excerpt(msg *imv1.MessageResponse) string {
	if msg.GetState().GetRecalled() {
		return gone(msg.GetState())
	}
	text := strings.Join(strings.Fields(content(msg)), " ")
	if runes := []rune(text); len(runes) > quoted {
		text = string(runes[:quoted-1]) + "…"
	}
	return `"` + text + `"`
}

// everybody is how a text mentions all members, and how a message does.
const (
	everybody    = "all"
	everybodySay = "*"
)

// mentioned returns whom a text mentions, by id or by a nickname that one person has.
func (c *Chat) mentioned(text string) []string {
	var all []string
	for _, word := range strings.Fields(text) {
		name, at := strings.CutPrefix(word, "@")
		if !at {
			continue
		}
		user := c.whom(name)
		if user == "" {
			user = c.whom(strings.TrimRight(name, ".,:;!?)\"'"))
		}
		if user != "" && !slices.Contains(all, user) {
			all = append(all, user)
		}
	}
	return all
}

// whom returns who is called so; empty: nobody, or several.
func (c *Chat) whom(name string) string {
	if name == everybody {
		return everybodySay
	}
	if _, known := c.names[name]; known {
		return name
	}
	found := ""
	for user, nick := range c.names {
		if nick == "" || nick != name {
			continue
		}
		if found != "" {
			return ""
		}
		found = user
	}
	return found
}

func (c *Chat) mentionsMe(msg *imv1.MessageResponse) bool {
	return slices.Contains(msg.GetMentions(), c.cfg.User) || slices.Contains(msg.GetMentions(), everybodySay)
}
