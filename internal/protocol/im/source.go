package im

import (
	"context"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/session"
)

// roomSource is a room's log as one device of one user reads it.
type roomSource struct {
	backlog *biz.Backlog
	room    biz.RoomID
	user    biz.UserID
	device  biz.DeviceID
}

// Page implements session.Source. One's own messages are left out: whoever sent them knows them. What
// is said in his name, as SYSTEM messages are, he may not know.
func (r *roomSource) Page(ctx context.Context, after int64, limit int) ([]session.Entry, error) {
	messages, err := r.backlog.Page(ctx, r.room, after, limit)
	if err != nil {
		return nil, err
	}
	entries := make([]session.Entry, len(messages))
	for i, m := range messages {
		entries[i] = session.Entry{Seq: m.Seq}
		if m.Sender != r.user || m.Type == biz.TypeSystem {
			entries[i].Frame, entries[i].AckRequired = frame.New(m), m.AckRequired
		}
	}
	return entries, nil
}

// Received implements session.Source.
func (r *roomSource) Received(seq int64) {
	r.backlog.Delivered(biz.Cursor{Room: r.room, User: r.user, Device: r.device, Delivered: seq})
}
