package data

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/pressly/goose/v3"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/test/databases"
)

// TestA6SyncReturnsEverythingAboveTheFloor: clients synchronise at random moments, page by page, while
// others write, they themselves join and leave, and the oldest messages are deleted. What they have never
// has a hole, and in the end it is what the rooms have, above the floors.
func TestA6SyncReturnsEverythingAboveTheFloor(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		synchronise(t, Options{Dir: t.TempDir(), Synchronous: "normal"}, 600)
	})
	onServers(t, func(t *testing.T, _ *databases.Server, opts Options) { synchronise(t, opts, 600) })
}

// stir is what goes on while clients synchronise.
type stir struct {
	t       *testing.T
	db      *DB
	log     *MessageLog
	members *Members
	history *biz.History
	writing atomic.Bool
}

const (
	stirRooms   = 7
	stirWriters = 3
	stirClients = 4
)

func stirRoom(i int) biz.RoomID { return biz.RoomID(fmt.Sprintf("room-%d", i%stirRooms)) }

func synchronise(t *testing.T, opts Options, messages int) {
	db := openWith(t, opts)
	s := &stir{t: t, db: db, members: NewMembers(db), history: biz.NewHistory(NewHistory(db))}
	s.log, _ = runLog(t, db, &recorder{}, LogOptions{})
	for i := range stirRooms {
		joinRoom(t, db, stirRoom(i), "owner")
	}
	s.writing.Store(true)
	var writers, others sync.WaitGroup
	for n := range stirWriters {
		writers.Go(func() { s.write(n, messages/stirWriters) })
	}
	for n := range stirClients {
		others.Go(func() { s.client(biz.UserID(fmt.Sprintf("client-%d", n)), uint64(n)) })
	}
	writers.Wait()
	s.writing.Store(false)
	others.Wait()
}

func (s *stir) write(writer, n int) {
	for i := range n {
		d := textDraft(stirRoom(i*i+writer), biz.UserID(fmt.Sprintf("writer-%d", writer)), "", fmt.Sprint(i))
		if o := <-appendAsync(s.log, d); o.err != nil {
			s.t.Errorf("append: %v", o.err)
			return
		}
		if i%20 == 19 {
			s.forget(stirRoom(i))
		}
	}
}

// forget deletes the oldest messages of a room.
func (s *stir) forget(room biz.RoomID) {
	st, err := NewHistory(s.db).Standing(context.Background(), room, "")
	if err != nil {
		s.t.Error(err)
		return
	}
	floor := st.Floor + (st.Head-st.Floor)/3
	err = s.db.writer.do(context.Background(), func(t *tx) error {
		if _, err := t.exec(`UPDATE rooms SET floor_seq = ? WHERE id = ? AND floor_seq < ?`, floor, string(room), floor); err != nil {
			return err
		}
		_, err := t.exec(`DELETE FROM messages WHERE room_id = ? AND seq <= ?`, string(room), floor)
		return err
	}, func() { s.db.memory.forget(room) })
	if err != nil {
		s.t.Error(err)
	}
}

// syncer is a client and what it has.
type syncer struct {
	*stir
	user   biz.UserID
	random *rand.Rand
	rooms  map[biz.RoomID]*kept
}

// kept is what a client has of a room: all messages above base.
type kept struct {
	base     int64
	messages []*biz.Message
}

func (k *kept) cursor() int64 { return k.base + int64(len(k.messages)) }

func (s *stir) client(user biz.UserID, seed uint64) {
	c := &syncer{stir: s, user: user, random: rand.New(rand.NewPCG(seed, seed)), rooms: make(map[biz.RoomID]*kept)}
	for s.writing.Load() && !s.t.Failed() {
		c.wander()
		c.sync(c.wander)
	}
	if !s.t.Failed() {
		c.sync(func() {})
		c.compare()
	}
}

// wander joins or leaves a room, or does neither.
func (c *syncer) wander() {
	room := stirRoom(c.random.IntN(stirRooms))
	var err error
	switch c.random.IntN(30) {
	case 0:
		_, err = c.members.Leave(context.Background(), room, c.user)
	case 1, 2:
		_, err = c.members.Join(context.Background(), room, c.user, admitting(room, c.user))
	}
	if err != nil {
		c.t.Errorf("%s: %v", c.user, err)
	}
}

func admitting(room biz.RoomID, user biz.UserID) func(biz.JoinState) (biz.JoinPlan, error) {
	return func(s biz.JoinState) (biz.JoinPlan, error) {
		if s.Member != nil {
			return biz.JoinPlan{Member: *s.Member}, nil
		}
		return biz.JoinPlan{Member: biz.Member{Room: room, User: user, Role: biz.RoleUser}}, nil
	}
}

// sync brings the client up to date, with something between the pages.
func (c *syncer) sync(between func()) {
	req := biz.SyncRequest{Cursors: make(map[biz.RoomID]int64), Limit: 1 + c.random.IntN(60), Bytes: 1 << (8 + c.random.IntN(8))}
	for room, k := range c.rooms {
		req.Cursors[room] = k.cursor()
	}
	now := make(map[biz.RoomID]biz.RoomState)
	for {
		page, err := c.history.Sync(context.Background(), biz.Identity{User: c.user}, req)
		if err != nil && biz.AsError(err).Reason == "HISTORY_SHIFTING" {
			continue
		}
		if err != nil {
			c.t.Errorf("%s: %v", c.user, err)
			return
		}
		c.take(page, req.Limit)
		for _, state := range page.Snapshot {
			now[state.Room] = state
		}
		if page.Next == "" {
			break
		}
		req.Token = page.Next
		between()
	}
	for room := range c.rooms {
		if _, still := now[room]; !still {
			delete(c.rooms, room)
		}
	}
	for room, state := range now {
		if c.rooms[room] == nil {
			c.rooms[room] = &kept{base: state.Floor}
		}
	}
}

func (c *syncer) take(page biz.SyncPage, limit int) {
	n := 0
	for _, p := range page.Rooms {
		k := c.rooms[p.Room]
		if k == nil || p.Reset {
			k = &kept{base: p.Floor}
			c.rooms[p.Room] = k
		}
		for _, m := range p.Messages {
			if m.Seq != k.cursor()+1 || m.Room != p.Room {
				c.t.Errorf("%s has %s up to %d and gets %s %d", c.user, p.Room, k.cursor(), m.Room, m.Seq)
			}
			k.messages = append(k.messages, m)
			n++
		}
	}
	if n > limit {
		c.t.Errorf("%d messages in a page of %d", n, limit)
	}
}

// compare finds out whether the client has what there is, and nothing else.
func (c *syncer) compare() {
	rooms, err := c.members.RoomsOf(context.Background(), c.user)
	if err != nil || len(rooms) != len(c.rooms) {
		c.t.Errorf("%s is in %v and has %d rooms, %v", c.user, rooms, len(c.rooms), err)
	}
	for _, room := range rooms {
		st, err := NewHistory(c.db).Standing(context.Background(), room, c.user)
		if err != nil {
			c.t.Error(err)
			continue
		}
		k, floor := c.rooms[room], max(st.Floor, st.Joined)
		if k == nil || k.base > floor || k.cursor() != st.Head {
			c.t.Errorf("%s has of %s %+v; it is %+v", c.user, room, k, st)
			continue
		}
		stored, err := NewHistory(c.db).Messages(context.Background(), []biz.Span{{Room: room, After: floor, To: st.Head}}, 1<<30)
		same := slices.EqualFunc(stored, k.messages[floor-k.base:], func(a, b *biz.Message) bool {
			return a.ID == b.ID && a.Seq == b.Seq && bytes.Equal(a.Content, b.Content)
		})
		if err != nil || int64(len(stored)) != st.Head-floor || !same {
			c.t.Errorf("%s has other messages of %s than there are, %v", c.user, room, err)
		}
	}
}

// TestHistorySeesWhatOtherNodesCommit, while the caches of this node do not.
func TestHistorySeesWhatOtherNodesCommit(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, _ *databases.Server, opts Options) {
		one, other := openWith(t, opts), openWith(t, opts)
		joinRoom(t, one, "r", "u")
		here, there := biz.NewHistory(NewHistory(one)), biz.NewHistory(NewHistory(other))
		by := biz.Identity{User: "u"}
		if _, err := there.Page(t.Context(), by, biz.HistoryRequest{Room: "r"}); err != nil {
			t.Fatal(err)
		}
		l, _ := runLog(t, one, &recorder{}, LogOptions{})
		for range 3 {
			mustAppend(t, l, textDraft("r", "a", "", "x"))
		}
		if _, err := here.MarkRead(t.Context(), by, "r", "", 2); err != nil {
			t.Fatal(err)
		}
		page, err := there.Page(t.Context(), by, biz.HistoryRequest{Room: "r"})
		if err != nil || len(page.Messages) != 3 || page.Head != 3 {
			t.Errorf("the other node has %+v, %v", page, err)
		}
		synced, err := there.Sync(t.Context(), by, biz.SyncRequest{})
		if want := (biz.RoomState{Room: "r", Head: 3, Read: 2, Unread: 1}); err != nil || len(synced.Snapshot) != 1 || synced.Snapshot[0] != want {
			t.Errorf("the other node has %+v, %v; want %+v", synced.Snapshot, err, want)
		}
	})
}

// TestMarksComeWithAMigration: of a store that an earlier version has written, also where the migration was
// broken off between its change and the note of it.
func TestMarksComeWithAMigration(t *testing.T) {
	t.Parallel()
	migrated := func(t *testing.T, opts Options, broken bool) {
		db := openWith(t, opts)
		l, stop := runLog(t, db, &recorder{}, LogOptions{})
		joinRoom(t, db, "r", "u")
		mustAppend(t, l, textDraft("r", "a", "", "x"))
		stop()
		if err := NewHistory(db).MarkRead(t.Context(), "r", "u", 1); err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if broken { // later migrations are not what this is about
			backTo(t, opts, 4, false)
		}
		backTo(t, opts, 3, broken)
		db = openWith(t, opts)
		got, err := NewHistory(db).Standing(t.Context(), "r", "u")
		if want := (biz.Standing{Room: "r", Persistent: true, Head: 1, Member: true}); err != nil || got != want {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
		if list, err := NewHistory(db).Standings(t.Context(), "u", "", 10); err != nil || len(list) != 1 || list[0] != got {
			t.Errorf("his rooms are %+v, %v", list, err)
		}
	}
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		migrated(t, Options{Dir: dir, DSN: dir + "/hermod.db"}, false)
	})
	onServers(t, func(t *testing.T, s *databases.Server, opts Options) {
		migrated(t, opts, false)
		if opts.Driver == "mysql" { // which cannot undo a change of the schema
			opts.DSN = s.Create()
			migrated(t, opts, true)
		}
	})
}

// backTo makes a database what it was at an earlier version of the schema, or has it forget that there was
// a later one.
func backTo(t *testing.T, opts Options, version int64, forget bool) {
	t.Helper()
	drv, err := driverOf(orDefault(opts.Driver, "sqlite"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := drv.open(opts.withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	if forget {
		execOn(t, p.write, fmt.Sprintf("DELETE FROM goose_db_version WHERE version_id > %d", version))
		execOn(t, p.write, "UPDATE members SET read_seq = 0")
		return
	}
	files, err := fs.Sub(migrations, "migrations/"+drv.migrations)
	if err != nil {
		t.Fatal(err)
	}
	provider, err := goose.NewProvider(drv.goose, p.write, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.DownTo(t.Context(), version); err != nil {
		t.Fatal(err)
	}
}

func execOn(t *testing.T, db *sql.DB, statement string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}
