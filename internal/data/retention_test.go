package data

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/test/databases"
)

// fill stores messages in a room that is made for them, without the log: many of them, and quickly.
func fill(tb testing.TB, db *DB, room biz.RoomID, messages int, created time.Time) {
	tb.Helper()
	joinRoom(tb, db, room, "u")
	err := db.writer.transact(func(t *tx) error {
		const rows = `WITH RECURSIVE n (seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM n WHERE seq < ?)
			INSERT INTO messages (` + plainColumns + `)
			SELECT ?, seq, 'id-' || seq, 'u', '', 1, zeroblob(128), NULL, 0, ? FROM n`
		if err := t.execOnce(rows, messages, string(room), created.UnixMicro()); err != nil {
			return err
		}
		_, err := t.exec(updateHead, messages, created.UnixMicro(), string(room))
		return err
	}, func() { db.memory.forget(room) })
	if err != nil {
		tb.Fatal(err)
	}
}

// purge sweeps with a janitor of its own.
func purge(tb testing.TB, db *DB, now time.Time, keep biz.Retention) {
	tb.Helper()
	j := NewJanitor(db, 0, quiet())
	j.SetRetention(keep)
	if err := j.Sweep(context.Background(), now); err != nil {
		tb.Error(err)
	}
}

// selectPieces finds the rooms whose messages are not one piece between floor and head, by one query: it
// sees the store as it is at one moment.
const selectPieces = `SELECT count(*) FROM rooms r JOIN
	(SELECT room_id, min(seq) AS low, max(seq) AS high, count(*) AS n FROM messages GROUP BY room_id) m ON m.room_id = r.id
	WHERE m.low <> r.floor_seq + 1 OR m.high <> r.head_seq OR m.n <> r.head_seq - r.floor_seq`

func wantPieces(tb testing.TB, db *DB) {
	tb.Helper()
	var wrong int
	if err := db.reader.scanning(context.Background())(selectPieces, nil, &wrong); err != nil || wrong > 0 {
		tb.Errorf("%d rooms are not in one piece, %v", wrong, err)
	}
}

// TestA3A6FloorRisesWithTheRows: at every moment a room has everything between its floor and its head.
func TestA3A6FloorRisesWithTheRows(t *testing.T) {
	t.Parallel()
	db := openDB(t, t.TempDir())
	for i := range 3 {
		fill(t, db, benchRoom(i), 5000, time.Now())
	}
	purged := make(chan struct{})
	go func() {
		defer close(purged)
		for more := true; more; more = count(t, db, "messages") > 3*7 && !t.Failed() { // a sweep ends after some time
			purge(t, db, time.Now(), biz.Retention{MaxMessages: 7})
		}
	}()
	for running := true; running; {
		wantPieces(t, db)
		select {
		case <-purged:
			running = false
		default:
		}
	}
	if n := count(t, db, "messages"); n != 3*7 {
		t.Errorf("%d messages are left", n)
	}
}

// killedDir names, for the process that TestA3A6FloorSurvivesKill kills, the store that it purges.
const killedDir = "HERMOD_TEST_PURGE"

// purgeUntilKilled is that process.
func purgeUntilKilled(dir string) error {
	db, err := Open(context.Background(), Options{Dir: dir}, quiet())
	if err != nil {
		return err
	}
	j := NewJanitor(db, 0, quiet())
	j.SetRetention(biz.Retention{MaxMessages: 1})
	return errors.Join(j.Sweep(context.Background(), time.Now()), db.Close())
}

// TestA3A6FloorSurvivesKill kills a process with SIGKILL while it deletes, again and again.
func TestA3A6FloorSurvivesKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const rounds, rooms, messages = 4, 3, 30_000
	db := openDB(t, dir)
	for i := range rooms {
		fill(t, db, benchRoom(i), messages, time.Now())
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for range rounds {
		before := openDB(t, dir)
		had := count(t, before, "messages")
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), killedDir+"="+dir)
		if err := before.Close(); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		watch, err := sqliteVersion(Options{Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		for left, deadline := had, time.Now().Add(time.Minute); left == had; {
			if err := watch.QueryRowContext(t.Context(), "SELECT count(*) FROM messages").Scan(&left); err != nil {
				t.Fatal(err)
			}
			if time.Now().After(deadline) {
				t.Fatal("nothing is deleted")
			}
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed
		if err := watch.Close(); err != nil {
			t.Fatal(err)
		}
		after := openDB(t, dir)
		wantPieces(t, after)
		l, stop := runLog(t, after, &recorder{}, LogOptions{})
		mustAppend(t, l, textDraft(benchRoom(0), "u", "", "next"))
		wantPieces(t, after)
		stop()
		if err := after.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestPurgeIsBounded: a transaction deletes no more than it may, and goes from room to room.
func TestPurgeIsBounded(t *testing.T) {
	t.Parallel()
	db := openDB(t, t.TempDir())
	fill(t, db, "a", 50, time.Now())
	fill(t, db, "b", 50, time.Now())
	r := purger{db: db}
	for _, want := range []struct {
		deleted int64
		through int
		floors  []raisedFloor
	}{
		{40, 0, []raisedFloor{{"a", 40}}},
		{40, 1, []raisedFloor{{"a", 49}, {"b", 31}}},
		{18, 2, []raisedFloor{{"b", 49}}},
		{0, 2, nil},
	} {
		p := purging{rooms: []biz.RoomID{"a", "b"}, now: time.Now(), keep: biz.Retention{MaxMessages: 1}, rows: 40}
		if err := r.transact(&p); err != nil {
			t.Fatal(err)
		}
		if p.deleted != want.deleted || p.through != want.through || fmt.Sprint(p.floors) != fmt.Sprint(want.floors) {
			t.Errorf("deleted %d, through with %d rooms, floors %v; want %+v", p.deleted, p.through, p.floors, want)
		}
	}
	wantPieces(t, db)
}

// TestPaceGivesWay: long transactions become smaller and short ones larger, within bounds, and who waits
// for the writer gets more of it.
func TestPaceGivesWay(t *testing.T) {
	t.Parallel()
	var p pace
	for range 20 {
		p.took(time.Millisecond, false)
	}
	if p.rows() != mostRows {
		t.Errorf("%d rows after short transactions", p.rows())
	}
	for range 20 {
		p.took(time.Minute, true)
	}
	if p.rows() != fewRows {
		t.Errorf("%d rows after long ones", p.rows())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.rest(ctx); err == nil {
		t.Error("rested beyond the end of its context")
	}
}

// TestAClockThatWentBack: a message that seems younger than those behind it keeps them until it has had its
// own time; nothing is deleted behind it.
func TestAClockThatWentBack(t *testing.T) {
	t.Parallel()
	db := openDB(t, t.TempDir())
	now := time.Now()
	fill(t, db, "r", 10, now.Add(-2*time.Hour))
	mutate(t, db, "UPDATE messages SET created_at = ? WHERE seq = 4", now.UnixMicro())
	keep := biz.Retention{MaxAge: time.Hour}
	for _, step := range []struct {
		after time.Duration
		left  int64
	}{{0, 7}, {30 * time.Minute, 7}, {2 * time.Hour, 0}} {
		purge(t, db, now.Add(step.after), keep)
		if n := count(t, db, "messages"); n != step.left {
			t.Errorf("after %v %d messages are left, want %d", step.after, n, step.left)
		}
	}
}

func gauge(t *testing.T, c prometheus.Collector) float64 {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	if err := reg.Register(c); err != nil {
		t.Fatal(err)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return families[0].GetMetric()[0].GetGauge().GetValue()
}

// TestRetentionTells: one line for a sweep that deleted something and none for one that did not; rows and
// lag are counted.
func TestRetentionTells(t *testing.T) {
	t.Parallel()
	db := openDB(t, t.TempDir())
	now := time.Now()
	fill(t, db, "a", 3000, now.Add(-2*time.Hour))
	fill(t, db, "b", 10, now.Add(-time.Hour))
	var said bytes.Buffer
	j := NewJanitor(db, 0, slog.New(slog.NewTextHandler(&said, nil)))
	j.SetRetention(biz.Retention{MaxAge: 30 * time.Minute})
	for _, lag := range []float64{5400, 0} {
		if err := j.Sweep(t.Context(), now); err != nil {
			t.Fatal(err)
		}
		if got := gauge(t, db.metrics.retentionLag); int(got) != int(lag) {
			t.Errorf("lag %v s, want %v s", got, lag)
		}
	}
	if n := strings.Count(said.String(), "\n"); n != 1 || !strings.Contains(said.String(), "messages=3010 rooms=2 lag=1h30m0s") {
		t.Errorf("said\n%s", said.String())
	}
	if n := counter(t, db.metrics.purged.WithLabelValues("messages")); n != 3010 {
		t.Errorf("%v rows are counted", n)
	}
}

// TestDeletedMessagesAreCountedByReason: each once, by the first that is true of it: age, number, bytes; or with its room.
func TestDeletedMessagesAreCountedByReason(t *testing.T) {
	t.Parallel()
	db := openDB(t, t.TempDir())
	now := time.Now()
	fill(t, db, "old", 5, now.Add(-2*time.Hour))
	fill(t, db, "many", 10, now)
	fill(t, db, "large", 6, now)
	fill(t, db, "ended", 4, now)
	mutate(t, db, "INSERT INTO ended_rooms (room_id, floor_seq, created_at) VALUES ('ended', 4, ?)", now.UnixMicro())
	mutate(t, db, "UPDATE messages SET content = zeroblob(10000) WHERE room_id = 'large'")
	purge(t, db, now, biz.Retention{MaxAge: time.Hour, MaxMessages: 7, MaxBytes: 25_000})
	for reason, want := range map[string]float64{purgedAge: 5, purgedNumber: 3, purgedBytes: 4, purgedRoom: 4} {
		if got := counter(t, db.metrics.forgotten.WithLabelValues(reason)); got != want {
			t.Errorf("%v are deleted for %s, want %v", got, reason, want)
		}
	}
	if n := counter(t, db.metrics.purged.WithLabelValues("messages")); n != 16 {
		t.Errorf("%v in all", n)
	}
}

// TestTwoNodesPurge: both delete the same at the same time, while both write; no sender sees an error, and
// every row is deleted by one of them.
func TestTwoNodesPurge(t *testing.T) {
	t.Parallel()
	const kept = 5
	twoNodesPurge(t, 10, kept, func(t *testing.T, db *DB) func() {
		t.Helper()
		return func() { purge(t, db, time.Now(), biz.Retention{MaxMessages: kept}) }
	})
}

// twoNodesPurge has two nodes write into the same rooms, and sweep as sweeper says until no more than kept messages of
// one byte are left of each room.
func twoNodesPurge(t *testing.T, rooms, kept int, sweeper func(*testing.T, *DB) (sweep func())) {
	t.Helper()
	onServers(t, func(t *testing.T, _ *databases.Server, opts Options) {
		const nodes, each = 2, 60
		var sending, sweeping sync.WaitGroup
		dbs := []*DB{openWith(t, opts), openWith(t, opts)}
		sent := make(chan struct{})
		for n, db := range dbs {
			l, _ := runLog(t, db, &recorder{}, LogOptions{})
			for i := range rooms {
				joinRoom(t, db, benchRoom(i), "u")
				sending.Go(func() {
					for m := range each {
						if o := <-appendAsync(l, textDraft(benchRoom(i), "u", fmt.Sprint(n, m), "x")); o.err != nil {
							t.Error(o.err)
						}
					}
				})
			}
			sweep := sweeper(t, db)
			sweeping.Go(func() {
				for running := true; running && !t.Failed(); {
					sweep()
					wantPieces(t, db)
					select {
					case <-sent:
						running = false
					default:
					}
				}
			})
		}
		sending.Wait()
		close(sent)
		sweeping.Wait()
		sweeper(t, dbs[0])()
		wantPieces(t, dbs[1])
		purged := 0.0
		for _, db := range dbs {
			purged += counter(t, db.metrics.purged.WithLabelValues("messages"))
		}
		if left := count(t, dbs[0], "messages"); left != int64(rooms*kept) || purged != float64(rooms*(nodes*each-kept)) {
			t.Errorf("%d messages are left and %v were deleted", left, purged)
		}
	})
}
