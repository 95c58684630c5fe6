package biz

import (
	"slices"
	"time"
)

const (
	// MaxMentions is whom one message may mention.
	MaxMentions = 100
	// MaxExpiry is how far ahead a message may expire.
	MaxExpiry = 366 * 24 * time.Hour
)

// checkExtras checks what a sender says besides the content, as far as no room is needed for that. Whom a message
// mentions need not be a member: nobody else is told.
func (d *Draft) checkExtras() error {
	switch {
	case d.ReplyTo < 0:
		return Errorf(KindInvalid, "INVALID_ARGUMENT", "reply_to_seq is %d; it is not negative", d.ReplyTo)
	case d.ExpiresIn < 0 || d.ExpiresIn > MaxExpiry:
		return Errorf(KindInvalid, "INVALID_ARGUMENT", "expires_in_seconds is out of range; 0 to %d are allowed", MaxExpiry/time.Second)
	}
	var err error
	d.Mentions, err = checkMentions(d.Mentions)
	return err
}

// checkMentions returns the mentions without those that are there twice, in their order.
func checkMentions(mentions []UserID) ([]UserID, error) {
	if len(mentions) > MaxMentions {
		return nil, Errorf(KindInvalid, "TOO_MANY_MENTIONS", "there are %d mentions; at most %d are allowed", len(mentions), MaxMentions)
	}
	var once []UserID
	for _, u := range mentions {
		if err := checkID("a mention", string(u)); err != nil {
			return nil, err
		}
		if !slices.Contains(once, u) {
			once = append(once, u)
		}
	}
	return once, nil
}

// permitsExtras tells whether a member may say what d has besides its content, in a room as that is.
func (d *Draft) permitsExtras(room *Room, member *Member) error {
	if (d.ReplyTo > 0 || d.ExpiresIn > 0) && !room.Config.Persistent {
		return errNotPersistent(room.ID)
	}
	if slices.Contains(d.Mentions, MentionAll) {
		return May(Actor{User: d.Sender, Service: d.Service}, ActMentionAll, room, member, nil)
	}
	return nil
}

// Answers tells whether what d answers, if it answers anything, is there in a room whose head is this. It may have
// had its time since it was said.
func (d *Draft) Answers(head int64) error {
	if d.ReplyTo > head {
		return Errorf(KindInvalid, "ABOVE_HEAD", "reply_to_seq %d is not given out yet; the newest message of room %q is %d", d.ReplyTo, d.Room, head)
	}
	return nil
}

func errNotPersistent(room RoomID) *Error {
	return Errorf(KindInvalid, "ROOM_NOT_PERSISTENT", "room %q keeps no messages that could be answered, edited, recalled or reacted to, or expire", room)
}
