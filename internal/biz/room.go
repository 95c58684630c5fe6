package biz

import "time"

// Room is a conversation that outlives its connections.
type Room struct {
	ID          RoomID
	Name        string
	Description string
	Config      RoomConfig
	CreatedAt   time.Time
	LastActive  time.Time
	HeadSeq     int64 // seq of the last message, 0 when there is none
	FloorSeq    int64 // messages up to this one are no longer kept
	Members     int
	Kind        RoomKind
	// Version rises with whatever changes who may say what in the room: somebody joins, leaves or is changed,
	// or the room is.
	Version int64
	// DeletedAt is when the room was deleted. One that is read is there, and has none.
	DeletedAt time.Time
}

// RoomConfig says what a room accepts and keeps.
type RoomConfig struct {
	MaxUsers       int // 0: no limit
	Persistent     bool
	MessageTTL     time.Duration // 0: for ever
	IdleTimeout    time.Duration // 0: never
	AllowAudio     bool
	AllowRichText  bool
	AutoTranscribe bool
	InviteOnly     bool // only who was invited, or is brought by a service, may join
}

// RoomKind is what kind of room it is; the numbers are those of im.v1.
type RoomKind int8

// The kinds of rooms.
const (
	KindGroup  RoomKind = 0 // anybody may join it, or who is invited
	KindDirect RoomKind = 1 // the one room of a pair of users
)

// DefaultRoomConfig is what a new room gets when configuration says nothing else.
func DefaultRoomConfig() RoomConfig {
	return RoomConfig{Persistent: true, AllowAudio: true, AllowRichText: true}
}

// Bounds of what rooms are called.
const (
	MaxRoomName        = 255  // bytes
	MaxRoomDescription = 4096 // bytes
	// maxRoomSpan bounds the spans of a configuration, so that a clock can take them.
	maxRoomSpan = 100 * 365 * 24 * time.Hour
)

// check refuses a configuration that makes no sense.
func (c RoomConfig) check() error {
	switch {
	case c.MaxUsers < 0:
		return Errorf(KindInvalid, "INVALID_ARGUMENT", "max_users is %d; it is not negative, and 0 is no limit", c.MaxUsers)
	case c.MessageTTL < 0 || c.MessageTTL > maxRoomSpan:
		return Errorf(KindInvalid, "INVALID_ARGUMENT", "message_ttl_seconds must be between 0, for ever, and %d", int64(maxRoomSpan/time.Second))
	case c.IdleTimeout < 0 || c.IdleTimeout > maxRoomSpan:
		return Errorf(KindInvalid, "INVALID_ARGUMENT", "idle_timeout_seconds must be between 0, never, and %d", int64(maxRoomSpan/time.Second))
	}
	return nil
}

func checkRoomTexts(name, description string) error {
	if len(name) > MaxRoomName {
		return Errorf(KindInvalid, "INVALID_ARGUMENT", "name has %d bytes; at most %d are allowed", len(name), MaxRoomName)
	}
	if len(description) > MaxRoomDescription {
		return Errorf(KindInvalid, "INVALID_ARGUMENT", "description has %d bytes; at most %d are allowed", len(description), MaxRoomDescription)
	}
	if err := checkText("name", name); err != nil {
		return err
	}
	return checkText("description", description)
}

// accepts tells whether a message of this type may be sent to the room.
func (c RoomConfig) accepts(t MessageType) error {
	switch {
	case t == TypeAudio && !c.AllowAudio:
		return Errorf(KindPermissionDenied, "AUDIO_NOT_ALLOWED", "this room does not accept AUDIO messages")
	case t == TypeRichText && !c.AllowRichText:
		return Errorf(KindPermissionDenied, "RICH_TEXT_NOT_ALLOWED", "this room does not accept RICH_TEXT messages")
	}
	return nil
}
