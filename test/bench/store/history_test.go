package store

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/game-im/hermod/app/hermodctl/bench"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/data"
)

// BenchHistory is the environment variable that asks for figures: how many messages the file has.
const BenchHistory = "HERMOD_BENCH_HISTORY"

const (
	archiveRooms = 1000
	// userRooms is how many rooms each of as many users is a member of.
	userRooms = 10
	pageSize  = 50
	// stepRows is how many messages each room gets in one transaction.
	stepRows = 100

	goalPage = 10 * time.Millisecond
	goalOpen = 2 * time.Second
)

// TestHistory opens a file of many messages, in rooms that were talking at the same time, and reads pages of
// random rooms at random places.
func TestHistory(t *testing.T) {
	rooms, messages, requests := 20, 2*stepRows*20, 200
	if text := os.Getenv(BenchHistory); text != "" {
		n, err := strconv.Atoi(text)
		if step := stepRows * archiveRooms; err != nil || n < step || n%step != 0 {
			t.Fatalf("%s=%q must be a multiple of %d", BenchHistory, text, step)
		}
		rooms, messages, requests = archiveRooms, n, 5000
	}
	a := writeArchive(t, rooms, messages)
	a.leaveCache()
	start := time.Now()
	db := openStore(t, data.Options{DSN: a.path})
	defer closeAll(t, db)
	if err := db.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	opening := time.Since(start)

	var b strings.Builder
	fmt.Fprintf(&b, "\n%s messages in %s rooms; %d bytes each in the file, %d more for the claim of one while it is kept; written in %v.\n\n",
		bench.Thousands(float64(messages)), bench.Thousands(float64(rooms)), a.messageBytes, a.claimBytes, a.writing.Round(time.Second))
	b.WriteString("| | p50 | p99 | CPU time of each | goal | verdict |\n|---|---|---|---|---|---|\n")
	fmt.Fprintf(&b, "| opening, file not in memory | %v | | | < %v | %s |\n", opening.Round(time.Millisecond), goalOpen, verdict(opening < goalOpen))
	history := biz.NewHistory(data.NewHistory(db))
	for _, r := range []struct {
		title string
		read  func(*archive, *biz.History)
	}{{"History, a page of 50", readHistory}, {"Sync, a page of 50", readSync}} {
		for _, memory := range []string{"file not in memory", "again"} {
			if memory != "again" {
				a.leaveCache()
			}
			p := readPages(t, requests, func() { r.read(a, history) })
			fmt.Fprintf(&b, "| %s, %s | %.2f ms | %.2f ms | %.2f ms | < %v | %s |\n",
				r.title, memory, ms(p.p50), ms(p.p99), ms(p.cpu), goalPage, verdict(p.p99 < goalPage))
		}
	}
	fmt.Print(b.String())
}

// reading is how long a page took, and what it cost.
type reading struct{ p50, p99, cpu time.Duration }

func readPages(tb testing.TB, requests int, read func()) reading {
	tb.Helper()
	times, cpu := make([]time.Duration, requests), ownCPU(tb)
	for i := range times {
		start := time.Now()
		read()
		times[i] = time.Since(start)
	}
	cpu = ownCPU(tb) - cpu
	slices.Sort(times)
	return reading{times[len(times)/2], times[len(times)*99/100], cpu / time.Duration(requests)}
}

func ms(d time.Duration) float64 { return d.Seconds() * 1000 }

func verdict(met bool) string {
	if met {
		return "pass"
	}
	return "**fail**"
}

func readHistory(a *archive, h *biz.History) {
	a.tb.Helper()
	user := rand.IntN(a.rooms)
	before := 1 + pageSize + rand.Int64N(a.head-pageSize)
	page, err := h.Page(a.tb.Context(), biz.Identity{User: archiveUser(user)}, biz.HistoryRequest{
		Room: a.roomOf(user, rand.IntN(userRooms)), Before: &before, Limit: pageSize,
	})
	if err != nil || len(page.Messages) != pageSize || page.Messages[pageSize-1].Seq != before-1 {
		a.tb.Fatalf("%d messages before %d, %v", len(page.Messages), before, err)
	}
}

// readSync is of one who was away for some messages in some of his rooms, and for long in others.
func readSync(a *archive, h *biz.History) {
	a.tb.Helper()
	user, cursors := rand.IntN(a.rooms), make(map[biz.RoomID]int64)
	for i := range userRooms {
		missed := rand.Int64N(20)
		if i%2 == 1 {
			missed = pageSize + rand.Int64N(a.head-pageSize)
		}
		cursors[a.roomOf(user, i)] = a.head - missed
	}
	page, err := h.Sync(a.tb.Context(), biz.Identity{User: archiveUser(user)}, biz.SyncRequest{Cursors: cursors, Limit: pageSize})
	n := 0
	for _, r := range page.Rooms {
		n += len(r.Messages)
	}
	if err != nil || n != pageSize {
		a.tb.Fatalf("%d messages, %v", n, err)
	}
}

func archiveUser(i int) biz.UserID { return biz.UserID("user-" + strconv.Itoa(i)) }

// roomOf is one of the rooms of a user.
func (a *archive) roomOf(user, nth int) biz.RoomID {
	return biz.RoomID("room-" + strconv.Itoa((user+apart*nth)%a.rooms))
}

// apart is how far the rooms of a user are from each other.
const apart = 97

// archive is a file with messages.
type archive struct {
	tb                       testing.TB
	path                     string
	rooms                    int
	head                     int64 // of each room
	messageBytes, claimBytes int64
	writing                  time.Duration
}

// writeArchive has SQLite itself make up the rows, of the lengths that stored ones have, in the order in which
// rooms that talk at the same time store them.
func writeArchive(tb testing.TB, rooms, messages int) *archive {
	tb.Helper()
	a := &archive{tb: tb, path: tb.TempDir() + "/hermod.db", rooms: rooms, head: int64(messages / rooms)}
	closeAll(tb, openStore(tb, data.Options{DSN: a.path})) // which makes the schema
	// Nobody needs the file if this is interrupted.
	db, err := sql.Open("sqlite", "file:"+a.path+"?_pragma=journal_mode(OFF)&_pragma=synchronous(OFF)&_pragma=cache_size(-262144)")
	if err != nil {
		tb.Fatal(err)
	}
	defer closeAll(tb, db)
	db.SetMaxOpenConns(1)
	start := time.Now()
	a.exec(db, insertRooms, rooms, rooms, a.head)
	a.exec(db, insertMembers, rooms*userRooms, rooms, apart)
	a.steps(db, insertMessages, messages)
	a.writing, a.messageBytes = time.Since(start), a.size()/int64(messages)
	before, claims := a.size(), max(stepRows*rooms, messages/10)
	a.steps(db, insertClaims, claims)
	a.claimBytes = (a.size() - before) / int64(claims)
	return a
}

// The first argument of each statement is the number of rows, the second that of rooms.
const (
	numbers = `WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n LIMIT ?1) `

	insertRooms = numbers + `INSERT INTO rooms (id, name, description, max_users, persistent, message_ttl, idle_timeout,
		allow_audio, allow_rich_text, auto_transcribe, created_at, last_active, head_seq, floor_seq, members)
		SELECT 'room-' || (i % ?2), 'room', '', 0, 1, 0, 0, 1, 1, 0, 1, 1, ?3, 0, 10 FROM n`
	insertMembers = numbers + `INSERT INTO members (room_id, user_id, nickname, role, muted, join_seq, joined_at)
		SELECT 'room-' || ((i % ?2 + ?3 * (i / ?2)) % ?2), 'user-' || (i % ?2), '', 0, 0, 0, 1 FROM n`
	insertMessages = numbers + `INSERT INTO messages (room_id, seq, id, sender, client_id, type, content, metadata, ack_required, created_at)
		SELECT 'room-' || (i % ?2), ?3 + i / ?2, hex(randomblob(16)), 'user-' || (i % ?2),
			printf('%08x', ?3) || printf('%05x', i) || '-000-8000-' || hex(randomblob(6)), 1, randomblob(128), NULL, 0, 1764115200000000 + i FROM n`
	insertClaims = numbers + `INSERT INTO idempotency (room_id, sender, client_id, payload_hash, seq, message_id, created_at)
		SELECT 'room-' || (i % ?2), 'user-' || (i % ?2), printf('%08x', ?3) || printf('%05x', i) || '-000-8000-' || hex(randomblob(6)),
			randomblob(16), i, hex(randomblob(16)), 1764115200000000 + i FROM n`
)

// steps runs a statement that is also given the seq that a step begins with.
func (a *archive) steps(db *sql.DB, statement string, rows int) {
	a.tb.Helper()
	step := stepRows * a.rooms
	for done := 0; done < rows; done += step {
		a.exec(db, statement, step, a.rooms, done/a.rooms+1)
	}
}

func (a *archive) exec(db *sql.DB, statement string, args ...any) {
	a.tb.Helper()
	if _, err := db.ExecContext(context.Background(), statement, args...); err != nil {
		a.tb.Fatal(err)
	}
}

func (a *archive) size() int64 {
	a.tb.Helper()
	info, err := os.Stat(a.path)
	if err != nil {
		a.tb.Fatal(err)
	}
	return info.Size()
}

// leaveCache has the system drop what it has of the file in memory.
func (a *archive) leaveCache() {
	a.tb.Helper()
	f, err := os.OpenFile(a.path, os.O_RDWR, 0)
	if err != nil {
		a.tb.Fatal(err)
	}
	defer closeAll(a.tb, f)
	if err := f.Sync(); err != nil {
		a.tb.Fatal(err)
	}
	if err := unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
		a.tb.Fatal(err)
	}
}
