package client

import (
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"google.golang.org/protobuf/proto"
)

// EventType says what happened in a room. A program shows those that it does not know as they are, or not at
// all: newer servers have more.
type EventType string

// The events of rooms; docs/rooms.md says which fields of Event each has.
const (
	EventRoomUpdated     EventType = "room_updated"
	EventRoomDeleted     EventType = "room_deleted"
	EventRoleChanged     EventType = "role_changed"
	EventMuted           EventType = "member_muted"
	EventUnmuted         EventType = "member_unmuted"
	EventKicked          EventType = "member_kicked"
	EventBanned          EventType = "member_banned"
	EventInvited         EventType = "invited" // comes to the invited alone
	EventEdited          EventType = "message_edited"
	EventRecalled        EventType = "message_recalled"
	EventExpired         EventType = "message_expired"
	EventReactionAdded   EventType = "reaction_added"
	EventReactionRemoved EventType = "reaction_removed"
	EventTranscript      EventType = "transcript_completed"
	EventNoTranscript    EventType = "transcript_failed"
	// EventMessagesGone stands in the place of messages that this client has not got and that are not kept any
	// more; EventMessagesMissed says that some of a room that keeps none may have passed it by. Both are a word
	// to one client and not of the room.
	EventMessagesGone   EventType = "messages_expired"
	EventMessagesMissed EventType = "messages_missed"
)

// keyEventType is the metadata that names the event of a SYSTEM message.
const keyEventType = "event_type"

// Event is something that happened in a room, as a SYSTEM message tells of it.
type Event struct {
	Type   EventType
	RoomID string
	Seq    int64     // its own place in the room; 0 when it has none
	By     string    // who did it; empty: the server, or a service that speaks for nobody
	Time   time.Time // when
	// Data is what goes with the type: reasons, for people, and what has no field here.
	Data map[string]string

	// Target is the seq of the message that it is about; 0: none. State is what has become of that one. Whoever
	// has it as of a higher version keeps what he has, as Timeline does.
	Target   int64
	State    *imv1.MessageState
	Content  []byte            // of EventEdited: what the message says now
	Metadata map[string]string // and its metadata
	Mentions []string          // and whom it mentions
	Reaction string            // of EventReactionAdded and EventReactionRemoved

	Member *imv1.RoomUser // whom it is about, as he is then
	Room   *imv1.RoomInfo // the room, if that has changed
}

// aboutMessages are the events that change a message.
var aboutMessages = map[EventType]bool{
	EventEdited: true, EventRecalled: true, EventExpired: true, EventReactionAdded: true, EventReactionRemoved: true,
}

// EventOf returns the event that a message tells of. False: it tells of none, but is a message, a notice, a push
// or a service's own; or its content cannot be read. An event whose content is gone has its type alone.
func EventOf(msg *imv1.MessageResponse) (*Event, bool) {
	named := msg.GetMetadata()[keyEventType]
	if msg.GetType() != imv1.MessageType_MESSAGE_TYPE_SYSTEM || msg.GetRoomId() == "" || named == "" {
		return nil, false
	}
	var said imv1.SystemContent
	if proto.Unmarshal(msg.GetContent(), &said) != nil || len(msg.GetContent()) > 0 && said.GetEventType() != named {
		return nil, false
	}
	e := &Event{
		Type: EventType(named), RoomID: msg.GetRoomId(), Seq: msg.GetSeq(), By: msg.GetFromUserId(), Data: said.GetEventData(),
		Target: said.GetTargetSeq(), State: said.GetState(), Content: said.GetContent(), Metadata: said.GetMetadata(),
		Mentions: msg.GetMentions(), Reaction: said.GetReaction(), Member: said.GetMember(), Room: said.GetRoom(),
	}
	if msg.GetTimestamp() != nil {
		e.Time = msg.GetTimestamp().AsTime()
	}
	return e, true
}
