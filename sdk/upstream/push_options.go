package upstream

import (
	"errors"
	"fmt"
	"strings"
	"time"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
)

// Limits of what call options may say; the gateway has the same.
const (
	maxKeyBytes = 255
	maxAckWait  = 30 * time.Second
)

// CallOption qualifies one call.
type CallOption func(*callOptions)

type callOptions struct {
	key    string
	keyed  bool
	wait   time.Duration
	waits  bool
	store  bool
	ttl    time.Duration
	mortal bool
	hint   gatewayv1.NotifySyncHint
	bound  uint64
	answer *Request // whose answer the push is bound to
	header []string // keys and values

	repeatable bool // also without a key
}

// IdempotencyKey makes the call take effect once: the same call with the same key within 24 hours
// pushes nothing and gets the first outcome, and another call with it is refused with
// ErrIdempotencyConflict. The key has 1 to 255 bytes of printable ASCII, without blanks at its ends.
// It belongs to the service that calls, as its token names it; services that share a token share
// their keys.
func IdempotencyKey(key string) CallOption {
	return func(o *callOptions) { o.key, o.keyed = key, true }
}

// WaitForAck makes Delivered mean that a client has acknowledged the push, and the call wait for that:
// so long at most, 30 s being the limit, and a little less than the context's deadline. Whoever has not
// acknowledged it by then is Queued, and may still get it. Not for Broadcast.
func WaitForAck(timeout time.Duration) CallOption {
	return func(o *callOptions) { o.wait, o.waits = timeout, true }
}

// StoreOffline keeps a push for an openid who has no session, who then is Queued: he gets it when he
// next connects. With WaitForAck it is kept unless it was acknowledged, so that it may come twice, with
// the same message_id. Not for Broadcast.
func StoreOffline() CallOption { return func(o *callOptions) { o.store = true } }

// Before has the push written immediately ahead of the answer to r, which is a request that a handler
// has in hand: the client gets the push, then the answer. The target is r.Caller() or the user of r.
// The outcome comes at once, as Queued: the gateway keeps the push until it has the answer. A handler
// must not WaitForAck of it, since it is written when the handler is done. For Push alone.
func Before(r *Request) CallOption {
	return func(o *callOptions) { o.bindTo(gatewayv1.NotifySyncHint_NSH_BEFORE_RESPONSE, r) }
}

// After is Before, with the push right behind the answer. When the answer is written already, the push
// is at once.
func After(r *Request) CallOption {
	return func(o *callOptions) { o.bindTo(gatewayv1.NotifySyncHint_NSH_AFTER_RESPONSE, r) }
}

func (o *callOptions) bindTo(hint gatewayv1.NotifySyncHint, r *Request) {
	o.hint, o.bound, o.answer = hint, r.ClientSeq, r
}

// TTL is how long the push is worth to be delivered: whoever has not been written it by then does not get
// it, wherever it waits. A push that the gateway gave up on while somebody waited for it is Expired.
func TTL(d time.Duration) CallOption {
	return func(o *callOptions) { o.ttl, o.mortal = d, true }
}

// BoundTo is Before or After for who has no Request but the client's number of it. For Push alone.
func BoundTo(hint gatewayv1.NotifySyncHint, clientSeqID uint64) CallOption {
	return func(o *callOptions) { o.hint, o.bound = hint, clientSeqID }
}

// Header adds to the gRPC metadata of the call, which is for the gateway and what is on the way to it.
// What clients get is Notification.Metadata.
func Header(key, value string) CallOption {
	return func(o *callOptions) { o.header = append(o.header, key, value) }
}

// collect gathers and checks the options, and writes them as request metadata.
func collect(opts []CallOption) (callOptions, error) {
	var o callOptions
	for _, set := range opts {
		set(&o)
	}
	if o.keyed {
		if err := checkKey(o.key); err != nil {
			return o, err
		}
		o.header = append(o.header, "idempotency-key", o.key)
	}
	if o.waits {
		if o.wait <= 0 || o.wait > maxAckWait {
			return o, fmt.Errorf("upstream: WaitForAck(%v) is not possible; more than 0 and up to %v is allowed", o.wait, maxAckWait)
		}
		o.header = append(o.header, "wait", "acknowledged", "wait-timeout", o.wait.String())
	}
	if o.mortal {
		if o.ttl <= 0 {
			return o, fmt.Errorf("upstream: TTL(%v) is not possible; more than 0 is allowed", o.ttl)
		}
		o.header = append(o.header, "ttl", o.ttl.String())
	}
	if o.store {
		o.header = append(o.header, "offline", "store")
	}
	return o, nil
}

func checkKey(key string) error {
	switch {
	case key == "":
		return errors.New("upstream: the idempotency key is empty")
	case len(key) > maxKeyBytes:
		return fmt.Errorf("upstream: the idempotency key has %d bytes; at most %d are allowed", len(key), maxKeyBytes)
	case strings.TrimSpace(key) != key || strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r > '~' }):
		return fmt.Errorf("upstream: the idempotency key %q has other characters than printable ASCII, or blanks at its ends", key)
	}
	return nil
}

// checkBound refuses what would be bound to an answer that the target does not get.
func (o callOptions) checkBound(to Target) error {
	switch r := o.answer; {
	case r == nil, to == r.Caller(), to == OpenID(r.OpenID):
		return nil
	default:
		return fmt.Errorf("upstream: a push to %s cannot be bound to the answer to %s; that session or openid %s is allowed", to, r.Caller(), r.OpenID)
	}
}

// onlyForTargets refuses what a broadcast cannot have.
func (o callOptions) onlyForTargets() error {
	switch {
	case o.waits:
		return errors.New("upstream: WaitForAck is not possible with a broadcast")
	case o.store:
		return errors.New("upstream: StoreOffline is not possible with a broadcast")
	}
	return o.onlyForOne()
}

// onlyForOne refuses what only a push to one target can have.
func (o callOptions) onlyForOne() error {
	if o.hint != gatewayv1.NotifySyncHint_NSH_IMMEDIATELY || o.bound != 0 {
		return errors.New("upstream: Before, After and BoundTo are possible with a push to one target only")
	}
	return nil
}
