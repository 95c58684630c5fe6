package biz

import (
	"sync/atomic"
	"time"
)

// MessageType is the kind of a message; the numbers are those of im.v1.
type MessageType int32

// The message types.
const (
	TypeText      MessageType = 1
	TypeAudio     MessageType = 2
	TypeRichText  MessageType = 3
	TypeSystem    MessageType = 4
	TypeAck       MessageType = 5
	TypeJoinRoom  MessageType = 6
	TypeLeaveRoom MessageType = 7
	TypeHeartbeat MessageType = 8
	TypeEphemeral MessageType = 9
	TypePresence  MessageType = 10
)

// Message is what one user said in a room, as it is when it is read: what he has changed since shows. Content is
// opaque. A Message is not modified after it was made, so it is shared without locks.
type Message struct {
	ID          string // the server's, unique everywhere
	Room        RoomID
	Seq         int64 // from 1 without holes; 0 in a room that is not persistent
	Sender      UserID
	ClientID    string // the sender's own id for it, may be empty
	Type        MessageType
	Content     []byte
	Metadata    map[string]string
	AckRequired bool
	Time        time.Time

	ReplyTo   int64     // seq of the message that it answers; 0: none
	Mentions  []UserID  // MentionAll among them: everybody
	ExpiresAt time.Time // when the content is to be erased; zero: as the room has it
	// State is what has become of it since, as of when it was read; nil: nothing.
	State *MessageState
}

// MentionAll mentions every member.
const MentionAll UserID = "*"

// messageOverhead is what a message has beside texts and content: numbers, times and the tags of fields.
const messageOverhead = 64

// Bytes is about what the message takes in an answer: never less in protobuf, and in JSON a third more at
// most for what it contains.
func (m *Message) Bytes() int {
	n := messageOverhead + len(m.ID) + len(m.Room) + len(m.Sender) + len(m.Content)
	for k, v := range m.Metadata {
		n += len(k) + len(v) + metadataOverhead
	}
	for _, u := range m.Mentions {
		n += len(u) + mentionOverhead
	}
	if m.ReplyTo != 0 || !m.ExpiresAt.IsZero() {
		n += extrasOverhead
	}
	return n + m.State.bytes()
}

// What is beside texts: of a pair of metadata, of a mention, of what a few have besides, of a state and of a
// reaction in it.
const (
	metadataOverhead = 12
	mentionOverhead  = 4
	extrasOverhead   = 32
	stateOverhead    = 64
	reactionOverhead = 20
)

// Draft is a message that was accepted but has no place in its room yet.
type Draft struct {
	Message
	// Origin is the session that sent it, empty for a unary call. That session gets no echo.
	Origin SessionID
	// Asked is the request of Origin that it came with, where protocols number requests; nil: none.
	// The message's place in the room is that of the answer.
	Asked *Asked
	// Act is what it does besides being said; nil: nothing.
	Act Act
	// ExpiresIn is how long after it was stored its content is erased; 0: as the room has it. The log makes
	// ExpiresAt of it.
	ExpiresIn time.Duration
	// Service is set when a service sends it, whoever it speaks for.
	Service bool
	// Permit is by what the sender may say it.
	Permit Permit
	// Sent is the payload that the client sent, where an Interceptor has replaced it; nil: it has not. A
	// repetition is recognised by it.
	Sent *Payload
}

// Permit is what an accepted draft rests on. The zero Permit rests on nothing: the node itself speaks.
type Permit struct {
	Required bool  // the sender is a member who may say this
	Version  int64 // of the room, as of which that is known
}

// Permitted tells whether its sender may say d in the room, of which he is this member, or none if that is nil.
func (d *Draft) Permitted(room *Room, member *Member) error {
	switch {
	case member == nil:
		return errNotIn(d.Room, d.Sender)
	case member.MutedAt(time.Now()):
		return Errorf(KindPermissionDenied, "MUTED", "user %q is muted in room %q", d.Sender, d.Room)
	}
	if err := room.Config.accepts(d.Type); err != nil {
		return err
	}
	return d.permitsExtras(room, member)
}

// Asked is a request that is answered once, by whoever is first: its message as it is delivered, a
// failure, or the end of the client's patience. Safe for concurrent use.
type Asked struct {
	MsgID    uint32 // the client's number of it
	answered atomic.Bool
}

// Answer tells the first one who asks, and nobody else, that the answer is his to give.
func (a *Asked) Answer() bool { return a.answered.CompareAndSwap(false, true) }

// Receipt is the outcome of a send.
type Receipt struct {
	ID        string
	Seq       int64
	Time      time.Time
	Duplicate bool // the same message had been stored before; this is the first outcome
}
