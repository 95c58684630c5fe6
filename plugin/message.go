package plugin

import (
	"context"
	"time"
)

// MessageInterceptor is the capability to decide about what members say, before it is stored.
//
// It is asked once everything else allows the message: the sender is a member, may speak, and what he
// says is within the limits. What services, transcripts and the node itself tell a room as events is
// not asked about.
type MessageInterceptor interface {
	// InterceptMessage returns m as it is to be stored: as it is, or with another Content or Metadata.
	// Nothing else of it may change. m is the plugin's own, which it may change in place; it has no ID,
	// Seq and Time yet.
	//
	// It is called by as many goroutines at once as the plugin's concurrency says, for messages of one
	// sender too. In whatever order calls end, what one sender says in one room keeps the order in which
	// he said it. A message that is sent again, under its ClientID, is asked about again.
	//
	// ctx ends at the plugin's deadline, or when the node gives up on the call; InterceptMessage then
	// returns soon. One that does not keeps its place among those that may run at once.
	//
	// An error by Refused or PermissionDenied refuses the message, and its sender is told the Reason, of
	// at most 1 KiB of UTF-8 without NUL. Everything else is a failure, of which on_failure decides: any
	// other error, a panic, a call that is not back in time, a message that may not be stored like that.
	InterceptMessage(ctx context.Context, m Message) (Message, error)
}

// MessageObserver is the capability to hear of messages that have been stored.
type MessageObserver interface {
	// ObserveMessage is told of a message after it was stored, or, in a room that keeps nothing, after it
	// was delivered; of one that was sent again, once. In a cluster the node that stored it tells its own
	// plugin, and no other.
	//
	// It is called by one goroutine at a time, in order of Seq within a room, and never holds a sender
	// up. A call that is not back at its deadline is given up, and the next one may begin beside it. What
	// waits beyond the plugin's queue, and what comes while the plugin is left alone since it failed too
	// often, is dropped and counted: what must hear of everything reads the log of the room besides. A
	// node that is killed takes what waits with it. An error counts as a failure, and nothing else
	// becomes of it.
	ObserveMessage(ctx context.Context, m Message) error
}

// MessageType is the kind of a message, by its number in im.v1.
type MessageType int32

// The types of what is said in rooms.
const (
	Text      MessageType = 1
	Recording MessageType = 2
	RichText  MessageType = 3
	System    MessageType = 4
)

// Message is what somebody says in a room.
type Message struct {
	ID       string // the node's, unique everywhere
	RoomID   string
	Seq      int64 // its place in the room, from 1 without holes; 0 in a room that keeps nothing
	UserID   string
	ClientID string // the sender's own id of it, may be empty
	Type     MessageType
	Content  []byte // as the client sent it: text, or what its clients agree on
	Metadata map[string]string
	Time     time.Time
}
