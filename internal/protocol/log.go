package protocol

import (
	"context"
	"slices"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/hub"
)

// RoomLog is where a node reads what the channels of rooms miss. It implements hub.Heads.
type RoomLog struct {
	log   biz.MessageLog
	heads RoomHeads
}

// RoomHeads tells how far rooms reach, from the store and no memory of the node's own.
type RoomHeads interface {
	// Heads returns where each room stands, of biz.MaxWatched at most. One that is absent has no message.
	Heads(ctx context.Context, rooms []biz.RoomID) (map[biz.RoomID]biz.RoomHead, error)
}

// NewRoomLog returns the log of rooms for a hub. heads, unless they are nil, are asked after an outage which rooms
// have to be read at all.
func NewRoomLog(log biz.MessageLog, heads RoomHeads) hub.Log {
	l := &RoomLog{log: log, heads: heads}
	if heads == nil {
		return struct{ hub.Log }{l}
	}
	return l
}

// Keeps implements hub.Log. An inbox is none: what there is in it depends on what was acknowledged where.
func (l *RoomLog) Keeps(channel string) bool {
	_, ok := RoomOf(channel)
	return ok
}

// Publications implements hub.Log.
func (l *RoomLog) Publications(ctx context.Context, channel string, after, upTo int64, limit int) ([]*frame.Publication, error) {
	room, _ := RoomOf(channel)
	page, err := l.log.Page(ctx, room, after, int(min(int64(limit), upTo-after)))
	if err != nil {
		return nil, err
	}
	if len(page) == 0 || page[0].Seq != after+1 {
		if err := l.missing(ctx, room, after); err != nil {
			return nil, err
		}
	}
	ps := make([]*frame.Publication, 0, len(page))
	for _, m := range page {
		if m.Seq <= upTo {
			ps = append(ps, publication(m))
		}
	}
	return ps, nil
}

// missing tells why a page does not begin behind after: what is there had its time, or there is nothing yet.
func (l *RoomLog) missing(ctx context.Context, room biz.RoomID, after int64) error {
	floor, err := l.log.Floor(ctx, room)
	switch {
	case biz.KindOf(err) == biz.KindNotFound:
		return nil // deleted, with all that it had
	case err != nil:
		return err
	case floor > after:
		return hub.ErrGone
	}
	return nil
}

// Heads implements hub.Heads.
func (l *RoomLog) Heads(ctx context.Context, channels []string) (map[string]int64, error) {
	rooms := make([]biz.RoomID, 0, len(channels))
	for _, c := range channels {
		if room, ok := RoomOf(c); ok {
			rooms = append(rooms, room)
		}
	}
	byChannel := make(map[string]int64, len(rooms))
	for part := range slices.Chunk(rooms, biz.MaxWatched) {
		heads, err := l.heads.Heads(ctx, part)
		if err != nil {
			return nil, err
		}
		for room, head := range heads {
			byChannel[RoomChannel(room)] = head.Seq
		}
	}
	return byChannel, nil
}
