package data

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/game-im/hermod/internal/biz"
)

// sizes are the bytes of messages above a floor.
type sizes struct {
	floor int64
	bytes []int64
}

func (s *sizes) head() int64 { return s.floor + int64(len(s.bytes)) }

// keep forgets the oldest ones until no more than most are left, or one message.
func (s *sizes) keep(most int64) {
	var all int64
	for _, n := range s.bytes {
		all += n
	}
	for len(s.bytes) > 1 && all > most {
		all -= s.bytes[0]
		s.floor, s.bytes = s.floor+1, s.bytes[1:]
	}
}

// sweepSizes sweeps once, as a node that goes on does.
func sweepSizes(tb testing.TB, s *sizing, now time.Time, most int64) {
	tb.Helper()
	if err := s.sweep(context.Background(), now, biz.Retention{MaxBytes: most}, quiet()); err != nil {
		tb.Fatal(err)
	}
}

// TestKeptBytesAgainstModel has rooms that are written to, edited, deleted by number and swept at random, through nodes that
// take turns, with limits that change. Each room keeps just the newest messages that fit.
func TestKeptBytesAgainstModel(t *testing.T) {
	t.Parallel()
	onEveryDatabase(t, func(t *testing.T, opts Options) {
		db := openWith(t, opts)
		l, _ := runLog(t, db, &recorder{}, LogOptions{})
		checks := 0
		rapid.Check(t, func(rt *rapid.T) {
			checks++
			rooms, ids := [2]sizes{}, [2]biz.RoomID{}
			for i := range ids {
				ids[i] = biz.RoomID(fmt.Sprintf("model-%d-%d", checks, i))
				joinRoom(t, db, ids[i], "u")
			}
			span := rapid.Int64Range(1, 7).Draw(rt, "span")
			nodes := [2]*sizing{{purger: purger{db: db}, span: span}, {purger: purger{db: db}, span: span}}
			mutate(t, db, `DELETE FROM message_sums WHERE room_id <> ?`, "") // of other spans
			now := time.Now()
			most := int64(500)
			for range rapid.IntRange(1, 12).Draw(rt, "steps") {
				i := rapid.IntRange(0, 1).Draw(rt, "room")
				m := &rooms[i]
				switch rapid.SampledFrom([]string{"say", "say", "edit", "number", "limit"}).Draw(rt, "step") {
				case "say":
					sayAll(t, l, ids[i], m, rapid.SliceOfN(rapid.IntRange(0, 300), 1, 20).Draw(rt, "messages"))
				case "edit": // and the event that repeats it; known the day after
					if len(m.bytes) > 0 {
						at := rapid.IntRange(0, len(m.bytes)-1).Draw(rt, "edited")
						if err := db.Rewrite(ids[i], m.floor+int64(at)+1, strings.Repeat("z", 250)); err != nil {
							rt.Fatal(err)
						}
						m.bytes[at] = 250 + biz.MessageOverhead
						sayAll(t, l, ids[i], m, []int{250})
						now = now.Add(sumLife + time.Hour)
					}
				case "number":
					kept := rapid.Int64Range(1, 10).Draw(rt, "kept")
					purge(t, db, now, biz.Retention{MaxMessages: kept})
					for i := range rooms {
						if over := int64(len(rooms[i].bytes)) - kept; over > 0 {
							rooms[i].floor, rooms[i].bytes = rooms[i].floor+over, rooms[i].bytes[over:]
						}
					}
				case "limit":
					most = rapid.Int64Range(1, 6000).Draw(rt, "limit")
				}
				sweepSizes(t, nodes[rapid.IntRange(0, 1).Draw(rt, "node")], now, most)
				for i := range rooms {
					rooms[i].keep(most)
					checkSizes(t, rt, l, ids[i], &rooms[i])
				}
			}
		})
	})
}

// sayAll stores texts of these lengths.
func sayAll(t *testing.T, l *MessageLog, room biz.RoomID, m *sizes, lengths []int) {
	t.Helper()
	var sent []<-chan outcome
	for _, n := range lengths {
		sent = append(sent, appendAsync(l, textDraft(room, "u", "", strings.Repeat("é", n/2))))
		m.bytes = append(m.bytes, int64(n/2*2)+biz.MessageOverhead)
	}
	for _, o := range sent {
		if got := <-o; got.err != nil {
			t.Fatal(got.err)
		}
	}
}

func checkSizes(t *testing.T, rt *rapid.T, l *MessageLog, room biz.RoomID, m *sizes) {
	t.Helper()
	floor, err := l.Floor(t.Context(), room)
	if err != nil || floor != m.floor {
		rt.Fatalf("room %s: the floor is %d, %v; want %d of %d, and then %v", room, floor, err, m.floor, m.head(), m.bytes)
	}
	page := readPast(t, l, room, 0)
	if len(page) != len(m.bytes) {
		rt.Fatalf("room %s: %d messages are left, want %d", room, len(page), len(m.bytes))
	}
	for i, one := range page {
		if n := int64(len(one.Content)) + biz.MessageOverhead; n != m.bytes[i] || one.Seq != m.floor+int64(i)+1 {
			rt.Fatalf("room %s: message %d at place %d has %d bytes, want %d", room, one.Seq, i, n, m.bytes[i])
		}
	}
}

// TestSizesAreCountedOnce: a sweep reads what was said since the last one, and a room where nothing was said not at all.
func TestSizesAreCountedOnce(t *testing.T) {
	t.Parallel()
	db := openDB(t, t.TempDir())
	const messages, most = 10_000, 1 << 30
	fill(t, db, "r", messages, time.Now())
	s := sizing{purger: purger{db: db}}
	sweepSizes(t, &s, time.Now(), most)
	if n := count(t, db, "message_sums"); n != messages/summedMessages {
		t.Fatalf("%d sums are noted", n)
	}
	// Of what is summed up nothing is read: it may be anything.
	mutate(t, db, `UPDATE messages SET content = zeroblob(1000) WHERE seq <= ?`, messages/summedMessages*summedMessages)
	const each = 128 + biz.MessageOverhead
	room := sizedRoom{id: "r", head: messages}
	if n, err := s.count(t.Context(), &room); err != nil || n != messages*each {
		t.Errorf("counted %d, %v", n, err)
	}
	s.since = time.Now().Add(time.Hour)
	if page, last, err := s.page(t.Context()); err != nil || len(page) > 0 || last != "" {
		t.Errorf("where nothing was said there is %v, %q, %v", page, last, err)
	}
}

// TestWhatIsNoMoreIsCountedAnew: before messages go on account of a sum that is a day old, it is counted once more.
func TestWhatIsNoMoreIsCountedAnew(t *testing.T) {
	t.Parallel()
	onEveryDatabase(t, func(t *testing.T, opts Options) {
		db, now := openWith(t, opts), time.Now()
		l, _ := runLog(t, db, &recorder{}, LogOptions{})
		joinRoom(t, db, "r", "u")
		var m sizes
		sayAll(t, l, "r", &m, make([]int, 20))
		s := sizing{purger: purger{db: db}, span: 4}
		sweepSizes(t, &s, now, 1<<20)
		for seq := int64(9); seq <= 12; seq++ { // as if it had been long, and was recalled
			mutate(t, db, `UPDATE message_sums SET bytes = 100000 WHERE seq = ?`, seq)
		}
		most := int64(20 * biz.MessageOverhead)
		sweepSizes(t, &s, now.Add(sumLife+time.Minute), most)
		if floor, err := l.Floor(t.Context(), "r"); err != nil || floor != 0 {
			t.Errorf("the floor is %d, %v", floor, err)
		}
		sayAll(t, l, "r", &m, make([]int, 2))
		sweepSizes(t, &s, now.Add(sumLife+time.Minute), most)
		if floor, err := l.Floor(t.Context(), "r"); err != nil || floor != 2 {
			t.Errorf("the floor is %d, %v", floor, err)
		}
	})
}

// TestTwoNodesKeepBytes: both count and delete at the same time, while both write; no sender sees an error, a room is one
// piece at every moment, and every row is deleted by one of them.
func TestTwoNodesKeepBytes(t *testing.T) {
	t.Parallel()
	const kept = 5
	twoNodesPurge(t, 6, kept, func(t *testing.T, db *DB) func() {
		t.Helper()
		s := sizing{purger: purger{db: db}, span: 8}
		return func() { sweepSizes(t, &s, time.Now(), kept*(1+biz.MessageOverhead)) }
	})
}

// TestKeepingBytesDoesNotStallSenders: while a room is counted and emptied, whoever sends gets his turn between two of the
// transactions that this takes, and no error.
func TestKeepingBytesDoesNotStallSenders(t *testing.T) {
	t.Parallel()
	onEveryDatabase(t, func(t *testing.T, opts Options) {
		const rows, senders = 10_000, 4
		db := openWith(t, opts)
		l, _ := runLog(t, db, &recorder{}, LogOptions{})
		joinRoom(t, db, "full", "u")
		joinRoom(t, db, "r", "u")
		var sent []<-chan outcome
		for range rows {
			sent = append(sent, appendAsync(l, textDraft("full", "u", "", "x")))
		}
		for _, o := range sent {
			if got := <-o; got.err != nil {
				t.Fatal(got.err)
			}
		}
		var stored atomic.Int64
		swept := make(chan struct{})
		var sending sync.WaitGroup
		for range senders {
			sending.Go(func() {
				for {
					select {
					case <-swept:
						return
					default:
					}
					if o := <-appendAsync(l, textDraft("r", "u", "", "y")); o.err != nil {
						t.Error(o.err)
						return
					}
					stored.Add(1)
				}
			})
		}
		s := sizing{purger: purger{db: db}}
		for left := int64(rows); left > 1; { // a sweep ends after some time, on a slow machine
			sweepSizes(t, &s, time.Now(), 1)
			floor, err := l.Floor(t.Context(), "full")
			if err != nil {
				t.Fatal(err)
			}
			left = rows - floor
		}
		close(swept)
		sending.Wait()
		// 10,000 rows are 5 transactions at the least.
		if n := stored.Load(); n < rows/mostRows {
			t.Errorf("%d messages were stored while %d went", n, rows)
		}
		t.Logf("%d messages were stored while %d went", stored.Load(), rows)
	})
}

// TestKeepingBytesTells: one line for a sweep that deleted something and none for one that did not, and rows are counted.
func TestKeepingBytesTells(t *testing.T) {
	t.Parallel()
	db := openDB(t, t.TempDir())
	fill(t, db, "r", 1000, time.Now())
	var said bytes.Buffer
	j := NewJanitor(db, 0, slog.New(slog.NewTextHandler(&said, nil)))
	j.SetRetention(biz.Retention{MaxBytes: 10 * (128 + biz.MessageOverhead)})
	for range 2 {
		if err := j.Sweep(t.Context(), time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(said.String(), "\n"); n != 1 || !strings.Contains(said.String(), "messages=990 rooms=1") {
		t.Errorf("said\n%s", said.String())
	}
	if n := counter(t, db.metrics.purged.WithLabelValues("messages")); n != 990 {
		t.Errorf("%v rows are counted", n)
	}
	if n := count(t, db, "message_sums"); n != 0 { // 768 messages were summed up
		t.Errorf("%d sums are left of messages that are gone", n)
	}
}
