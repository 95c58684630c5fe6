package data

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/game-im/hermod/internal/biz"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// openDB opens a store in dir and closes it with the test.
func openDB(t testing.TB, dir string) *DB {
	t.Helper()
	db, err := Open(t.Context(), Options{Dir: dir}, quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// runLog runs a log until the test ends or stop is called, whichever is first.
func runLog(t testing.TB, db *DB, live biz.Deliverer, opts LogOptions) (l *MessageLog, stop func()) {
	t.Helper()
	l, err := NewMessageLog(db, live, opts, quiet())
	if err != nil {
		t.Fatal(err)
	}
	return l, runUntil(t, l.Run)
}

func runUntil(t testing.TB, run func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// recorder is a Deliverer that remembers what it was given, room by room. The log calls nothing but
// Deliver.
type recorder struct {
	biz.Deliverer
	mu    sync.Mutex
	rooms map[biz.RoomID][]biz.Message
}

func (r *recorder) Deliver(d *biz.Draft) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.rooms == nil {
		r.rooms = make(map[biz.RoomID][]biz.Message)
	}
	r.rooms[d.Room] = append(r.rooms[d.Room], d.Message)
}

func (r *recorder) delivered(room biz.RoomID) []biz.Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]biz.Message(nil), r.rooms[room]...)
}

// joinRoom makes a member, and the room where there is none.
func joinRoom(t testing.TB, db *DB, room biz.RoomID, user biz.UserID) biz.JoinResult {
	t.Helper()
	res, err := NewMembers(db).Join(t.Context(), room, user, admit(room, user))
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func admit(room biz.RoomID, user biz.UserID) func(biz.JoinState) (biz.JoinPlan, error) {
	return func(s biz.JoinState) (biz.JoinPlan, error) {
		now := time.Now()
		plan := biz.JoinPlan{Member: biz.Member{Room: room, User: user, Role: biz.RoleUser, JoinedAt: now}}
		if s.Member != nil {
			plan.Member = *s.Member
		}
		if s.Room == nil {
			plan.Create = &biz.Room{ID: room, Name: string(room), Config: biz.DefaultRoomConfig(), CreatedAt: now, LastActive: now}
		}
		return plan, nil
	}
}

type outcome struct {
	biz.Receipt
	err error
}

func textDraft(room biz.RoomID, sender biz.UserID, clientID, text string) *biz.Draft {
	return &biz.Draft{Message: biz.Message{
		Room: room, Sender: sender, ClientID: clientID, Type: biz.TypeText, Content: []byte(text),
	}}
}

// appendAsync appends and returns where the outcome will be.
func appendAsync(l *MessageLog, d *biz.Draft) <-chan outcome {
	done := make(chan outcome, 1)
	l.Append(d, func(r biz.Receipt, err error) { done <- outcome{r, err} })
	return done
}

func appendOne(t testing.TB, l *MessageLog, d *biz.Draft) outcome {
	t.Helper()
	select {
	case o := <-appendAsync(l, d):
		return o
	case <-time.After(20 * time.Second):
		t.Fatal("no outcome after 20 s")
		return outcome{}
	}
}

func mustAppend(t testing.TB, l *MessageLog, d *biz.Draft) biz.Receipt {
	t.Helper()
	o := appendOne(t, l, d)
	if o.err != nil {
		t.Fatalf("append: %v", o.err)
	}
	return o.Receipt
}

// readAll pages through a room from its beginning.
func readAll(t testing.TB, l *MessageLog, room biz.RoomID) []*biz.Message {
	t.Helper()
	var all []*biz.Message
	for after := int64(0); ; after = all[len(all)-1].Seq {
		page, err := l.Page(context.Background(), room, after, 100)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			return all
		}
		all = append(all, page...)
	}
}
