package tail

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// User is the tail of all rooms of a user.
type User struct {
	view
	cfg     Config
	caller  *Caller
	cursors map[string]*int64 // of his rooms, up to where they were shown
}

// NewUser returns the tail of cfg.User.
func NewUser(cfg Config, caller *Caller, screen Screen, note Notes) *User {
	return &User{view: newView(cfg, screen, note), cfg: cfg, caller: caller, cursors: map[string]*int64{}}
}

// Run shows what there is and what comes, until ctx ends, which is no error, or as far as the Config says.
// Rooms that he joins are followed from then on, and those that he leaves no more.
func (u *User) Run(ctx context.Context) error {
	err := u.begin(ctx)
	for p := (pace{}); err == nil && !u.cfg.UntilHead; {
		if err = u.screen.Flush(); err != nil {
			break
		}
		var news bool
		p.look()
		if news, err = u.look(ctx); err == nil {
			err = p.wait(ctx, news)
		}
	}
	return u.end(ctx, err)
}

// begin shows what there is.
func (u *User) begin(ctx context.Context) error {
	newest := u.cfg.After < 0 && len(u.cfg.Rooms) == 0
	s, err := u.survey(ctx, nil, newest)
	if err != nil {
		return err
	}
	if len(s.snapshot) == 0 {
		u.note("%s is in no room", u.cfg.User)
	}
	if newest {
		return u.showNewest(s)
	}
	lanes, err := u.lanesBehind(s)
	if err != nil {
		return err
	}
	return u.catchUp(ctx, lanes)
}

// showNewest shows the last messages of all rooms together.
func (u *User) showNewest(s *survey) error {
	var lanes []*lane
	for _, room := range s.snapshot {
		cursor := room.GetFloorSeq()
		if page := s.found[room.GetRoomId()]; page != nil {
			cursor = page.GetHeadSeq()
			l := &lane{room: room.GetRoomId(), last: cursor}
			l.take(page.GetMessages())
			lanes = append(lanes, l)
		}
		u.cursors[room.GetRoomId()] = &cursor
	}
	var all []*imv1.MessageResponse
	gather := func(m *imv1.MessageResponse) error { all = append(all, m); return nil }
	if err := merge(lanes, ended, gather); err != nil {
		return err
	}
	all = all[max(0, len(all)-u.cfg.Last):]
	for _, m := range slices.Backward(all) {
		*u.cursors[m.GetRoomId()] = m.GetSeq() - 1
	}
	for _, m := range all {
		if err := u.put(m); err != nil {
			return err
		}
	}
	return nil
}

// lanesBehind is what there is behind where the Config says to begin.
func (u *User) lanesBehind(s *survey) (lanes []*lane, err error) {
	unknown := maps.Clone(u.cfg.Rooms)
	for _, room := range s.snapshot {
		id := room.GetRoomId()
		delete(unknown, id)
		after, named := u.cfg.Rooms[id]
		if !named {
			after = min(max(0, u.cfg.After), room.GetHeadSeq())
		}
		if err := behindHead(id, after, room.GetHeadSeq()); err != nil {
			return nil, err
		}
		u.cursors[id] = &after
		lanes = append(lanes, &lane{room: id, fetched: after, last: room.GetHeadSeq()})
	}
	for id := range unknown {
		return nil, fmt.Errorf("%s is not in room %s", u.cfg.User, id)
	}
	return lanes, nil
}

// put shows a message.
func (u *User) put(m *imv1.MessageResponse) error {
	cursor := u.cursors[m.GetRoomId()]
	if cursor == nil {
		return nil // he has left since
	}
	return u.show(m, cursor)
}

// ended is for lanes that have all that they will have.
func ended(*lane) error { return nil }

// Pages of all lanes together have about so many messages; of a single lane, at least a few.
const (
	messagesAtOnce = 4000
	fewest         = 20
)

// catchUp shows what the lanes have, page by page.
func (u *User) catchUp(ctx context.Context, lanes []*lane) error {
	limit := min(historyPage, max(fewest, messagesAtOnce/max(1, len(lanes))))
	return merge(lanes, func(l *lane) error { return u.refill(ctx, l, int32(limit)) }, u.put)
}

// refill fetches the next page of a lane.
func (u *User) refill(ctx context.Context, l *lane, limit int32) error {
	if l.fetched >= l.last {
		return nil
	}
	page, err := u.caller.history(ctx, &imv1.HistoryRequest{UserId: u.cfg.User, RoomId: l.room, AfterSeq: &l.fetched, Limit: limit})
	switch status.Code(err) {
	case codes.OK:
	case codes.PermissionDenied, codes.NotFound: // he has left since, or the room has ended
		u.leave(l.room)
		return nil
	default:
		return err
	}
	cursor := u.cursors[l.room]
	if cursor == nil {
		return nil
	}
	u.back(l.room, cursor, page.GetHeadSeq())
	if l.take(page.GetMessages()); len(l.here) == 0 {
		u.gone(l.room, cursor, min(page.GetFloorSeq(), l.last))
		l.fetched = l.last // the rest is gone
	}
	return nil
}

func (u *User) leave(room string) {
	delete(u.cursors, room)
	u.note("%s is not in room %s any more", u.cfg.User, room)
}

// enter begins with a room that he has joined.
func (u *User) enter(room string, floor int64) *int64 {
	cursor := u.cursors[room]
	if cursor == nil {
		cursor = &floor
		u.cursors[room] = cursor
		u.note("%s is in room %s now", u.cfg.User, room)
	}
	return cursor
}

// settle holds his rooms against a snapshot.
func (u *User) settle(snapshot []*imv1.RoomState) {
	his := make(map[string]bool, len(snapshot))
	for _, room := range snapshot {
		his[room.GetRoomId()] = true
		u.enter(room.GetRoomId(), room.GetFloorSeq())
	}
	for _, room := range slices.Sorted(maps.Keys(u.cursors)) {
		if !his[room] {
			u.leave(room)
		}
	}
}

// places are the cursors as a Sync takes them.
func (u *User) places() map[string]int64 {
	at := make(map[string]int64, len(u.cursors))
	for room, cursor := range u.cursors {
		at[room] = *cursor
	}
	return at
}

// anything is the end of a lane that takes whatever comes.
const anything = math.MaxInt64
