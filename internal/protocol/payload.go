package protocol

import (
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// These are the payloads that a frame may have, beside *biz.Message, *biz.Ephemeral and *biz.Push. Every wire
// format knows how to write each of them.
type (
	// Own is a message as the sender's other sessions get it: with his own id for it.
	Own struct{ *biz.Message }

	// Ack answers a send.
	Ack struct {
		Room     biz.RoomID
		ClientID string // the client's id for what it sent
		Receipt  biz.Receipt
		Err      *biz.Error // nil: accepted
		MsgID    uint32     // of the request that it answers, where protocols number them; 0: none
	}

	// Notice tells of a change of a room's membership.
	Notice struct {
		Type     biz.MessageType // TypeJoinRoom or TypeLeaveRoom
		ID       string
		Room     biz.RoomID
		User     biz.UserID
		Metadata map[string]string
		Time     time.Time
	}

	// Expired tells a session that the messages of a room up to Seq, which it has not all received, are
	// no longer kept. It has the place of the last of them.
	Expired struct {
		ID   string
		Room biz.RoomID
		Seq  int64
		Time time.Time
	}

	// Missed tells a session that messages of a room that keeps none may not have reached it, or in another
	// order than others.
	Missed struct {
		ID   string
		Room biz.RoomID
		Time time.Time
	}

	// Heartbeat answers a heartbeat.
	Heartbeat struct {
		Content []byte
		Time    time.Time
	}
)

// NewExpired returns one under an id that can be acknowledged like a message's.
func NewExpired(room biz.RoomID, seq int64, now time.Time) *Expired {
	return &Expired{ID: biz.NewMessageID(room, seq, now), Room: room, Seq: seq, Time: now}
}

// News is what a session hears of those whom its client watches.
type News struct {
	Users  []biz.UserPresence
	Counts []RoomCount
	Time   time.Time
}

// RoomCount is how many users follow a room.
type RoomCount struct {
	Room   biz.RoomID
	Online int
}

// Greeting tells a client that cannot read its transport's headers what they say.
type Greeting struct {
	Headers map[string]string
	Time    time.Time
}
