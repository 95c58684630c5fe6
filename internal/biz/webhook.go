package biz

import (
	"context"
	"time"
)

// A webhook delivers what is stored in rooms to somebody's HTTP endpoint. What it delivers from is the log itself: a
// message is in the log or was never stored, and the log of a room has no holes and one order, on every database and
// however many nodes write it. So all that is kept for a webhook is how far each room is delivered.

// WebhookLease is a node's right to deliver one webhook.
type WebhookLease struct {
	Name  string
	Owner string
	Term  int64     // another one with each owner
	Since time.Time // what was stored before is not delivered
}

// WebhookHold is what a node says when it asks for a lease, or to keep it.
type WebhookHold struct {
	Name, Owner string
	Now, Until  time.Time // Until at Now gives the lease back
	WebhookStatus
}

// WebhookStatus is how a webhook fares.
type WebhookStatus struct {
	Lag       int64     // messages to be delivered, when that was last counted
	Delivered time.Time // when a request was last answered well; zero: never
	Failed    time.Time // and when not; zero: never
	Error     string    // what was wrong then
}

// WebhookPlace is how far one room is delivered.
type WebhookPlace struct {
	Room RoomID
	Made time.Time    // when the room was made: it may have had a predecessor
	Seq  int64        // delivered up to here
	Head int64        // when it was read
	Mark *WebhookMark // nil: none
	// Replays is how often somebody has asked the webhook for something again.
	Replays int64
}

// WebhookMark is what the store has of a place.
type WebhookMark struct {
	Made time.Time
	Seq  int64
}

// WebhookMove is progress in one room: from a place, as it was read, to a seq.
type WebhookMove struct {
	From WebhookPlace
	To   int64
	Dead []WebhookDead // what was given up on the way
}

// WebhookDead is messages side by side that were given up, as a range of seq.
type WebhookDead struct {
	Webhook  string
	Room     RoomID
	From, To int64
	Died     time.Time
	Reason   string
	Again    bool // somebody wants it to be tried once more
}

// WebhookBehind is a page of rooms that have something to deliver.
type WebhookBehind struct {
	Rooms []WebhookLag
	Next  RoomID // where the next page begins behind; empty: there is none
}

// WebhookLag is how many messages a room has to deliver; 1, if it has some and no mark.
type WebhookLag struct {
	Room     RoomID
	Messages int64
}

// WebhookQueue keeps what a node needs that delivers.
type WebhookQueue interface {
	// Hold takes or renews a lease, and makes the webhook if there is none. It returns false while another node
	// has it; on a database that is one node's, no other has.
	Hold(ctx context.Context, h WebhookHold) (WebhookLease, bool, error)
	// Behind looks at rooms behind after, in the order of ids, some hundred at a time.
	Behind(ctx context.Context, l WebhookLease, after RoomID) (WebhookBehind, error)
	// Place reads how far a room is delivered. A room that there is not, or that keeps nothing, has the head 0.
	Place(ctx context.Context, l WebhookLease, room RoomID) (WebhookPlace, error)
	// Settle notes progress, and returns the rooms where somebody else has moved the place meanwhile: nothing is
	// noted there. Without the lease nothing is noted at all, and it fails with ErrWebhookLost.
	Settle(ctx context.Context, l WebhookLease, moves []WebhookMove) (lost []RoomID, err error)
}

// WebhookGraveyard keeps what was given up.
type WebhookGraveyard interface {
	// Wanted returns what is to be tried once more, at most limit.
	Wanted(ctx context.Context, webhook string, limit int) ([]WebhookDead, error)
	// Buried takes the word of what came of that: it was delivered and is forgotten, or is as dead as before.
	Buried(ctx context.Context, d WebhookDead, delivered bool) error
	// Forget forgets what was given up before a time.
	Forget(ctx context.Context, webhook string, before time.Time) error
}

// ErrWebhookLost is what a node is told that has no lease any more.
var ErrWebhookLost = Errorf(KindUnavailable, "WEBHOOK_LOST", "another node delivers this webhook now")
