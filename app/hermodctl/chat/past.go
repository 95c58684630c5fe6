package chat

import (
	"context"
	"slices"
	"strconv"
	"strings"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/client"
)

const (
	defaultScroll = 10
	maxScroll     = 500
	maxFound      = 10
	maxReaders    = 50
	// scrollPages bounds how far one scroll looks for messages among events.
	scrollPages = 20
)

func (c *Chat) history(ctx context.Context, argument string) {
	room := c.room
	n := defaultScroll
	if argument != "" {
		var err error
		if n, err = strconv.Atoi(argument); err != nil || n <= 0 || n > maxScroll {
			c.problem("%q is not possible; 1 to %d messages are allowed", argument, maxScroll)
			return
		}
	}
	if room == "" {
		c.problem("you are in no room")
		return
	}
	before := c.thread(room).first
	c.do(ctx, func(ctx context.Context) func() {
		messages, err := c.earlier(ctx, room, before, n)
		return func() {
			if err != nil {
				c.problem("%s", why(err))
				return
			}
			c.scrolled(room, messages)
		}
	})
}

// earlier returns the last messages below a seq, events about them included, so that n of them are not events, as far
// as there are so many.
func (c *Chat) earlier(ctx context.Context, room string, before int64, n int) (found []*imv1.MessageResponse, err error) {
	for range scrollPages {
		page, err := c.client.History(ctx, room, client.HistoryOptions{Before: before, Limit: n})
		if err != nil {
			return nil, err
		}
		messages := page.GetMessages()
		found = append(slices.Clone(messages), found...)
		if len(messages) == 0 || !page.GetMore() || spoken(found) >= n {
			return found, nil
		}
		before = messages[0].GetSeq()
	}
	return found, nil
}

// scrolled shows what was said before.
func (c *Chat) scrolled(room string, messages []*imv1.MessageResponse) {
	if len(messages) == 0 {
		c.note("nothing was said before")
		return
	}
	n := spoken(messages)
	c.heading("%d earlier %s", n, plural(n, "message"))
	for _, msg := range messages {
		c.keep(msg)
	}
	for _, msg := range messages {
		if e, ok := client.EventOf(msg); !ok || e.Target == 0 {
			c.past(msg)
		}
	}
	c.heading("now")
	t := c.thread(room)
	t.first = messages[0].GetSeq()
}

// past shows a message of the past.
func (c *Chat) past(msg *imv1.MessageResponse) {
	if e, ok := client.EventOf(msg); ok {
		if text := c.eventText(e); text != "" {
			c.screen.Print(c.cfg.Style.Event(msg, c.place(msg.GetRoomId()), text))
			return
		}
	}
	c.print(msg)
}

func (c *Chat) search(ctx context.Context, words string) {
	c.do(ctx, func(ctx context.Context) func() {
		page, err := c.client.SearchPage(ctx, client.SearchQuery{Text: words, PageOptions: client.PageOptions{Limit: maxFound}})
		return func() {
			if err != nil {
				c.problem("%s", why(err))
				return
			}
			c.found(page)
		}
	})
}

// found shows what was found, the newest last, as all that is shown.
func (c *Chat) found(page *imv1.SearchResponse) {
	n := len(page.GetMessages())
	switch {
	case n == 0 && page.GetIncomplete():
		c.note("nothing found, but the newest messages were not searched yet")
		return
	case n == 0:
		c.note("nothing found")
		return
	case page.GetNextPageToken() != "":
		c.heading("the newest %d that were found", n)
	default:
		c.heading("%d found", n)
	}
	for _, msg := range slices.Backward(page.GetMessages()) {
		c.screen.Print(c.cfg.Style.Line(Line{
			Msg: msg, Name: c.speaker(msg.GetFromUserId()), Place: c.placeOf(msg.GetRoomId()), Notes: notes(msg.GetState()),
		}))
	}
	c.heading("now")
}

// placeOf is place, of the present room too.
func (c *Chat) placeOf(room string) string {
	if room == c.room {
		return "#" + room
	}
	return c.place(room)
}

func (c *Chat) readers(ctx context.Context, argument string) {
	if c.room == "" {
		c.problem("you are in no room")
		return
	}
	if argument == "" {
		argument = latest
	}
	seq, _, ok := c.target(argument, true)
	if !ok {
		return
	}
	room := c.room
	c.do(ctx, func(ctx context.Context) func() {
		page, err := c.client.ListReaders(ctx, room, seq, client.PageOptions{Limit: maxReaders})
		return func() {
			if err != nil {
				c.problem("%s", why(err))
				return
			}
			c.haveRead(seq, page)
		}
	})
}

func (c *Chat) haveRead(seq int64, page *imv1.ListReadersResponse) {
	var others []string
	for _, w := range page.GetMembers() {
		if w.GetUserId() != c.cfg.User {
			others = append(others, c.called(w.GetUserId()))
		}
	}
	more := ""
	if page.GetNextPageToken() != "" {
		more = " and more"
	}
	if len(others) == 0 {
		c.note("nobody else has read [%d] yet", seq)
		return
	}
	c.note("[%d] was read by %s%s", seq, strings.Join(others, ", "), more)
}
