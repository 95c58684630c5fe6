package data

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

func TestLogDrains(t *testing.T) {
	t.Parallel()
	db := openDB(t, t.TempDir())
	joinRoom(t, db, "r", "u")
	l, err := NewMessageLog(db, &recorder{}, LogOptions{BatchRows: 10}, quiet())
	if err != nil {
		t.Fatal(err)
	}
	drafts := make([]*biz.Draft, 95)
	for i := range drafts {
		drafts[i] = textDraft("r", "u", "", "x")
	}
	outcomes := queueAll(l, drafts)
	stopped, cancel := context.WithCancel(context.Background())
	cancel()
	if err := l.Run(stopped); err != nil {
		t.Fatal(err)
	}
	for i := range outcomes {
		select {
		case o := <-outcomes[i]:
			if o.err != nil || o.Seq != int64(i+1) {
				t.Fatalf("draft %d: %+v", i, o)
			}
		default:
			t.Fatalf("draft %d was not answered when Run returned", i)
		}
	}
	if o := appendOne(t, l, textDraft("r", "u", "", "late")); kindOf(o.err) != biz.KindUnavailable {
		t.Errorf("after the end: %+v", o)
	}
	if err := l.Run(context.Background()); err == nil {
		t.Error("a second Run is not refused")
	}
}

func TestLogDrainHasADeadline(t *testing.T) {
	t.Parallel()
	db := openDB(t, t.TempDir())
	joinRoom(t, db, "r", "u")
	l, err := NewMessageLog(db, &recorder{}, LogOptions{DrainTimeout: time.Nanosecond}, quiet())
	if err != nil {
		t.Fatal(err)
	}
	outcomes := queueAll(l, []*biz.Draft{textDraft("r", "u", "", "x"), textDraft("r", "u", "", "y")})
	l.queue.close()
	if err := l.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, c := range outcomes {
		if o := <-c; kindOf(o.err) != biz.KindUnavailable {
			t.Errorf("outcome %+v", o)
		}
	}
}

func TestLogIsBounded(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]LogOptions{
		"messages": {QueuedMessages: 3},
		"bytes":    {QueuedBytes: 3 * (entryOverhead + 1)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			db := openDB(t, t.TempDir())
			joinRoom(t, db, "r", "u")
			l, err := NewMessageLog(db, &recorder{}, opts, quiet())
			if err != nil {
				t.Fatal(err)
			}
			accepted := queueAll(l, []*biz.Draft{textDraft("r", "u", "", "x"), textDraft("r", "u", "", "x"), textDraft("r", "u", "", "x")})
			o := <-appendAsync(l, textDraft("r", "u", "", "x"))
			if kindOf(o.err) != biz.KindUnavailable || reasonOf(o.err) != "STORE_OVERLOADED" {
				t.Fatalf("one too many: %+v", o)
			}
			runUntil(t, l.Run)
			for _, c := range accepted {
				if o := <-c; o.err != nil {
					t.Error(o.err)
				}
			}
			waitFor(t, func() bool { return l.queue.empty() })
			mustAppend(t, l, textDraft("r", "u", "", "x"))
		})
	}
}

// empty tells whether everything was answered and released.
func (q *queue) empty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.messages == 0 && q.bytes == 0
}

func waitFor(t *testing.T, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not within a minute")
		}
	}
}

func TestOversizedMessagesGetThrough(t *testing.T) {
	t.Parallel()
	db := openDB(t, t.TempDir())
	joinRoom(t, db, "r", "u")
	l, _ := runLog(t, db, &recorder{}, LogOptions{BatchBytes: 10, QueuedBytes: 10})
	mustAppend(t, l, textDraft("r", "u", "", "more than ten bytes"))
}

// gate is a Deliverer that lets nothing through until it is opened.
type gate struct {
	biz.Deliverer
	open    chan struct{}
	entered atomic.Int64
}

func (g *gate) Deliver(*biz.Draft) {
	g.entered.Add(1)
	<-g.open
}

// TestSlowDeliveryHoldsTheCommitterBack: what is stored and not delivered stays bounded too.
func TestSlowDeliveryHoldsTheCommitterBack(t *testing.T) {
	t.Parallel()
	db := openDB(t, t.TempDir())
	joinRoom(t, db, "r", "u")
	live := &gate{open: make(chan struct{})}
	l, _ := runLog(t, db, live, LogOptions{BatchRows: 1, QueuedMessages: 50, Publishers: 1})
	var accepted []<-chan outcome
	for {
		c := appendAsync(l, textDraft("r", "u", "", "x"))
		accepted = append(accepted, c)
		if l.full() {
			break
		}
	}
	if o := <-appendAsync(l, textDraft("r", "u", "", "x")); reasonOf(o.err) != "STORE_OVERLOADED" {
		t.Errorf("outcome %+v", o)
	}
	// One is in delivery, publisherParts wait for it, one is in the committer's hands.
	if n := len(readAll(t, l, "r")); n > publisherParts+2 {
		t.Errorf("%d messages committed while none was delivered", n)
	}
	close(live.open)
	for i, c := range accepted {
		if o := <-c; o.err != nil || o.Seq != int64(i+1) {
			t.Fatalf("draft %d: %+v", i, o)
		}
	}
}

func (l *MessageLog) full() bool {
	l.queue.mu.Lock()
	defer l.queue.mu.Unlock()
	return l.queue.messages >= l.queue.opts.QueuedMessages
}

// bomb is a Deliverer that panics.
type bomb struct{ biz.Deliverer }

func (bomb) Deliver(*biz.Draft) { panic("deliver") }

func TestPanicsDoNotStopTheLog(t *testing.T) {
	t.Parallel()
	db := openDB(t, t.TempDir())
	joinRoom(t, db, "r", "u")
	l, _ := runLog(t, db, bomb{}, LogOptions{})
	l.Append(textDraft("r", "u", "", "x"), func(biz.Receipt, error) { panic("done") })
	if r := mustAppend(t, l, textDraft("r", "u", "", "y")); r.Seq != 2 {
		t.Errorf("receipt %+v", r)
	}
	if n := counter(t, db.metrics.panics); n != 3 {
		t.Errorf("%v panics counted, want 3", n)
	}
}

// TestHeadIsNeverBehindAReceipt has rooms fall out of a tiny cache and be loaded again while
// messages are committed to them.
func TestHeadIsNeverBehindAReceipt(t *testing.T) {
	t.Parallel()
	db, err := Open(t.Context(), Options{Dir: t.TempDir(), CachedRooms: 1, CachedMembers: 1}, quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	const rooms = 80 // more than the cache has shards
	for r := range rooms {
		joinRoom(t, db, benchRoom(r), "u")
	}
	l, _ := runLog(t, db, &recorder{}, LogOptions{})
	reader := NewRooms(db)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for n := range 150 {
				room := benchRoom((i*n + n) % rooms)
				o := <-appendAsync(l, textDraft(room, biz.UserID(fmt.Sprint(i)), "", "x"))
				got, err := reader.Room(context.Background(), room)
				if o.err != nil || err != nil || got.HeadSeq < o.Seq {
					t.Errorf("head %d (%v) after receipt %+v", got.HeadSeq, err, o)
				}
			}
		})
	}
	wg.Wait()
}

// TestJoinsAndMessagesHaveOneOrder: what was answered before a join is not above its JoinSeq, and
// what is appended after it is.
func TestJoinsAndMessagesHaveOneOrder(t *testing.T) {
	t.Parallel()
	db := openDB(t, t.TempDir())
	joinRoom(t, db, "r", "u")
	l, _ := runLog(t, db, &recorder{}, LogOptions{})
	var answered atomic.Int64
	stop := make(chan struct{})
	var senders sync.WaitGroup
	for range 4 {
		senders.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				before := answered.Load()
				o := <-appendAsync(l, textDraft("r", "u", "", "x"))
				if o.err != nil || o.Seq <= before {
					t.Errorf("receipt %+v after %d was answered", o, before)
				}
				for seen := answered.Load(); seen < o.Seq && !answered.CompareAndSwap(seen, o.Seq); seen = answered.Load() {
				}
			}
		})
	}
	for i := range 50 {
		before := answered.Load()
		joined := joinRoom(t, db, "r", biz.UserID(fmt.Sprint("new", i))).Member.JoinSeq
		after := mustAppend(t, l, textDraft("r", "u", "", "x")).Seq
		if joined < before || after <= joined {
			t.Errorf("%d was answered, join at %d, then %d", before, joined, after)
		}
	}
	close(stop)
	senders.Wait()
}
