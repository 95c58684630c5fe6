package plugin

import (
	"context"
	"time"
)

// RoomObserver is the capability to hear who joins and leaves rooms.
type RoomObserver interface {
	// ObserveRoom is told of a change after it was stored. In a cluster the node where it was asked for
	// tells its own plugin, and no other.
	//
	// It is called by one goroutine at a time, the same that calls ObserveMessage, in the order in which
	// the node learned of the changes. All that is said there of deadline, queue and errors holds here.
	// An implementation ignores a Kind that it does not know: there may be more of them one day.
	ObserveRoom(ctx context.Context, e RoomEvent) error
}

// RoomEventKind says what has happened.
type RoomEventKind uint8

// What happens to memberships.
const (
	Joined RoomEventKind = iota + 1 // a new member; joining again is no event
	Left                            // no member any more
)

func (k RoomEventKind) String() string {
	switch k {
	case Joined:
		return "joined"
	case Left:
		return "left"
	}
	return "unknown"
}

// RoomEvent is a change of who is in a room.
type RoomEvent struct {
	Kind     RoomEventKind
	RoomID   string
	UserID   string // who joined or left
	Nickname string // with Joined; may be empty
	Role     string // with Joined
	Time     time.Time
}
