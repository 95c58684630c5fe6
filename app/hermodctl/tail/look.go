package tail

import (
	"context"
	"maps"
	"slices"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// survey is where a user's rooms stand.
type survey struct {
	snapshot []*imv1.RoomState
	found    map[string]*imv1.HistoryResponse // the newest page of each room that has something
}

// survey finds out which rooms have something behind cursors, without reading all of it: as soon as a
// Sync names one, it is asked for no more of that. What comes in such a room meanwhile is read over: asked about
// again, a room where something comes all the time would have no end.
func (u *User) survey(ctx context.Context, cursors map[string]int64, newest bool) (*survey, error) {
	limit := int32(1)
	if newest {
		limit = int32(min(max(1, u.cfg.Last), historyPage))
	}
	s := &survey{found: map[string]*imv1.HistoryResponse{}}
	req := &imv1.SyncRequest{UserId: u.cfg.User, Cursors: maps.Clone(cursors), Limit: 1}
	if req.Cursors == nil {
		req.Cursors = map[string]int64{}
	}
	seen := map[string]bool{}
	for {
		page, err := u.caller.sync(ctx, req)
		if err != nil {
			return nil, err
		}
		unseen := slices.DeleteFunc(page.GetRooms(), func(room *imv1.RoomPage) bool { return seen[room.GetRoomId()] })
		if len(unseen) > 0 {
			if err := u.skip(ctx, s, unseen, limit, req.Cursors); err != nil {
				return nil, err
			}
			req.Limit = nextSurvey(req.Limit, len(unseen))
			for _, room := range unseen {
				seen[room.GetRoomId()] = true
			}
			req.PageToken, s.snapshot = "", nil
			continue
		}
		s.snapshot = append(s.snapshot, page.GetSnapshot()...)
		if req.PageToken = page.GetNextPageToken(); req.PageToken == "" {
			return s, nil
		}
	}
}

// nextSurvey is how many messages a Sync had better bring that follows one of limit messages, of so many rooms. Each one
// begins with the first room: where it is told of one after another, it takes more of them the more rooms there are. In a room that
// has very much it reads messages for nothing.
func nextSurvey(limit int32, rooms int) int32 {
	if int32(rooms) > limit/2 {
		return min(2*limit, historyPage)
	}
	return max(1, limit/2)
}

// skip moves the cursors of rooms that have something to their heads.
func (u *User) skip(ctx context.Context, s *survey, rooms []*imv1.RoomPage, limit int32, cursors map[string]int64) error {
	for _, room := range rooms {
		page, err := u.caller.history(ctx, &imv1.HistoryRequest{UserId: u.cfg.User, RoomId: room.GetRoomId(), Limit: limit})
		switch status.Code(err) {
		case codes.OK:
		case codes.PermissionDenied, codes.NotFound: // he has left since, or the room has ended
			continue
		default:
			return err
		}
		s.found[room.GetRoomId()] = page
		cursors[room.GetRoomId()] = page.GetHeadSeq()
	}
	return nil
}

// look shows what is new, and tells whether anything was.
func (u *User) look(ctx context.Context) (news bool, err error) {
	m, err := u.missed(ctx)
	if err != nil {
		return false, err
	}
	if m.far {
		return true, u.lookFar(ctx)
	}
	lanes := u.sort(m)
	if err := merge(lanes, ended, u.put); err != nil {
		return false, err
	}
	u.settle(m.snapshot)
	return len(lanes) > 0, nil
}

// missed is what a Sync brings.
type missed struct {
	rooms    []*imv1.RoomPage
	snapshot []*imv1.RoomState
	far      bool // it is too much to be put in order at once, and not all here
}

func (u *User) missed(ctx context.Context) (m missed, err error) {
	req := &imv1.SyncRequest{UserId: u.cfg.User, Cursors: u.places(), Limit: syncPage}
	for messages := 0; ; {
		page, err := u.caller.sync(ctx, req)
		if err != nil {
			return m, err
		}
		for _, room := range page.GetRooms() {
			messages += len(room.GetMessages())
		}
		if m.far = messages > messagesAtOnce; m.far {
			return m, nil
		}
		m.rooms = append(m.rooms, page.GetRooms()...)
		m.snapshot = append(m.snapshot, page.GetSnapshot()...)
		if req.PageToken = page.GetNextPageToken(); req.PageToken == "" {
			return m, nil
		}
	}
}

// sort makes lanes of what a Sync has brought.
func (u *User) sort(m missed) (lanes []*lane) {
	heads := make(map[string]int64, len(m.snapshot))
	for _, room := range m.snapshot {
		heads[room.GetRoomId()] = room.GetHeadSeq()
	}
	of := map[string]*lane{}
	for _, room := range m.rooms {
		id := room.GetRoomId()
		cursor := u.enter(id, room.GetFloorSeq())
		if room.GetReset_() && room.GetFloorSeq() <= *cursor { // it is above the head
			u.back(id, cursor, heads[id])
			continue
		}
		l := of[id]
		if l == nil {
			l = &lane{room: id, fetched: *cursor, last: anything}
			of[id], lanes = l, append(lanes, l)
		}
		if l.take(room.GetMessages()); len(l.here) == 0 {
			u.gone(id, cursor, room.GetFloorSeq())
		}
	}
	return lanes
}

// lookFar is look for a user who has fallen far behind, as when the node was away.
func (u *User) lookFar(ctx context.Context) error {
	s, err := u.survey(ctx, u.places(), false)
	if err != nil {
		return err
	}
	u.settle(s.snapshot)
	var lanes []*lane
	for id, page := range s.found {
		if cursor := u.cursors[id]; cursor != nil {
			u.back(id, cursor, page.GetHeadSeq())
			lanes = append(lanes, &lane{room: id, fetched: *cursor, last: page.GetHeadSeq()})
		}
	}
	return u.catchUp(ctx, lanes)
}
