package biz

import "time"

// Act is what a draft does in its room besides being said: it changes a member, the room, or a message. The log
// asks it to decide in the transaction that stores the draft, under the lock of the room's row, so that what it
// rests on is true when it happens and all that happens in a room has one order.
type Act interface {
	// Needs tells what to read for Decide besides the room and the sender's membership.
	Needs() ActNeeds
	// Decide returns what is to happen. An error changes nothing and is what the sender gets. It may run more
	// than once, must not block, and keeps nothing of its argument.
	Decide(ActState) (ActPlan, error)
}

// ActNeeds names what a decision rests on; zero values need nothing.
type ActNeeds struct {
	Member UserID // whose membership, ban and invitation
	// Heir is an admin, the sender or Member, without whom the room would be whose. Of others it needs nothing.
	Heir UserID
	// Invitations counts those of the room, and of Member in all rooms.
	Invitations bool
	Message     int64 // seq of the message
	// Reaction is one of the sender to Message.
	Reaction string
}

// ActState is what a decision rests on.
type ActState struct {
	Now        time.Time
	Room       Room
	Sender     *Member // nil: no member
	Member     *Member // as all below: nil when there is none, or none was needed
	Ban        *Ban
	Invitation *Invitation
	Heir       *Member  // of the highest role among all but ActNeeds.Heir, and of those the one who joined first
	Invited    int      // how many invitations the room has, and
	Invites    int      // how many Member has
	Message    *Message // nil also when it is no longer kept
	Reacted    bool     // the sender has that reaction there
}

// ActPlan is what is to happen, all of it or nothing.
type ActPlan struct {
	// Event is what the room is told, in the draft's place; nil: nothing is said and no seq is used, and the
	// sender's receipt has the seq of Said, or none.
	Event *Event
	Said  int64

	Room   *Room   // the room as it is then; of it are written what UpdateRoom can change, and whether it is deleted
	Member *Member // a member as he is then
	Remove UserID  // whose membership ends
	Ban    *Ban    // who is kept out from now on
	Unban  UserID  // who no longer is
	Invite *Invitation
	Edit   *Edit // what becomes of ActNeeds.Message
}

// Edit is what becomes of a message.
type Edit struct {
	State MessageState
	// Content, Metadata and Mentions take the place of the old ones if Replace is set; a message that is
	// recalled has none, and what events about it have said is erased as well.
	Replace  bool
	Content  []byte
	Metadata map[string]string
	Mentions []UserID
	// React is a reaction of the sender that comes, or goes if Unreact is set.
	React   string
	Unreact bool
}

// MessageState is what has become of a message since it was said; the zero value: nothing.
type MessageState struct {
	Version    int64 // rises with every event about the message
	Edits      int
	EditedAt   time.Time
	Recalled   bool
	RecalledBy UserID // empty when its time was over
	RecalledAt time.Time
	RecallSeq  int64 // of the event
	Reactions  []ReactionCount
}

// ReactionCount is by how many users a message has a reaction.
type ReactionCount struct {
	Reaction string
	Users    int
}

// Ban keeps a user out of a room.
type Ban struct {
	Room   RoomID
	User   UserID
	By     UserID
	Reason string
	At     time.Time
	Until  time.Time // zero: for good
}

// Invitation lets a user join a room that is for the invited only.
type Invitation struct {
	Room    RoomID
	User    UserID
	Inviter UserID
	At      time.Time
}

// Mute is one that somebody had when he was a member.
type Mute struct{ Until time.Time } // zero: until he is unmuted

// holds mutes him who is a member again; nil: there is no mute.
func (m *Mute) holds(member *Member) {
	if m != nil {
		member.Muted, member.MutedUntil = true, m.Until
	}
}
