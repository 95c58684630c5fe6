package outbox_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/glebarez/sqlite"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/outbox"
)

// What a real node and real servers do with an outbox is tested in test/outbox. Here is what a node does rarely.

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 2 * time.Minute

// hermod answers messages as a test has it.
type hermod func(context.Context, *imv1.SendMessageRequest) error

func (h hermod) SendMessage(ctx context.Context, req *imv1.SendMessageRequest, _ ...grpc.CallOption) (*imv1.SendMessageResponse, error) {
	if err := h(ctx, req); err != nil {
		return nil, err
	}
	return &imv1.SendMessageResponse{MessageId: req.GetMessageId()}, nil
}

// newBox is a box in a database of its own.
func newBox(t *testing.T) (*gorm.DB, *outbox.Box) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "shop.db")
	db, err := gorm.Open(sqlite.Open(file+"?_pragma=busy_timeout(100000)&_pragma=journal_mode(WAL)&_txlock=immediate"),
		&gorm.Config{Logger: logger.Discard})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if pool, err := db.DB(); err != nil || pool.Close() != nil {
			t.Error("the database is not closed", err)
		}
	})
	box := outbox.New(db)
	if err := box.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return db, box
}

// run runs a relay until the test ends, or until it is cancelled, and sends what has left to the channel.
func run(t *testing.T, box *outbox.Box, clients outbox.Clients, opts outbox.Options) (r *outbox.Relay, ends <-chan outbox.End, cancel func()) {
	t.Helper()
	left := make(chan outbox.End, 1000)
	opts.OnEnd = func(e outbox.End) { left <- e }
	r, err := outbox.NewRelay(box, clients, opts)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := r.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return r, left, cancel
}

// next is the next item that has left.
func next(t *testing.T, ends <-chan outbox.End) outbox.End {
	t.Helper()
	select {
	case e := <-ends:
		return e
	case <-time.After(patience):
		t.Fatal("nothing leaves the box")
		return outbox.End{}
	}
}

func add(t *testing.T, db *gorm.DB, box *outbox.Box, items ...outbox.Item) {
	t.Helper()
	if err := db.Transaction(func(tx *gorm.DB) error { return box.Add(tx, items...) }); err != nil {
		t.Fatal(err)
	}
}

func message(room, id string) outbox.Message {
	return outbox.Message{ID: id, UserID: "ann", RoomID: room, Content: []byte(id)}
}

// soon has attempts repeated at once.
var soon = outbox.Options{FirstBackoff: time.Millisecond, MaxBackoff: 2 * time.Millisecond, Poll: 10 * time.Millisecond}
