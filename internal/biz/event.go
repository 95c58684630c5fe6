package biz

// Event is something that happened in a room, as its members are told of it: a SYSTEM message, with a place in
// the room's order where the room keeps its messages.
type Event struct {
	Type EventType
	By   UserID // empty: the node, or a service that speaks for nobody
	// Data is what a client shows who knows nothing but the type.
	Data map[string]string

	Target   int64 // seq of the message that it is about; 0: none
	State    MessageState
	Content  []byte // what an edited message says now
	Metadata map[string]string
	Reaction string
	Member   *Member // whom it is about, as he is then
	Room     *Room   // the room, if that has changed
}

// EventType names an event, as SystemContent.event_type and as the metadata `event_type`.
type EventType string

// MetaEventType is the metadata that names the event of a SYSTEM message, so that receivers need not decode it.
const MetaEventType = "event_type"

// The events of rooms.
const (
	EventRoomUpdated     EventType = "room_updated"
	EventRoomDeleted     EventType = "room_deleted" // not stored: nobody is left to read it
	EventRoleChanged     EventType = "role_changed"
	EventMuted           EventType = "member_muted"
	EventUnmuted         EventType = "member_unmuted"
	EventKicked          EventType = "member_kicked"
	EventBanned          EventType = "member_banned"
	EventInvited         EventType = "invited" // to the invited, not stored
	EventEdited          EventType = "message_edited"
	EventRecalled        EventType = "message_recalled"
	EventExpired         EventType = "message_expired"
	EventReactionAdded   EventType = "reaction_added"
	EventReactionRemoved EventType = "reaction_removed"
)

// StoredEvents are those that have a place in the log of a room, where acts have put them.
var StoredEvents = []EventType{
	EventRoomUpdated, EventRoleChanged, EventMuted, EventUnmuted, EventKicked, EventBanned,
	EventEdited, EventRecalled, EventExpired, EventReactionAdded, EventReactionRemoved,
}
