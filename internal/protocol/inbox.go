package protocol

import (
	"context"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/node"
	"github.com/game-im/hermod/internal/realtime/session"
)

// inbox is a user's inbox of pushes as the session.Source of one session, which it leads.
type inbox struct {
	pushes *biz.Pushes
	user   biz.UserID
	empty  bool // nothing was found the last time
}

// AttachInbox lets a session have what is kept for its user, once replay is called.
func AttachInbox(n *node.Node, s *session.Session, pushes *biz.Pushes) (replay func()) {
	user := biz.UserID(s.User)
	return n.Attach(s, InboxChannel(user), &inbox{pushes: pushes, user: user}, 0)
}

// Missed implements session.Leading.
func (i *inbox) Missed(seq int64) { i.pushes.Missed(i.user, seq) }

// Page implements session.Source. An inbox has gaps: what was acknowledged in another session or has
// expired is gone. When nothing was found and the session is told that there must be something, the
// last place ever given is passed.
func (i *inbox) Page(ctx context.Context, after int64, limit int) ([]session.Entry, error) {
	var last int64
	if i.empty {
		// First: what is not there afterwards will never be.
		state, err := i.pushes.Inbox(ctx, i.user)
		if err != nil {
			return nil, err
		}
		last = state.Last
	}
	kept, err := i.pushes.Kept(ctx, i.user, after, limit)
	if err != nil {
		return nil, err
	}
	entries := make([]session.Entry, len(kept), len(kept)+1)
	for k, p := range kept {
		entries[k] = session.Entry{Seq: p.InboxSeq, Frame: frame.NewUntil(p, p.Expires)}
	}
	i.empty = len(kept) == 0
	if i.empty && last > after {
		entries = append(entries, session.Entry{Seq: last})
	}
	return entries, nil
}

// Received implements session.Source.
func (i *inbox) Received(seq int64) { i.pushes.Received(i.user, seq) }
