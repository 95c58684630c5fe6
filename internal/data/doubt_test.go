package data

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"io"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"modernc.org/sqlite"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/data/datatest"
)

// cutting is a database whose connection is lost, when it is told to be, over a commit.
type cutting struct {
	dsn string
	cut atomic.Pointer[cut]
}

type cut struct {
	done bool          // the commit is done, and nobody hears of it
	slow time.Duration // until that is known
}

func (c *cutting) Driver() sqldriver.Driver { return &sqlite.Driver{} }

func (c *cutting) Connect(context.Context) (sqldriver.Conn, error) {
	conn, err := c.Driver().Open(c.dsn)
	return &cutConn{Conn: conn, from: c}, err
}

type cutConn struct {
	sqldriver.Conn
	from *cutting
}

func (c *cutConn) ExecContext(ctx context.Context, query string, args []sqldriver.NamedValue) (sqldriver.Result, error) {
	conn := c.Conn.(sqldriver.ExecerContext)
	if query != "COMMIT" {
		return conn.ExecContext(ctx, query, args)
	}
	cut := c.from.cut.Swap(nil)
	if cut != nil && !cut.done {
		query = "ROLLBACK"
	}
	res, err := conn.ExecContext(ctx, query, args)
	if cut == nil || err != nil {
		return res, err
	}
	time.Sleep(cut.slow)
	return nil, io.ErrUnexpectedEOF
}

// openCutting opens a store that writes to such a database.
func openCutting(t *testing.T) (*DB, *cutting) {
	t.Helper()
	dir := t.TempDir()
	db := openDB(t, dir)
	c := &cutting{dsn: sqliteDSN(filepath.Join(dir, "hermod.db"), sqliteWriter(Options{}.withDefaults()))}
	pool := sql.OpenDB(c)
	pool.SetMaxOpenConns(1)
	db.writer.mu.Lock()
	err := db.writer.dropLocked()
	db.writer.pool = pool
	db.writer.mu.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	})
	return db, c
}

// TestA7WhatWasCommittedUnheard: a message whose commit nobody has heard of is delivered when the store can be asked
// for it, before what is said after it, and its sender, who was told that it may not be there and sends it again,
// learns its place.
func TestA7WhatWasCommittedUnheard(t *testing.T) {
	t.Parallel()
	db, connection := openCutting(t)
	live := &recorder{}
	for _, room := range []biz.RoomID{"r", "other"} {
		joinRoom(t, db, room, "u")
	}
	l, err := NewMessageLog(db, live, LogOptions{}, quiet())
	if err != nil {
		t.Fatal(err)
	}
	said := textDraft("r", "u", "id", "x")
	said.Origin = "s"
	outcomes := queueAll(l, []*biz.Draft{said, textDraft("other", "u", "", "y")})
	connection.cut.Store(&cut{done: true})
	runUntil(t, l.Run)
	for _, c := range outcomes {
		if o := <-c; kindOf(o.err) != biz.KindUnavailable {
			t.Fatalf("the outcome of a commit that nobody heard of: %+v", o)
		}
	}
	if r := mustAppend(t, l, textDraft("r", "u", "id", "x")); !r.Duplicate || r.Seq != 1 {
		t.Errorf("sent again: %+v", r)
	}
	mustAppend(t, l, textDraft("r", "u", "", "z"))
	mustAppend(t, l, textDraft("other", "u", "", "z"))
	for room, first := range map[biz.RoomID]string{"r": "x", "other": "y"} {
		got, kept := live.delivered(room), readAll(t, l, room)
		if len(got) != 2 || len(kept) != 2 || string(got[0].Content) != first || got[0].Seq != 1 || got[0].ID != kept[0].ID || got[1].Seq != 2 {
			t.Errorf("room %s: %d of %d messages are delivered: %+v", room, len(got), len(kept), got)
		}
	}
}

// TestAKickCommittedUnheard: who was kicked by a commit that nobody has heard of is taken off the room all the same.
func TestAKickCommittedUnheard(t *testing.T) {
	t.Parallel()
	db, connection := openCutting(t)
	live := &leaving{}
	joinRoom(t, db, "r", "u")
	joinRoom(t, db, "r", "v")
	l, _ := runLog(t, db, live, LogOptions{Events: datatest.Events})
	kick := decision{biz.ActNeeds{Member: "v"}, func(s biz.ActState) (biz.ActPlan, error) {
		if s.Member == nil {
			return biz.ActPlan{}, biz.ErrNotAMember("r", "v")
		}
		return biz.ActPlan{Remove: "v", Event: &biz.Event{Type: biz.EventKicked}}, nil
	}}
	connection.cut.Store(&cut{done: true})
	if o := appendOne(t, l, actDraft("r", "u", "", kick)); kindOf(o.err) != biz.KindUnavailable {
		t.Fatalf("the outcome of a commit that nobody heard of: %+v", o)
	}
	if _, err := NewMembers(db).Member(t.Context(), "r", "v"); kindOf(err) != biz.KindNotFound {
		t.Errorf("he is remembered to be a member: %v", err)
	}
	if o := appendOne(t, l, actDraft("r", "u", "", kick)); kindOf(o.err) != biz.KindNotFound {
		t.Errorf("kicked again: %+v", o)
	}
	if got := live.delivered("r"); len(got) != 1 || live.left != "v" {
		t.Errorf("%d events are delivered, and %q is off the room", len(got), live.left)
	}
}

// leaving is a recorder that remembers who has left last.
type leaving struct {
	recorder
	left biz.UserID
}

func (l *leaving) Left(_ biz.RoomID, user biz.UserID) { l.left = user }

// TestWhatWasNotCommittedIsNotPublished: neither what was lost with its connection, nor what waited meanwhile and
// shares the failure.
func TestWhatWasNotCommittedIsNotPublished(t *testing.T) {
	t.Parallel()
	db, connection := openCutting(t)
	live := &recorder{}
	joinRoom(t, db, "r", "u")
	l, _ := runLog(t, db, live, LogOptions{})
	connection.cut.Store(&cut{})
	if o := appendOne(t, l, textDraft("r", "u", "id", "lost")); kindOf(o.err) != biz.KindUnavailable {
		t.Fatalf("%+v", o)
	}
	if r := mustAppend(t, l, textDraft("r", "u", "id", "lost")); r.Seq != 1 || r.Duplicate {
		t.Errorf("sent again: %+v", r)
	}
	connection.cut.Store(&cut{done: true, slow: 2 * slowFailure})
	joined := make(chan error, 1)
	go func() {
		_, err := NewMembers(db).Join(t.Context(), "r", "v", admit("r", "v"))
		joined <- err
	}()
	waitFor(t, func() bool { return connection.cut.Load() == nil })
	if o := appendOne(t, l, textDraft("r", "u", "", "waits")); kindOf(o.err) != biz.KindUnavailable {
		t.Errorf("what waits for a commit that fails slowly: %+v", o)
	}
	if err := <-joined; kindOf(err) != biz.KindUnavailable {
		t.Errorf("join: %v", err)
	}
	mustAppend(t, l, textDraft("r", "u", "", "last"))
	if got := live.delivered("r"); len(got) != 2 || got[0].Seq != 1 || got[1].Seq != 2 {
		t.Errorf("delivered: %+v", got)
	}
	if _, err := NewMembers(db).Member(t.Context(), "r", "v"); err != nil {
		t.Errorf("who has joined unheard: %v", err)
	}
}
