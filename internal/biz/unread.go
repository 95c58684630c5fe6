package biz

import "context"

const (
	// MaxUnread is where counting what is unread ends.
	MaxUnread = 1000
	// unreadAmong bounds what is looked at to count it: the newest messages of a room. Who has written
	// nearly all of those himself may be told of too few that others have.
	unreadAmong = 5 * MaxUnread
)

// RoomState is where a room and one of its members stand.
type RoomState struct {
	Room   RoomID
	Head   int64
	Floor  int64 // nothing up to here is there for him
	Read   int64 // as MarkRead left it
	Unread int   // messages of others above Read and Floor, MaxUnread at most
	// Mentions is how many of the unread mention him.
	Mentions int
}

// MarkRead says that the user has read the room up to seq, and returns where he then stands. A mark never
// goes back; a new membership begins without one, at the room's head.
func (h *History) MarkRead(ctx context.Context, by Identity, room RoomID, named UserID, seq int64) (RoomState, error) {
	user, err := by.ActAs(named)
	if err != nil {
		return RoomState{}, err
	}
	state, _, err := h.markRead(ctx, room, user, seq)
	return state, err
}

// markRead tells besides whether the mark was raised.
func (h *History) markRead(ctx context.Context, room RoomID, user UserID, seq int64) (_ RoomState, rose bool, err error) {
	if err := checkID("room_id", string(room)); err != nil {
		return RoomState{}, false, err
	}
	s, err := h.membership(ctx, room, user)
	switch {
	case err != nil:
		return RoomState{}, false, err
	case seq < 0:
		return RoomState{}, false, Errorf(KindInvalid, "INVALID_ARGUMENT", "seq is %d; it is not negative", seq)
	case seq > s.Head:
		return RoomState{}, false, Errorf(KindInvalid, "ABOVE_HEAD", "seq %d is not given out yet; the newest message of room %q is %d", seq, room, s.Head)
	}
	if rose = seq > s.Read; rose {
		if err := h.repo.MarkRead(ctx, room, user, seq); err != nil {
			return RoomState{}, false, err
		}
		if s, err = h.membership(ctx, room, user); err != nil {
			return RoomState{}, rose, err
		}
	}
	states, err := h.states(ctx, user, []Standing{s})
	if err != nil {
		return RoomState{}, rose, err
	}
	return states[0], rose, nil
}

// membership is the standing of a member.
func (h *History) membership(ctx context.Context, room RoomID, user UserID) (Standing, error) {
	s, err := h.repo.Standing(ctx, room, user)
	if err != nil {
		return Standing{}, err
	}
	if !s.Member {
		return Standing{}, errNotIn(room, user)
	}
	return s.seenBy(true), nil
}

// states counts what is unread, in the first of the standings, one at least. They are as the user sees them.
func (h *History) states(ctx context.Context, user UserID, standings []Standing) ([]RoomState, error) {
	states := make([]RoomState, len(standings))
	var spans []Span
	var counted []int // where in states a span belongs
	for i, s := range standings {
		states[i] = RoomState{Room: s.Room, Head: s.Head, Floor: s.Floor, Read: s.Read}
		if span := unreadSpan(s); !span.empty() {
			spans, counted = append(spans, span), append(counted, i)
		}
	}
	if len(spans) == 0 {
		return states, nil
	}
	counts, err := h.repo.Unread(ctx, user, spans, MaxUnread)
	if err != nil {
		return nil, err
	}
	for i, n := range counts {
		states[counted[i]].Unread = n
	}
	if n := len(counts); n < len(counted) {
		states = states[:counted[n]]
	}
	return states, h.countMentions(ctx, user, states)
}

// countMentions looks for mentions where something is unread.
func (h *History) countMentions(ctx context.Context, user UserID, states []RoomState) error {
	var rooms []RoomID
	for _, s := range states {
		if s.Unread > 0 {
			rooms = append(rooms, s.Room)
		}
	}
	if len(rooms) == 0 {
		return nil
	}
	counts, err := h.repo.Mentions(ctx, user, rooms)
	for i, s := range states {
		states[i].Mentions = min(counts[s.Room], s.Unread)
	}
	return err
}

// unreadSpan is where to look for what is unread.
func unreadSpan(s Standing) Span {
	return Span{Room: s.Room, After: max(s.Read, s.Floor, s.Head-unreadAmong), To: s.Head}
}
