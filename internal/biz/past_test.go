package biz_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/game-im/hermod/internal/biz"
)

// past is a biz.HistoryRepo of one user in memory.
type past struct {
	user     biz.UserID
	rooms    map[biz.RoomID]*pastRoom
	looks    int // messages that were looked at to count unread ones
	reads    int // calls of Messages
	mentions map[biz.RoomID]int
	then     func() // happens once, between a look at where rooms stand and the reading of messages
}

// pastRoom is a room, with messages from floor+1 to head, each of size bytes by its Bytes.
type pastRoom struct {
	biz.Standing
	size int
	own  func(seq int64) bool // nil: none are the user's own
}

func newPast(user biz.UserID) *past { return &past{user: user, rooms: make(map[biz.RoomID]*pastRoom)} }

// with adds a room that the user is in.
func (p *past) with(room biz.RoomID, floor, head int64) *pastRoom {
	r := &pastRoom{Standing: biz.Standing{Room: room, Persistent: true, Head: head, Floor: floor, Member: true}, size: 200}
	p.rooms[room] = r
	return r
}

func (p *past) Standing(_ context.Context, room biz.RoomID, user biz.UserID) (biz.Standing, error) {
	r := p.rooms[room]
	if r == nil {
		return biz.Standing{}, biz.ErrRoomNotFound(room)
	}
	s := r.Standing
	if user != p.user {
		s.Member, s.Joined, s.Read = false, 0, 0
	}
	return s, nil
}

func (p *past) Standings(_ context.Context, user biz.UserID, after biz.RoomID, limit int) (list []biz.Standing, err error) {
	for _, r := range p.rooms {
		if r.Room > after && r.Member && user == p.user {
			list = append(list, r.Standing)
		}
	}
	slices.SortFunc(list, func(a, b biz.Standing) int { return cmp.Compare(a.Room, b.Room) })
	return list[:min(limit, len(list))], nil
}

func (p *past) Messages(_ context.Context, spans []biz.Span, maxBytes int) (messages []*biz.Message, err error) {
	p.reads++
	if then := p.then; then != nil {
		p.then = nil
		then()
	}
	for _, span := range spans {
		r := p.rooms[span.Room]
		for i := range span.To - span.After {
			seq := span.After + 1 + i
			if span.Back {
				seq = span.To - i
			}
			if r == nil || seq <= r.Floor || seq > r.Head {
				return messages, nil
			}
			if maxBytes -= r.size; maxBytes < 0 && len(messages) > 0 {
				return messages, nil
			}
			messages = append(messages, r.message(seq))
		}
	}
	return messages, nil
}

func (r *pastRoom) message(seq int64) *biz.Message {
	m := &biz.Message{ID: fmt.Sprintf("%s-%d", r.Room, seq), Room: r.Room, Seq: seq, Sender: "other"}
	if r.own != nil && r.own(seq) {
		m.Sender = "u"
	}
	m.Content = make([]byte, max(0, r.size-m.Bytes()))
	return m
}

func (p *past) Unread(_ context.Context, user biz.UserID, spans []biz.Span, most int) ([]int, error) {
	counts := make([]int, len(spans))
	before := p.looks
	for i, span := range spans {
		if p.looks-before >= 20_000 {
			return counts[:i], nil
		}
		for seq := span.To; seq > span.After && counts[i] < most; seq-- {
			p.looks++
			if p.rooms[span.Room].message(seq).Sender != user {
				counts[i]++
			}
		}
	}
	return counts, nil
}

func (p *past) Mentions(context.Context, biz.UserID, []biz.RoomID) (map[biz.RoomID]int, error) {
	return p.mentions, nil
}

func (p *past) MarkRead(_ context.Context, room biz.RoomID, user biz.UserID, seq int64) error {
	if r := p.rooms[room]; r != nil && user == p.user && r.Member {
		r.Read = max(r.Read, seq)
	}
	return nil
}
