package data

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/test/databases"
)

// found is how many messages the user finds, all pages together.
func found(tb testing.TB, db *DB, user biz.UserID, query string) (n int) {
	tb.Helper()
	find := biz.NewSearch(NewSearch(db), NewHistory(db), plainReader{}, biz.SearchRules{Enabled: true})
	req := biz.SearchRequest{Query: query, Limit: biz.MaxSearch}
	for {
		page, err := find.Find(tb.Context(), biz.Identity{User: user}, req)
		if err != nil {
			tb.Fatal(err)
		}
		n += len(page.Messages)
		if req.Token = page.Next; req.Token == "" {
			return n
		}
	}
}

// eventually waits until something is so.
func eventually(tb testing.TB, what string, so func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(time.Minute); !so(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("after a minute still not: %s", what)
		}
	}
}

// TestIndexerIsWoken by what the node stores, and does not wait for its sweep.
func TestIndexerIsWoken(t *testing.T) {
	t.Parallel()
	db := openDB(t, t.TempDir())
	joinRoom(t, db, "r", "u")
	l, _ := runLog(t, db, &recorder{}, LogOptions{})
	x := NewIndexer(db, plainReader{}, quiet())
	runUntil(t, x.Run)
	for i := range 3 {
		mustAppend(t, l, textDraft("r", "u", "", "hello"))
		eventually(t, "the message is found", func() bool { return found(t, db, "u", "hello") == i+1 })
	}
}

// TestIndexerTakesOver what was stored before there was an index, and what a node did not live to index: a room at a
// time, all of them.
func TestIndexerTakesOver(t *testing.T) {
	t.Parallel()
	const rooms, each = 30, 40
	db := openDB(t, t.TempDir())
	l, _ := runLog(t, db, &recorder{}, LogOptions{})
	var sent sync.WaitGroup
	for i := range rooms {
		joinRoom(t, db, benchRoom(i), "u")
		for range each {
			sent.Add(1)
			l.Append(textDraft(benchRoom(i), "u", "", "hello"), func(_ biz.Receipt, err error) {
				if err != nil {
					t.Error(err)
				}
				sent.Done()
			})
		}
	}
	sent.Wait()
	x := NewIndexer(db, plainReader{}, quiet())
	if !x.wanted.empty() {
		t.Error("rooms were remembered for an indexer that there was not")
	}
	runUntil(t, x.Run)
	eventually(t, "all is found", func() bool { return found(t, db, "u", "hello") == rooms*each })
	if n := counter(t, db.metrics.search.indexed); n != rooms*each {
		t.Errorf("%v messages were looked at", n)
	}
}

// TestIndexerTellsHowFarItIs: the gauge has what the index lacks, and falls to 0.
func TestIndexerTellsHowFarItIs(t *testing.T) {
	t.Parallel()
	db := openDB(t, t.TempDir())
	joinRoom(t, db, "r", "u")
	l, _ := runLog(t, db, &recorder{}, LogOptions{})
	for range 25 {
		mustAppend(t, l, textDraft("r", "u", "", "hello"))
	}
	x := NewIndexer(db, plainReader{}, quiet())
	if over, err := x.sweep.step(t.Context()); err != nil || over { // the rooms; the marks are to come
		t.Fatal(over, err)
	}
	if n := gauge(t, db.metrics.search.backlog); n != 25 {
		t.Errorf("%v messages are to be indexed", n)
	}
	if err := x.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := x.CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := gauge(t, db.metrics.search.backlog); n != 0 {
		t.Errorf("%v messages are to be indexed", n)
	}
}

// TestIndexSurvivesACrash: what a transaction of the index did not commit is done again, and what it did is not.
func TestIndexSurvivesACrash(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := openDB(t, dir)
	joinRoom(t, db, "r", "u")
	l, stop := runLog(t, db, &recorder{}, LogOptions{})
	for i := range 300 {
		mustAppend(t, l, textDraft("r", "u", "", fmt.Sprint("hello ", i)))
	}
	stop()
	x := NewIndexer(db, plainReader{}, quiet())
	x.wanted.add("r")
	if _, err := x.step(t.Context()); err != nil { // a part of it
		t.Fatal(err)
	}
	first := counter(t, db.metrics.search.indexed)
	if first == 0 || first >= 300 {
		t.Fatalf("a step indexed %v messages", first)
	}
	b := &indexBatch{db: db, reader: plainReader{}, left: 100}
	if _, err := b.add(t.Context(), "r"); err != nil {
		t.Fatal(err)
	}
	err := db.indexing.transact(func(t *tx) error {
		if err := b.run(t); err != nil {
			return err
		}
		return context.Canceled // as if the process ended before the commit
	}, func() {})
	if err == nil {
		t.Fatal("committed")
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	again := openDB(t, dir)
	if err := NewIndexer(again, plainReader{}, quiet()).CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := counter(t, again.metrics.search.indexed); n != 300-first {
		t.Errorf("%v messages were indexed after %v", n, first)
	}
	if n := found(t, again, "u", "hello"); n != 300 {
		t.Errorf("found %d", n)
	}
}

// TestIndexersShareTheWork: of two nodes that follow the same rooms, one alone indexes each message.
func TestIndexersShareTheWork(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, _ *databases.Server, opts Options) {
		const rooms, each = 20, 50
		dbs := []*DB{openWith(t, opts), openWith(t, opts)}
		for i := range rooms {
			joinRoom(t, dbs[0], benchRoom(i), "u")
		}
		var sent sync.WaitGroup
		for n, db := range dbs {
			runUntil(t, NewIndexer(db, plainReader{}, quiet()).Run)
			l, _ := runLog(t, db, &recorder{}, LogOptions{})
			sent.Go(func() {
				for i := range rooms * each / 2 {
					if o := <-appendAsync(l, textDraft(benchRoom(i%rooms), biz.UserID(fmt.Sprint("u", n)), "", "hello")); o.err != nil {
						t.Error(o.err)
					}
				}
			})
		}
		sent.Wait()
		for _, db := range dbs {
			eventually(t, "all is found", func() bool { return found(t, db, "u", "hello") == rooms*each })
		}
		if n := counter(t, dbs[0].metrics.search.indexed) + counter(t, dbs[1].metrics.search.indexed); n != rooms*each {
			t.Errorf("%v messages were indexed, of %d", n, rooms*each)
		}
	})
}

// TestIndexSurvivesAServer that is killed: it is brought up to date once that is back, and messages do not wait for it.
func TestIndexSurvivesAServer(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, s *databases.Server, opts Options) {
		db := openWith(t, opts)
		joinRoom(t, db, "r", "u")
		l, _ := runLog(t, db, &recorder{}, LogOptions{})
		runUntil(t, NewIndexer(db, plainReader{}, quiet()).Run)
		mustAppend(t, l, textDraft("r", "u", "", "hello"))
		eventually(t, "the first is found", func() bool { return found(t, db, "u", "hello") == 1 })
		s.Kill()
		s.Restart()
		stored := 1
		eventually(t, "the node stores again", func() bool {
			if o := appendOne(t, l, textDraft("r", "u", "", "hello")); o.err != nil {
				return false
			}
			stored++
			return true
		})
		eventually(t, "all is found", func() bool { return found(t, db, "u", "hello") == stored })
	})
}

// TestRetentionForgets: on SQLite a message is out of the index with the statement that deletes it.
func TestRetentionForgets(t *testing.T) {
	t.Parallel()
	db := openDB(t, t.TempDir())
	joinRoom(t, db, "r", "u")
	l, _ := runLog(t, db, &recorder{}, LogOptions{})
	for range 100 {
		mustAppend(t, l, textDraft("r", "u", "", "hello"))
	}
	if err := NewIndexer(db, plainReader{}, quiet()).CatchUp(t.Context()); err != nil {
		t.Fatal(err)
	}
	j := NewJanitor(db, 0, quiet())
	j.SetRetention(biz.Retention{MaxMessages: 10})
	if err := j.Sweep(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
	var known int
	if err := db.reader.scanning(t.Context())(`SELECT count(*) FROM search WHERE search MATCH 'qwhello'`, nil, &known); err != nil || known != 10 {
		t.Errorf("the index knows %d, %v", known, err)
	}
}

// TestWantedRooms: each waits once, in order, and no more of them than there is room for.
func TestWantedRooms(t *testing.T) {
	t.Parallel()
	w := newWantedRooms()
	w.hear("nobody listens")
	for _, room := range []biz.RoomID{"a", "b", "a", "c"} {
		w.add(room)
	}
	select {
	case <-w.woken:
	default:
		t.Error("nobody was woken")
	}
	for _, want := range []biz.RoomID{"a", "b", "c"} {
		if room, ok := w.take(); !ok || room != want {
			t.Errorf("took %q, want %q", room, want)
		}
	}
	if room, ok := w.take(); ok || !w.empty() {
		t.Errorf("took %q of nothing", room)
	}
	for i := range mostWanted + 10 {
		w.add(benchRoom(i))
	}
	if n := w.size(); n != mostWanted {
		t.Errorf("%d rooms wait", n)
	}
}
