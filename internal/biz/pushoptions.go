package biz

import (
	"context"
	"time"
)

const (
	// MaxAckWait is the longest PushOptions.AckWithin.
	MaxAckWait = 30 * time.Second
	// MaxPushTTL is the longest PushOptions.TTL: ten years, as for push.inbox_ttl.
	MaxPushTTL = 87600 * time.Hour
	// answerMargin is what is left of a caller's deadline for the answer, a tenth of it at most.
	answerMargin = 500 * time.Millisecond
)

// PushOptions qualify a push.
type PushOptions struct {
	StoreOffline bool // keep it in the inbox of an openid who is not connected
	// AckWithin, unless it is 0, makes delivered mean that a client has acknowledged the push, and the
	// call wait for that so long at most, and no longer than its own deadline lets it answer in time.
	AckWithin time.Duration
	// TTL, unless it is 0, is how long after its acceptance the push is worth to be delivered.
	TTL time.Duration
	// Key, unless it is empty, makes the call take effect once: see PushKeys.
	Key string
	// Bound names what else belongs to the request under Key. It has no effect of its own.
	Bound string
}

func (o PushOptions) check() *Error {
	if o.AckWithin < 0 || o.AckWithin > MaxAckWait {
		return Errorf(KindInvalid, "INVALID_REQUEST", "a wait of %v is not possible; more than 0 and up to %v is allowed", o.AckWithin, MaxAckWait)
	}
	if o.TTL < 0 || o.TTL > MaxPushTTL {
		return Errorf(KindInvalid, "INVALID_REQUEST", "a ttl of %v is not possible; more than 0 and up to %v is allowed", o.TTL, MaxPushTTL)
	}
	if o.Key == "" {
		return nil
	}
	if err := checkID("idempotency-key", o.Key); err != nil {
		return invalidPush(err)
	}
	return nil
}

// waiting returns the context to wait in.
func (o PushOptions) waiting(ctx context.Context) (context.Context, context.CancelFunc) {
	limit := o.AckWithin
	if end, ok := ctx.Deadline(); ok {
		left := time.Until(end)
		limit = min(limit, left-min(left/10, answerMargin))
	}
	return context.WithTimeout(ctx, limit)
}
