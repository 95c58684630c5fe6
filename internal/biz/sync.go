package biz

import "context"

// Bounds of one page of a synchronisation, beside PageBytes.
const (
	DefaultSync = 200
	MaxSync     = 1000
	MaxCursors  = 10_000
	// standingsAtOnce is how many rooms are looked at in one query.
	standingsAtOnce = 128
	// messagesAtOnce is how many messages are asked for in one, so that no more of them are read in vain
	// than that when they turn out to be large.
	messagesAtOnce = 256
	// roomOverhead is what a room has in an answer beside its name and messages.
	roomOverhead = 40
)

// SyncRequest asks for what a user missed in all his rooms.
type SyncRequest struct {
	User    UserID           // empty: the caller's own
	Cursors map[RoomID]int64 // the last seq that the client has; a room without one begins at its floor
	Limit   int              // messages in a page; 0: DefaultSync
	Token   string           // SyncPage.Next of the page before; empty: the first page
	Bytes   int              // of a page; 0: PageBytes
}

// SyncPage is a part of what a user missed, and at the end where he then stands.
type SyncPage struct {
	Rooms []RoomPage
	Next  string // empty: this was the last page
	// Snapshot has rooms of the user as they are after all messages were read, in the order of their ids.
	// Those of all pages together are all his rooms.
	Snapshot []RoomState
}

// RoomPage is the next part of what was missed in one room.
type RoomPage struct {
	Room     RoomID
	Messages []*Message
	Floor    int64
	Reset    bool // what the client has does not connect to these messages
}

// Sync returns the next page of what a user missed. Each room is brought up to the head that it has when
// its turn comes, so that the pages end while others go on writing; what came later shows in the snapshot.
func (h *History) Sync(ctx context.Context, by Identity, req SyncRequest) (SyncPage, error) {
	user, err := by.ActAs(req.User)
	if err != nil {
		return SyncPage{}, err
	}
	if err := req.check(); err != nil {
		return SyncPage{}, err
	}
	at, err := readToken(req.Token, user)
	if err != nil {
		return SyncPage{}, err
	}
	w := &walk{
		History: h, user: user, cursors: req.Cursors, at: at,
		messages: orElse(req.Limit, DefaultSync), bytes: orElse(req.Bytes, PageBytes),
	}
	over, err := w.run(ctx)
	if err != nil {
		return SyncPage{}, err
	}
	if !over {
		w.page.Next = w.at.token(user)
	}
	return w.page, nil
}

func (r SyncRequest) check() error {
	if err := checkLimit(r.Limit, MaxSync); err != nil {
		return err
	}
	if len(r.Cursors) > MaxCursors {
		return Errorf(KindInvalid, "TOO_MANY_CURSORS", "there are %d cursors; at most %d are allowed", len(r.Cursors), MaxCursors)
	}
	for room, seq := range r.Cursors {
		if err := checkID("room_id of a cursor", string(room)); err != nil {
			return err
		}
		if seq < 0 {
			return Errorf(KindInvalid, "INVALID_ARGUMENT", "the cursor of room %s is %d; it is not negative", quote(string(room)), seq)
		}
	}
	return nil
}
