package chat

import (
	"context"
	"strconv"
	"strings"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/client"
)

// latest stands for the last message that fits.
const latest = "."

// target reads which message a command is about, and what stands behind it. False: it has said what is wrong.
func (c *Chat) target(argument string, own bool) (seq int64, rest string, ok bool) {
	if c.room == "" {
		c.nowhere()
		return 0, "", false
	}
	number, rest, _ := strings.Cut(argument, " ")
	rest = strings.TrimSpace(rest)
	if number == latest {
		t := c.thread(c.room)
		if seq = t.others; own {
			seq = t.mine
		}
		if seq == 0 {
			c.unsent = true
			c.problem("there is no such message here; give its number")
		}
		return seq, rest, seq != 0
	}
	seq, err := strconv.ParseInt(strings.Trim(number, "[]"), 10, 64)
	if err != nil || seq <= 0 {
		c.unsent = true
		c.problem("%q is no number of a message; [7] is written 7, and . is the last one", number)
		return 0, "", false
	}
	return seq, rest, true
}

func (c *Chat) reply(ctx context.Context, argument string) {
	if seq, text, ok := c.target(argument, false); ok {
		c.say(ctx, &imv1.MessageRequest{RoomId: c.room, Content: []byte(text), Mentions: c.mentioned(text), ReplyToSeq: seq})
	}
}

func (c *Chat) direct(ctx context.Context, argument string) {
	user, text, _ := strings.Cut(argument, " ")
	c.say(ctx, &imv1.MessageRequest{ToUserId: user, Content: []byte(strings.TrimSpace(text))})
}

func (c *Chat) edit(ctx context.Context, argument string) {
	c.change(ctx, argument, true, func(ctx context.Context, room string, seq int64, text string) error {
		_, err := c.client.EditMessage(ctx, room, seq, client.Edit{Content: []byte(text), Mentions: c.mentioned(text)})
		return err
	})
}

func (c *Chat) recall(ctx context.Context, argument string) {
	c.change(ctx, argument, true, func(ctx context.Context, room string, seq int64, reason string) error {
		_, err := c.client.RecallMessage(ctx, room, seq, reason)
		return err
	})
}

func (c *Chat) react(ctx context.Context, argument string) {
	c.change(ctx, argument, false, func(ctx context.Context, room string, seq int64, reaction string) error {
		_, err := c.client.React(ctx, room, seq, reaction)
		return err
	})
}

func (c *Chat) unreact(ctx context.Context, argument string) {
	c.change(ctx, argument, false, func(ctx context.Context, room string, seq int64, reaction string) error {
		_, err := c.client.Unreact(ctx, room, seq, reaction)
		return err
	})
}

// change does something to a message. What comes of it arrives as an event, as it does for everybody.
func (c *Chat) change(ctx context.Context, argument string, own bool, do func(ctx context.Context, room string, seq int64, rest string) error) {
	seq, rest, ok := c.target(argument, own)
	if !ok {
		return
	}
	room := c.room
	c.do(ctx, func(ctx context.Context) func() {
		err := do(ctx, room, seq, rest)
		return func() {
			if err != nil {
				c.unsent = true
				c.problem("[%d] stays as it is: %s", seq, why(err))
			}
		}
	})
}
