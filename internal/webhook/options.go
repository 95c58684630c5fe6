package webhook

import (
	"context"
	"crypto/tls"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// Options are those of one webhook.
type Options struct {
	Name    string
	URL     string // http or https
	Secrets []string
	TLS     *tls.Config // nil: as usual

	Room  func(biz.RoomID) bool   // whether it concerns a room
	Wants func(*biz.Message) bool // and a message

	Deadline    time.Duration // of a request
	Attempts    int           // that are answered, and not well, before a message is given up
	Backoff     time.Duration // before the second attempt, then twice as long each time
	MaxBackoff  time.Duration
	MaxAge      time.Duration // of a message that is still tried
	Concurrency int           // requests at a time
	Batch       int           // messages in a request
	KeepDead    time.Duration // how long is known what was given up
}

const (
	// batchBytes bounds what a request has, apart from the first message.
	batchBytes = 1 << 20
	// batchRooms bounds how many rooms share a request.
	batchRooms = 32
	// mostRooms bounds how many rooms are known to have something; the sweep finds the others in time.
	mostRooms = 32 << 10
	// fewRooms is when a sweep waits for what it has found already.
	fewRooms = 1000

	leaseFor = 15 * time.Second
	// leaseMargin is before a lease ends, for clocks that run at different speeds.
	leaseMargin = time.Second
	leaseEvery  = 5 * time.Second
	sweepEvery  = 30 * time.Second
	sweepRest   = 5 * time.Millisecond
	// settleEvery is how long progress waits for more, to be noted together.
	settleEvery = 100 * time.Millisecond
	// storeRetry is how long is waited when the store has failed.
	storeRetry = time.Second
	// stopGrace is how long requests may take to end when the node stops.
	stopGrace = 2 * time.Second
)

// Log reads rooms.
type Log interface {
	// Page returns messages of a room above a seq, in order, at most limit, and fewer when they are large.
	Page(ctx context.Context, room biz.RoomID, after int64, limit int) ([]*biz.Message, error)
}

// Encoder writes a message as JSON.
type Encoder func(*biz.Message) ([]byte, error)

// Stores are what couriers read and write. Safe for concurrent use.
type Stores struct {
	Queue     biz.WebhookQueue
	Graveyard biz.WebhookGraveyard
	Log       Log
	Encode    Encoder
}
