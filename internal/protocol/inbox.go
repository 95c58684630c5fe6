package protocol

import (
	"context"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/session"
)

// Inbox is a user's inbox of pushes as a session.Source.
type Inbox struct {
	Pushes *biz.Pushes
	User   biz.UserID
}

// Page implements session.Source.
func (i *Inbox) Page(ctx context.Context, after int64, limit int) ([]session.Entry, error) {
	kept, err := i.Pushes.Kept(ctx, i.User, after, limit)
	if err != nil {
		return nil, err
	}
	entries := make([]session.Entry, len(kept))
	for k, p := range kept {
		entries[k] = session.Entry{Seq: p.InboxSeq, Frame: frame.NewUntil(p, p.Expires)}
	}
	return entries, nil
}

// Received implements session.Source.
func (i *Inbox) Received(seq int64) { i.Pushes.Received(i.User, seq) }
