package biz

import (
	"context"
	"errors"
	"time"
)

// WebhookInfo is a webhook as an operator sees it.
type WebhookInfo struct {
	Name  string
	Owner string    // the node that delivers it, by the id that it got when it started; empty: none
	Until time.Time // how long it is his, unless he says that it is for longer
	Since time.Time // what was stored before is not delivered
	WebhookStatus
	Dead int64 // messages that were given up
}

// WebhookBook is what operators know of webhooks, and do to them, on any node.
type WebhookBook interface {
	// List returns all that ever were, in the order of names.
	List(ctx context.Context) ([]WebhookInfo, error)
	// Dead returns what a webhook has given up, of one room or, if that is empty, behind a room and seq, in order,
	// at most limit ranges.
	Dead(ctx context.Context, webhook string, after WebhookDead, limit int) ([]WebhookDead, error)
	// Rewind has the messages of a room from a seq on delivered again, unless they are still to be delivered.
	// KindNotFound: there is no such webhook or room.
	Rewind(ctx context.Context, webhook string, room RoomID, seq int64) error
	// RewindTo has the messages of all rooms delivered again that were stored at a time or later, and returns in how
	// many rooms there were some.
	RewindTo(ctx context.Context, webhook string, at time.Time) (rooms int, err error)
	// Revive has what was given up tried once more, of all rooms if room is empty, and returns how many messages.
	Revive(ctx context.Context, webhook string, room RoomID) (messages int64, err error)
}

// Webhooks is what operators may know of webhooks, and have done. Safe for concurrent use.
type Webhooks struct {
	book WebhookBook
	kick func(webhook string, room RoomID) // has what was rewound looked at at once; an empty room: all
}

// NewWebhooks returns the use cases of looking after webhooks. kick must not block.
func NewWebhooks(book WebhookBook, kick func(webhook string, room RoomID)) *Webhooks {
	return &Webhooks{book: book, kick: kick}
}

const (
	defaultDeadPage = 100
	// MaxDeadPage is the most ranges in one answer.
	MaxDeadPage = 1000
)

// List returns all webhooks, in the order of names, those that the configuration does not name any more included.
func (w *Webhooks) List(ctx context.Context) ([]WebhookInfo, error) { return w.book.List(ctx) }

// Dead returns what a webhook has given up, behind a room and seq, at most limit ranges; 0 is a hundred.
func (w *Webhooks) Dead(ctx context.Context, webhook string, after WebhookDead, limit int) ([]WebhookDead, error) {
	if limit < 0 || limit > MaxDeadPage {
		return nil, Errorf(KindInvalid, "INVALID_ARGUMENT", "page_size is %d; up to %d is allowed", limit, MaxDeadPage)
	}
	if limit == 0 {
		limit = defaultDeadPage
	}
	if err := checkID("webhook", webhook); err != nil {
		return nil, err
	}
	return w.book.Dead(ctx, webhook, after, limit)
}

// WebhookReplay is what is to be delivered again: one of the three.
type WebhookReplay struct {
	Room RoomID // with Seq, from there on; with Dead, of this room alone
	Seq  int64
	Time time.Time // what was stored then or later, in all rooms
	Dead bool      // what was given up
}

// WebhookReplayed is what a replay has come to.
type WebhookReplayed struct {
	Rooms    int   // that are delivered again, as far as they are known
	Messages int64 // that were given up and are tried once more
}

// Replay has something delivered again, beside what is to be delivered anyhow. Its deliveries have new ids, so that a
// receiver which knows the old ones takes them.
func (w *Webhooks) Replay(ctx context.Context, webhook string, r WebhookReplay) (done WebhookReplayed, err error) {
	if err := errors.Join(checkID("webhook", webhook), checkOptionalID("room_id", string(r.Room))); err != nil {
		return done, err
	}
	switch {
	case r.Dead && r.Seq == 0 && r.Time.IsZero():
		done.Messages, err = w.book.Revive(ctx, webhook, r.Room)
	case !r.Dead && r.Room != "" && r.Seq > 0 && r.Time.IsZero():
		done.Rooms, err = 1, w.book.Rewind(ctx, webhook, r.Room, r.Seq)
	case !r.Dead && r.Room == "" && r.Seq == 0 && !r.Time.IsZero():
		done.Rooms, err = w.book.RewindTo(ctx, webhook, r.Time)
	default:
		return done, Errorf(KindInvalid, "INVALID_ARGUMENT", "say one of: a room with a seq of 1 or more, a time, or dead letters, with a room or without")
	}
	if err == nil {
		w.kick(webhook, r.Room)
	}
	return done, err
}

// ErrNoWebhook is what a WebhookBook answers for a webhook that never was.
func ErrNoWebhook(name string) *Error {
	return Errorf(KindNotFound, "WEBHOOK_NOT_FOUND", "there is no webhook %s", quote(name))
}
