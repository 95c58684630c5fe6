package plugins

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/plugin"
)

// Seek says who knows who is away. It is called before the node serves.
func (h *Host) Seek(town Town) {
	for _, n := range h.notifiers {
		n.town = town
	}
}

// Keep returns the inbox, or what tells notifiers of pushes that are kept there, if there are any to tell.
func (h *Host) Keep(inbox biz.Inbox) biz.Inbox {
	if len(h.notifiers) == 0 {
		return inbox
	}
	return &noticed{Inbox: inbox, notifiers: h.notifiers}
}

// noticed tells plugins of pushes that were kept.
type noticed struct {
	biz.Inbox
	notifiers []*notifier
}

// Store implements biz.Inbox.
func (n *noticed) Store(ctx context.Context, user biz.UserID, p *biz.Push, expires time.Time, limits biz.InboxLimits) error {
	if err := n.Inbox.Store(ctx, user, p, expires, limits); err != nil {
		return err
	}
	for _, to := range n.notifiers {
		to.offer(kept{push: p, user: user, at: p.Time})
	}
	return nil
}

// notify tells notifiers of what was said and stored: not of what the node itself told the room.
func (o *observed) notify(d *biz.Draft) {
	if d.Seq == 0 || d.Act != nil || d.Type == biz.TypeSystem && !d.Service {
		return
	}
	for _, to := range o.notifiers {
		if !to.member.rooms.has(d.Room) {
			continue
		}
		to.offer(kept{message: &d.Message, at: d.Time})
	}
}

// toldOf is a message, with copies: sessions, or other plugins, have it as well.
func toldOf(m *biz.Message) plugin.Message {
	told := messageOf(m)
	told.Content, told.Metadata = slices.Clone(m.Content), maps.Clone(m.Metadata)
	return told
}

func pushedOf(p *biz.Push) *plugin.Pushed {
	return &plugin.Pushed{
		ID: p.ID, Action: p.MsgType, Title: p.Title, Content: p.Content, Data: bytes.Clone(p.Data), Headers: maps.Clone(p.Metadata), Expiry: p.Expires,
	}
}
