package data

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/test/databases"
)

// onManyNodes runs a test on nodes that share a server's database.
func onManyNodes(t *testing.T, nodes int, test func(t *testing.T, dbs []*DB)) {
	t.Helper()
	onServers(t, func(t *testing.T, _ *databases.Server, opts Options) {
		opts.Shared = true
		dbs := make([]*DB, nodes)
		for i := range dbs {
			dbs[i] = openWith(t, opts)
		}
		test(t, dbs)
	})
}

// atOnce runs something on every node at the same time.
func atOnce(dbs []*DB, do func(n int, db *DB)) {
	var running sync.WaitGroup
	for n, db := range dbs {
		running.Go(func() { do(n, db) })
	}
	running.Wait()
}

// TestNodesDoNotWaitInACircle: nodes whose transactions want the same rooms and inboxes, asked for in any order,
// wait for each other in one.
func TestNodesDoNotWaitInACircle(t *testing.T) {
	t.Parallel()
	onManyNodes(t, 2, func(t *testing.T, dbs []*DB) {
		const rooms, callers, rounds = 8, 24, 12
		limits := biz.InboxLimits{Pushes: 1 << 20, Bytes: 1 << 30}
		for i := range rooms {
			joinRoom(t, dbs[0], benchRoom(i), "owner")
		}
		atOnce(dbs, func(n int, db *DB) {
			l, _ := runLog(t, db, &recorder{}, LogOptions{})
			members, inbox := NewMembers(db), NewInbox(db, quiet())
			var calling sync.WaitGroup
			for c := range callers {
				user := biz.UserID(fmt.Sprintf("user-%d-%d", n, c))
				calling.Go(func() {
					for r := range rounds {
						room := benchRoom(rand.IntN(rooms))
						joinRoom(t, db, room, user)
						mustAppend(t, l, textDraft(benchRoom(rand.IntN(rooms)), user, "", "x"))
						p := &biz.Push{ID: fmt.Sprint(user, r)}
						if err := inbox.Store(t.Context(), biz.UserID(benchRoom(rand.IntN(rooms))), p, time.Now().Add(time.Hour), limits); err != nil {
							t.Error(err)
						}
						if left, err := members.Leave(t.Context(), room, user); err != nil || !left {
							t.Errorf("leave: %v, %v", left, err)
						}
					}
				})
			}
			calling.Wait()
		})
		for n, db := range dbs {
			if c := counter(t, db.metrics.conflicts); c > 0 {
				t.Errorf("node %d: %v transactions began anew", n, c)
			}
		}
	})
}

// TestPushKeyOfTwoNodes: one of the nodes that get the same request at once makes it, and the others find it begun.
func TestPushKeyOfTwoNodes(t *testing.T) {
	t.Parallel()
	onManyNodes(t, 3, func(t *testing.T, dbs []*DB) {
		for i := range 40 {
			key := biz.PushKey{Caller: "c", Key: fmt.Sprint(i)}
			var firsts atomic.Int32
			atOnce(dbs, func(n int, db *DB) {
				record := biz.PushRecord{Hash: sha256.Sum256(nil), PushID: fmt.Sprint(n), Time: time.Now()}
				earlier, err := NewPushKeys(db, quiet()).Begin(t.Context(), key, record)
				if err != nil {
					t.Errorf("key %d on node %d: %v", i, n, err)
				}
				if err == nil && earlier == nil {
					firsts.Add(1)
				}
			})
			if n := firsts.Load(); n != 1 {
				t.Errorf("key %d is the first on %d nodes", i, n)
			}
		}
	})
}

// TestTranscriptsAreShared: every transcript is one node's, and none is left over.
func TestTranscriptsAreShared(t *testing.T) {
	t.Parallel()
	onManyNodes(t, 3, func(t *testing.T, dbs []*DB) {
		const recordings = 60
		at := time.Now()
		for i := range recordings {
			audio := biz.Audio{ID: biz.AudioID(fmt.Sprint("a", i)), Room: "r", User: "u", Format: "opus", Size: 1, CreatedAt: at}
			if err := NewAudios(dbs[0]).Add(t.Context(), audio, true); err != nil {
				t.Fatal(err)
			}
		}
		var mu sync.Mutex
		claimed := make(map[biz.AudioID]int)
		atOnce(dbs, func(_ int, db *DB) {
			queue := NewTranscripts(db)
			for now := at.Add(time.Second); ; {
				jobs, err := queue.Claim(t.Context(), now, now.Add(time.Minute), 4)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				for _, job := range jobs {
					claimed[job.Audio.ID]++
				}
				done := len(claimed) == recordings
				mu.Unlock()
				if done {
					return
				}
				for _, job := range jobs {
					job.Transcript.Status = biz.TranscriptCompleted
					if held, err := queue.Finish(t.Context(), job); err != nil || !held {
						t.Errorf("finish: %v, %v", held, err)
					}
					if held, err := queue.Settle(t.Context(), job); err != nil || !held {
						t.Errorf("settle: %v, %v", held, err)
					}
				}
			}
		})
		for id, n := range claimed {
			if n != 1 {
				t.Errorf("%s was claimed %d times", id, n)
			}
		}
	})
}

// TestJanitorsOfManyNodes: nodes that sweep at the same time, while messages are sent, delete what has had its time,
// count it once, and fail at nothing.
func TestJanitorsOfManyNodes(t *testing.T) {
	t.Parallel()
	onManyNodes(t, 3, func(t *testing.T, dbs []*DB) {
		const rooms, each, users = 12, 60, 30
		l, _ := runLog(t, dbs[0], &recorder{}, LogOptions{})
		var sent []<-chan outcome
		for r := range rooms {
			joinRoom(t, dbs[0], benchRoom(r), "u")
			for m := range each {
				sent = append(sent, appendAsync(l, textDraft(benchRoom(r), "u", fmt.Sprint(m), "x")))
			}
		}
		for _, o := range sent {
			if got := <-o; got.err != nil {
				t.Fatal(got.err)
			}
		}
		inbox := NewInbox(dbs[0], quiet())
		for i := range users {
			mustStore(t, inbox, biz.UserID(fmt.Sprint(i)), "p", time.Minute, biz.InboxLimits{Pushes: 9, Bytes: 1 << 20})
		}
		mutate(t, dbs[0], `UPDATE idempotency SET created_at = created_at - ?`, (48 * time.Hour).Microseconds())
		mutate(t, dbs[0], `UPDATE messages SET created_at = created_at - ?`, (48 * time.Hour).Microseconds())
		now := time.Now().Add(2 * time.Minute)
		sending, stop := context.WithCancel(t.Context())
		var writing sync.WaitGroup
		writing.Go(func() {
			for i := 0; sending.Err() == nil; i++ {
				mustAppend(t, l, textDraft(benchRoom(i%rooms), "u", fmt.Sprint("new", i), "x"))
			}
		})
		atOnce(dbs, func(_ int, db *DB) {
			for range 3 {
				purge(t, db, now, biz.Retention{MaxAge: 24 * time.Hour})
			}
		})
		stop()
		writing.Wait()
		for table, want := range map[string]float64{"messages": rooms * each, "idempotency": rooms * each, "inbox": users} {
			got := 0.0
			for _, db := range dbs {
				got += counter(t, db.metrics.purged.WithLabelValues(table))
			}
			if got != want {
				t.Errorf("%v rows of %s are counted as deleted, want %v", got, table, want)
			}
		}
		for r := range rooms {
			if floor, err := l.Floor(t.Context(), benchRoom(r)); err != nil || floor != each {
				t.Errorf("room %d: the floor is %d, %v", r, floor, err)
			}
			for i, m := range readPast(t, l, benchRoom(r), each) {
				if m.Seq != int64(each+i+1) {
					t.Fatalf("room %d: seq %d at place %d behind the floor", r, m.Seq, i)
				}
			}
		}
	})
}

func readPast(t *testing.T, l *MessageLog, room biz.RoomID, after int64) []*biz.Message {
	t.Helper()
	page, err := l.Page(t.Context(), room, after, 1000)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

// TestMarksOfManyNodes: acknowledgements and cursors of the same user, written by several nodes at once, only rise.
func TestMarksOfManyNodes(t *testing.T) {
	t.Parallel()
	onManyNodes(t, 3, func(t *testing.T, dbs []*DB) {
		const users, rooms = 40, 3
		first := NewInbox(dbs[0], quiet())
		for i := range users {
			for p := range 3 {
				mustStore(t, first, biz.UserID(fmt.Sprint(i)), fmt.Sprint(p), time.Hour, biz.InboxLimits{Pushes: 9, Bytes: 1 << 20})
			}
		}
		atOnce(dbs, func(n int, db *DB) {
			inbox, cursors := NewInbox(db, quiet()), NewCursors(db, quiet())
			for round := range 5 {
				for _, i := range rand.Perm(users) {
					user := biz.UserID(fmt.Sprint(i))
					inbox.Ack(user, int64(n))
					for r := range rooms {
						cursors.Advance(biz.Cursor{User: user, Room: benchRoom(r), Device: "d", Delivered: int64(10*round + n)})
					}
				}
				if err := inbox.Flush(t.Context()); err != nil {
					t.Error(err)
				}
				if err := cursors.Flush(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
		for i := range users {
			user := biz.UserID(fmt.Sprint(i))
			if ids, _ := pageOf(t, first, user); len(ids) != 1 || ids[0] != "2" {
				t.Errorf("in the inbox of %s are %v", user, ids)
			}
			states, err := NewCursors(dbs[0], quiet()).Cursors(t.Context(), user, "d", []biz.RoomID{benchRoom(0)})
			if c := states[benchRoom(0)]; err != nil || c.Delivered != 42 {
				t.Errorf("cursor of %s: %+v, %v", user, c, err)
			}
		}
	})
}
