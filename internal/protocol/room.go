package protocol

import (
	"context"
	"log/slog"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/node"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/realtime/transport"
)

// followTimeout bounds looking up where a session starts in a room that its user joins elsewhere.
const followTimeout = 10 * time.Second

// Known tells whether a session's client knows of a message of its own user without being told.
type Known func(s *session.Session, m *biz.Message) bool

// Follower lets sessions of any protocol follow rooms, each from where its device left off. Safe for
// concurrent use.
type Follower struct {
	node    *node.Node
	backlog *biz.Backlog
	known   Known
	log     *slog.Logger
}

// NewFollower returns a Follower. What the log has of a session's own user, and known says is known, is
// left out.
func NewFollower(n *node.Node, backlog *biz.Backlog, known Known, log *slog.Logger) *Follower {
	return &Follower{node: n, backlog: backlog, known: known, log: log}
}

// Rooms returns the rooms that a user is a member of.
func (f *Follower) Rooms(ctx context.Context, user biz.UserID) ([]biz.RoomID, error) {
	return f.backlog.Rooms(ctx, user)
}

// Follow subscribes a session to those of the rooms that its user is a member of. What they have
// missed is read once begin is called. A room that the session follows already is no error.
func (f *Follower) Follow(ctx context.Context, s *session.Session, id biz.Identity, rooms []biz.RoomID) (begin func(), err error) {
	positions, err := f.backlog.Positions(ctx, id.User, id.Device, rooms)
	if err != nil {
		return nil, err
	}
	begins := make([]func(), 0, len(positions))
	for _, p := range positions {
		if p.Live {
			f.node.Subscribe(s, RoomChannel(p.Room), nil, 0)
			continue
		}
		source := &roomLog{Follower: f, session: s, room: p.Room, user: id.User, device: id.Device}
		source.Received(p.After) // so that the device is known from now on
		begins = append(begins, f.node.Attach(s, RoomChannel(p.Room), source, p.After))
	}
	begin = func() {
		for _, begin := range begins {
			begin()
		}
	}
	if err := f.dropLeft(ctx, s, id.User, positions); err != nil {
		begin() // nothing is followed by half
		return nil, err
	}
	return begin, nil
}

// dropLeft takes the session off rooms that its user has left while it was put on them: what takes his
// sessions off then may not have found it there yet.
func (f *Follower) dropLeft(ctx context.Context, s *session.Session, user biz.UserID, positions []biz.Position) error {
	followed := make([]biz.RoomID, len(positions))
	for i, p := range positions {
		followed[i] = p.Room
	}
	left, err := f.backlog.NotIn(ctx, user, followed)
	for _, room := range left {
		f.node.Unsubscribe(s, RoomChannel(room))
	}
	return err
}

// Later returns what lets a session follow a room that its user joins while it is open. A session
// that could not be subscribed ends: it would be without the room unawares, also after a resume. id is not
// copied, since every session holds one.
func (f *Follower) Later(id *biz.Identity) session.Follow {
	return func(s *session.Session, room string) {
		ctx, cancel := context.WithTimeout(context.Background(), followTimeout)
		defer cancel()
		begin, err := f.Follow(ctx, s, *id, []biz.RoomID{biz.RoomID(room)})
		if err != nil {
			f.log.Error("a session could not follow a room", "session", s.ID, "room", room, "error", err)
			f.node.End(s, transport.StoreGone)
			return
		}
		begin()
	}
}

// roomLog is a room's log as one device of one user reads it.
type roomLog struct {
	*Follower
	session *session.Session
	room    biz.RoomID
	user    biz.UserID
	device  biz.DeviceID
}

// Page implements session.Source.
func (r *roomLog) Page(ctx context.Context, after int64, limit int) ([]session.Entry, error) {
	messages, gone, err := r.backlog.Page(ctx, r.room, after, limit)
	if err != nil {
		return nil, err
	}
	entries := make([]session.Entry, 0, len(messages)+1)
	if gone > 0 {
		entries = append(entries, session.Entry{Seq: gone, Frame: frame.New(NewExpired(r.room, gone, time.Now())), Gap: true})
	}
	for _, m := range messages {
		e := session.Entry{Seq: m.Seq, Frame: r.frame(m)}
		e.AckRequired = m.AckRequired && e.Frame != nil
		entries = append(entries, e)
	}
	return entries, nil
}

// frame returns what the session gets of a message, nil for nothing. What is said in one's name, as SYSTEM
// messages are, one may not know.
func (r *roomLog) frame(m *biz.Message) *frame.Frame {
	own := m.Sender == r.user && m.Type != biz.TypeSystem
	switch {
	case own && r.known(r.session, m):
		return nil
	case own && m.ClientID != "":
		return frame.New(Own{m})
	}
	return frame.New(m)
}

// Received implements session.Source.
func (r *roomLog) Received(seq int64) {
	r.backlog.Delivered(biz.Cursor{Room: r.room, User: r.user, Device: r.device, Delivered: seq})
}
