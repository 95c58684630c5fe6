package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"google.golang.org/grpc"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/upstream"
)

// Sender says messages. An imv1.IMServiceClient is one.
type Sender interface {
	SendMessage(ctx context.Context, req *imv1.SendMessageRequest, opts ...grpc.CallOption) (*imv1.SendMessageResponse, error)
}

// Pusher makes pushes. A connected upstream.UnicastClient is one.
type Pusher interface {
	Push(ctx context.Context, to upstream.Target, n upstream.Notification, opts ...upstream.CallOption) (upstream.Outcome, error)
}

// Clients are how a relay calls Hermod, on connections of the service. What has no client waits for a relay that has
// one.
type Clients struct {
	IM      Sender // for messages
	Gateway Pusher // for pushes
}

// maxGiveUp leaves an hour of the day for which Hermod knows a call again.
const maxGiveUp = 23 * time.Hour

// Options are how a relay works. The zero value of each field stands for its default.
type Options struct {
	// TokenSource returns what is sent as bearer token with messages; it is asked at every call and should cache what it
	// returns. nil: none is sent, unless the connection sends one. A Pusher has its own.
	TokenSource func(context.Context) (string, error)
	// Poll is the longest time until what other processes have added is seen. Default 1 s.
	Poll time.Duration
	// Lanes is how many rooms and targets are worked on at once. Each has a connection to the database for
	// moments, and at most 256 KiB of items, or a single item that is larger, in memory. Default 16.
	Lanes int
	// CallTimeout bounds one call to Hermod; a WaitForAck comes on top. Default 10 s.
	CallTimeout time.Duration
	// Lease is how long others leave alone what a relay has in hand that is silent: it was killed, or has lost the
	// database. At least three CallTimeouts, which is the default; with a
	// WaitForAck it should be longer by that, or calls are made twice, to no effect.
	Lease time.Duration
	// FirstBackoff and MaxBackoff bound the waits between attempts, which double and are random in their upper half.
	// Defaults 100 ms and 15 s.
	FirstBackoff, MaxBackoff time.Duration
	// Attempts is how often an item may fail by an error within Hermod, or be refused for the moment, before it is parked.
	// That Hermod is unavailable, silent or does not know the service does not count. Default 20.
	Attempts int
	// GiveUpAfter parks an item that is without an answer so long after its first attempt. Hermod knows calls again for
	// 24 hours, and what was tried longer ago might take effect twice. Default 12 h, at most 23 h.
	GiveUpAfter time.Duration
	// OnEnd is told of every item that has left: once, or again after a crash. It is called on the relay's goroutines, which wait for
	// it. nil: nobody.
	OnEnd func(End)
	// Log has a line when Hermod or the database become unavailable or are back, and for each item that is parked.
	// nil: slog.Default().
	Log *slog.Logger
}

// End is how an item has left.
type End struct {
	ID     string
	Item   Item   // nil if it could not be read
	Result Result // how
	Reason string // of what was parked or missed, for programs
	Detail string // for people
	// Seq is the place of a message in its room; 0 in one that is not persistent.
	Seq  int64
	Took time.Duration // since Add, by the clocks of both processes
}

// Result says how an item has left.
type Result string

// The results.
const (
	Sent   Result = "sent"   // a message is stored; a push was delivered, or is queued for its user
	Missed Result = "missed" // a push has ended with nobody there, too late, or unknown
	Aside  Result = "parked"
)

func (o Options) withDefaults() Options {
	o.Poll = or(o.Poll, time.Second)
	o.Lanes = or(o.Lanes, 16)
	o.CallTimeout = or(o.CallTimeout, 10*time.Second)
	o.Lease = or(o.Lease, 3*o.CallTimeout)
	o.FirstBackoff = or(o.FirstBackoff, 100*time.Millisecond)
	o.MaxBackoff = or(o.MaxBackoff, max(15*time.Second, o.FirstBackoff))
	o.Attempts = or(o.Attempts, 20)
	o.GiveUpAfter = or(o.GiveUpAfter, 12*time.Hour)
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return o
}

func or[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}

func (o Options) check() error {
	var errs []error
	positive := func(name string, d time.Duration) {
		if d < time.Millisecond {
			errs = append(errs, fmt.Errorf("field %s is %v; 1ms and more is allowed", name, d))
		}
	}
	positive("Poll", o.Poll)
	positive("CallTimeout", o.CallTimeout)
	positive("FirstBackoff", o.FirstBackoff)
	positive("GiveUpAfter", o.GiveUpAfter)
	if o.Lanes < 1 || o.Lanes > 1000 {
		errs = append(errs, fmt.Errorf("field Lanes is %d; 1 to 1000 are allowed", o.Lanes))
	}
	if o.Attempts < 1 {
		errs = append(errs, fmt.Errorf("field Attempts is %d; 1 and more is allowed", o.Attempts))
	}
	if o.Lease < 3*o.CallTimeout {
		errs = append(errs, fmt.Errorf("field Lease is %v; at least three times CallTimeout, %v, is required", o.Lease, 3*o.CallTimeout))
	}
	if o.MaxBackoff < o.FirstBackoff {
		errs = append(errs, fmt.Errorf("field MaxBackoff is %v; at least FirstBackoff, %v, is required", o.MaxBackoff, o.FirstBackoff))
	}
	if o.GiveUpAfter > maxGiveUp {
		errs = append(errs, fmt.Errorf("field GiveUpAfter is %v; at most %v is allowed", o.GiveUpAfter, maxGiveUp))
	}
	return errors.Join(errs...)
}
