package biz

import "context"

// MyRoom is a room as one of its members finds it.
type MyRoom struct {
	OwnRoom
	State RoomState
	Last  *Message // nil: none that he can read
}

// MyRooms is a page of the rooms of a user.
type MyRooms struct {
	Rooms       []MyRoom
	Invitations []NamedInvitation // on the first page
	Next        string
}

// Mine pages through the rooms of a user, in the order in which he joined them.
func (a *RoomAdmin) Mine(ctx context.Context, by Identity, req ListRequest) (MyRooms, error) {
	user, err := by.ActAs(req.User)
	if err != nil {
		return MyRooms{}, err
	}
	limit, err := req.limit(DefaultMyRooms, MaxMyRooms)
	if err != nil {
		return MyRooms{}, err
	}
	after, err := readNumber(req.Token)
	if err != nil {
		return MyRooms{}, err
	}
	rooms, err := a.book.RoomsOf(ctx, user, after, limit)
	if err != nil {
		return MyRooms{}, err
	}
	var page MyRooms
	if page.Rooms, err = a.states(ctx, user, rooms, req.Bytes); err != nil {
		return MyRooms{}, err
	}
	if n := len(page.Rooms); n < len(rooms) || n == limit {
		page.Next = numberToken(rooms[n-1].Place)
	}
	if req.Token == "" {
		page.Invitations, err = a.book.Invitations(ctx, user, MaxInvitationsUser)
	}
	return page, err
}

// states adds what is unread and was said last. It leaves out rooms from the one on whose last message the page has no
// room for.
func (a *RoomAdmin) states(ctx context.Context, user UserID, rooms []OwnRoom, bytes int) ([]MyRoom, error) {
	mine, standings := make([]MyRoom, len(rooms)), make([]Standing, len(rooms))
	for i, r := range rooms {
		mine[i].OwnRoom = r
		standings[i] = Standing{
			Room: r.Room.ID, Persistent: r.Room.Config.Persistent, Head: r.Room.HeadSeq, Floor: r.Room.FloorSeq,
			Member: true, Joined: r.Member.JoinSeq, Read: r.Read,
		}.seenBy(true)
	}
	for done := 0; done < len(mine); {
		states, err := a.past.states(ctx, user, standings[done:])
		if err != nil {
			return nil, err
		}
		for i, s := range states {
			mine[done+i].State = s
		}
		done += len(states)
	}
	n, err := a.last(ctx, mine, standings, bytes)
	return mine[:n], err
}

// last reads the last message of each room, and tells how many rooms are through: one at least, and not those from the
// first on whose message does not fit behind others. One that is gone meanwhile is left out.
func (a *RoomAdmin) last(ctx context.Context, mine []MyRoom, standings []Standing, bytes int) (through int, err error) {
	if bytes == 0 {
		bytes = PageBytes
	}
	var spans []Span
	var places []int
	for i, s := range standings {
		if s.Head > s.Floor {
			spans, places = append(spans, Span{Room: s.Room, After: s.Head - 1, To: s.Head}), append(places, i)
		}
	}
	for none := true; len(spans) > 0; {
		found, err := a.past.repo.Messages(ctx, spans, max(bytes, 1))
		if err != nil {
			return 0, err
		}
		for i, m := range found { // the first of them is there however large it is
			if !none && m.Bytes() > bytes {
				return places[i], nil
			}
			mine[places[i]].Last, none = m, false
			bytes -= m.Bytes()
		}
		n := max(1, len(found)) // if there is none, that of the first is gone
		spans, places = spans[n:], places[n:]
	}
	return len(mine), nil
}
