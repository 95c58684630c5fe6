package data

import (
	"context"
	"flag"
	"io"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/game-im/hermod/internal/biz"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(killedDir); dir != "" {
		if err := purgeUntilKilled(dir); err != nil {
			panic(err)
		}
		return
	}
	// Every check of the model opens databases; -rapid.checks asks for more.
	if err := flag.Set("rapid.checks", "30"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// openDB opens a store in dir and closes it with the test.
func openDB(tb testing.TB, dir string) *DB {
	tb.Helper()
	return openWith(tb, Options{Dir: dir})
}

func openWith(tb testing.TB, opts Options) *DB {
	tb.Helper()
	db, err := Open(tb.Context(), opts, quiet())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := db.Close(); err != nil {
			tb.Error(err)
		}
	})
	return db
}

// runLog runs a log until the test ends or stop is called, whichever is first.
func runLog(tb testing.TB, db *DB, live biz.Deliverer, opts LogOptions) (l *MessageLog, stop func()) {
	tb.Helper()
	l, err := NewMessageLog(db, live, opts, quiet())
	if err != nil {
		tb.Fatal(err)
	}
	return l, runUntil(tb, l.Run)
}

func runUntil(tb testing.TB, run func(context.Context) error) (stop func()) {
	tb.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			tb.Errorf("Run: %v", err)
		}
	})
	tb.Cleanup(stop)
	return stop
}

// recorder is a Deliverer that remembers what it was given, room by room. The log calls nothing but
// Deliver and Left.
type recorder struct {
	biz.Deliverer
	mu    sync.Mutex
	rooms map[biz.RoomID][]biz.Message
}

func (r *recorder) Left(biz.RoomID, biz.UserID) {}

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
func joinRoom(tb testing.TB, db *DB, room biz.RoomID, user biz.UserID) biz.JoinResult {
	tb.Helper()
	res, err := NewMembers(db).Join(tb.Context(), room, user, admit(room, user))
	if err != nil {
		tb.Fatal(err)
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

func appendOne(tb testing.TB, l *MessageLog, d *biz.Draft) outcome {
	tb.Helper()
	select {
	case o := <-appendAsync(l, d):
		return o
	case <-time.After(time.Minute):
		tb.Fatal("no outcome within a minute")
		return outcome{}
	}
}

func mustAppend(tb testing.TB, l *MessageLog, d *biz.Draft) biz.Receipt {
	tb.Helper()
	o := appendOne(tb, l, d)
	if o.err != nil {
		tb.Fatalf("append: %v", o.err)
	}
	return o.Receipt
}

// readAll pages through a room from its beginning.
func readAll(tb testing.TB, l *MessageLog, room biz.RoomID) []*biz.Message {
	tb.Helper()
	var all []*biz.Message
	for after := int64(0); ; after = all[len(all)-1].Seq {
		page, err := l.Page(context.Background(), room, after, 100)
		if err != nil {
			tb.Fatal(err)
		}
		if len(page) == 0 {
			return all
		}
		all = append(all, page...)
	}
}

// noError is the kind of no error, and of no real one.
const noError = biz.Kind(255)

func kindOf(err error) biz.Kind {
	if err == nil {
		return noError
	}
	return biz.KindOf(err)
}

func reasonOf(err error) string {
	if err == nil {
		return ""
	}
	return biz.AsError(err).Reason
}
