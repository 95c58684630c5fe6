package biz

import (
	"context"
	"strconv"
	"sync/atomic"
	"time"
)

// Bounds of what one page of readers has.
const (
	DefaultReaders = 100
	MaxReaders     = 1000
)

// Watermark is how far a member has got in a room.
type Watermark struct {
	User UserID
	Read int64
	// Delivered is what the device has that got furthest. It may be some seconds behind, and is never below
	// Read.
	Delivered int64
}

// WatermarkRepo reads how far members have got.
type WatermarkRepo interface {
	// Watermarks returns members in the order in which they joined, behind a place in it, who have read up to
	// seq at least, and limit of them at most. next is where to go on, 0 at the end. It looks at a bounded
	// number of members, so that a page may have fewer, even none.
	Watermarks(ctx context.Context, room RoomID, after, seq int64, limit int) (page []Watermark, next int64, err error)
}

// WatermarkRules are the node's settings.
type WatermarkRules struct {
	// MaxTold is the number of members up to which they are told live how far each has read; 0: nowhere.
	MaxTold int
}

// Watermarks is how far members have read, and got, what was said. Safe for concurrent use.
type Watermarks struct {
	history *History
	repo    WatermarkRepo
	rooms   RoomRepo
	members MemberRepo
	live    Teller
	rules   atomic.Pointer[WatermarkRules]
}

// NewWatermarks returns the use cases of watermarks.
func NewWatermarks(history *History, repo WatermarkRepo, rooms RoomRepo, members MemberRepo, live Teller, rules WatermarkRules) *Watermarks {
	w := &Watermarks{history: history, repo: repo, rooms: rooms, members: members, live: live}
	w.SetRules(rules)
	return w
}

// SetRules replaces the rules, for what is marked from then on.
func (w *Watermarks) SetRules(rules WatermarkRules) { w.rules.Store(&rules) }

// MarkRead does what History.MarkRead does, and tells the members who are there of a mark that has risen, where
// they are few enough.
func (w *Watermarks) MarkRead(ctx context.Context, by Identity, room RoomID, named UserID, seq int64) (RoomState, error) {
	user, err := by.ActAs(named)
	if err != nil {
		return RoomState{}, err
	}
	state, rose, err := w.history.markRead(ctx, room, user, seq)
	if rose {
		w.tell(ctx, room, user, max(seq, state.Read))
	}
	return state, err
}

// tell is a hint: whoever misses it finds the mark with Readers.
func (w *Watermarks) tell(ctx context.Context, room RoomID, user UserID, seq int64) {
	most := w.rules.Load().MaxTold
	if most <= 0 {
		return
	}
	s, err := w.rooms.Speaker(ctx, room, user)
	if err != nil || s.Room.Members > most {
		return
	}
	w.live.DeliverEphemeral(&Ephemeral{
		Room: room, User: user, Kind: EphemeralRead, Data: map[string]string{"seq": strconv.FormatInt(seq, 10)}, Time: time.Now(),
	})
}

// ReadersRequest asks for a page of watermarks.
type ReadersRequest struct {
	Room  RoomID
	User  UserID // empty: the caller's own; or nobody, who sees all rooms
	Seq   int64  // only members who have read up to here; 0: all
	Limit int    // 0: DefaultReaders
	Token string // from the page before
}

// ReadersPage is a page of watermarks, in the order in which members joined. It may have none although there
// are more.
type ReadersPage struct {
	Members []Watermark
	Next    string // empty: this is the last one
}

// Readers pages through how far the members of a room have got, for one of them, or for a service.
func (w *Watermarks) Readers(ctx context.Context, by Identity, req ReadersRequest) (ReadersPage, error) {
	who, err := readerOf(by, req.User)
	if err != nil {
		return ReadersPage{}, err
	}
	limit := req.Limit
	if limit == 0 {
		limit = DefaultReaders
	}
	switch err := checkID("room_id", string(req.Room)); {
	case err != nil:
		return ReadersPage{}, err
	case limit < 0 || limit > MaxReaders:
		return ReadersPage{}, Errorf(KindInvalid, "INVALID_ARGUMENT", "limit is %d; 1 to %d are allowed, and 0 for %d", req.Limit, MaxReaders, DefaultReaders)
	case req.Seq < 0:
		return ReadersPage{}, Errorf(KindInvalid, "INVALID_ARGUMENT", "seq is %d; it is not negative", req.Seq)
	}
	from, err := readToken(req.Token, who.user)
	if err != nil {
		return ReadersPage{}, err
	}
	if req.Token != "" && from.room != req.Room {
		return ReadersPage{}, errToken("it was given out for another room")
	}
	if err := who.mayRead(ctx, w.rooms, w.members, req.Room); err != nil {
		return ReadersPage{}, err
	}
	if who.any {
		if _, err := w.rooms.Room(ctx, req.Room); err != nil {
			return ReadersPage{}, err
		}
	}
	page, next, err := w.repo.Watermarks(ctx, req.Room, from.seq, req.Seq, limit)
	if err != nil || next == 0 {
		return ReadersPage{Members: page}, err
	}
	return ReadersPage{Members: page, Next: place{room: req.Room, seq: next}.token(who.user)}, nil
}
