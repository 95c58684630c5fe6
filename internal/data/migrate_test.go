package data

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/test/databases"
)

// onEveryDatabase runs a test on an empty database of each kind.
func onEveryDatabase(t *testing.T, test func(t *testing.T, opts Options)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, Options{Driver: "sqlite", Dir: t.TempDir()})
	})
	onServers(t, func(t *testing.T, _ *databases.Server, opts Options) { test(t, opts) })
}

// seed is a row of the first schema that has its table.
type seed struct {
	version int64
	table   string
	columns string
	values  []any
}

// seeds are rows of every kind. What a later schema adds is added here, under its version.
func seeds(now time.Time) []seed {
	at := now.UnixMicro()
	all := []seed{
		{1, "rooms", `id, name, description, max_users, persistent, message_ttl, idle_timeout, allow_audio, allow_rich_text,
			auto_transcribe, created_at, last_active, head_seq, floor_seq, members`,
			[]any{"r", "näme", "", 7, true, time.Hour.Microseconds(), 0, true, false, true, at, at, 3, 1, 1}},
		{1, "members", `room_id, user_id, nickname, role, muted, join_seq, joined_at`, []any{"r", "u", "nick ✓", 1, true, 1, at}},
		{1, "idempotency", claimColumns, []any{"r", "u", "c3", nil, 3, "id3", at}},
		{1, "cursors", `user_id, room_id, device_id, delivered, updated_at`, []any{"u", "r", "d", 2, at}},
		{1, "inbox", `user_id, seq, id, msg_type, title, content, data, metadata, created_at, expires_at`,
			[]any{"u", 4, "p", "mail", "title", "content", []byte{0, 1, 255}, `{"k":"v"}`, at, at + time.Hour.Microseconds()}},
		{1, "inbox_heads", `user_id, last_seq`, []any{"u", 4}},
		{2, "audios", `id, room_id, user_id, format, size, duration, created_at`, []any{"a", "r", "u", "opus", 5, 7, at}},
		{2, "transcripts", `audio_id, status, text, confidence, reason, attempts, due_at, created_at, updated_at`,
			[]any{"a", 3, "said", 0.5, "", 1, nil, at, at}},
		{10, "last_seen", `user_id, seen_at`, []any{"u", at}},
		{12, "audio_refs", audioRefColumns, []any{"r", 3, "a"}},
		{12, "audio_waste", `id, deleted_at`, []any{"w", at}},
		{12, "secrets", `name, value, created_at`, []any{"s", []byte{0, 255}, at}},
		{8, "bans", banColumns, []any{"r", "v", "u", "ü", at, at + 1}},
		{8, "invitations", invitationColumns, []any{"r", "w", "u", at}},
		{8, "ended_rooms", `room_id, floor_seq, created_at`, []any{"old", 9, at}},
		{15, "mutes", muteColumns, []any{"r", "gone", at + 1}},
		{14, "message_sums", sumColumns, []any{"r", 256, 70_000, at}},
		{3, "push_keys", `caller, "key", request_hash, push_id, answer, created_at`, []any{"c", "k", []byte{1}, "p", `{}`, at}},
	}
	for seq := 2; seq <= 3; seq++ {
		all = append(all, seed{1, "messages", `room_id, seq, id, sender, client_id, type, content, metadata, ack_required, created_at`,
			[]any{"r", seq, fmt.Sprint("id", seq), "u", fmt.Sprint("c", seq), 1, []byte{0, 255, byte(seq)}, nil, false, at}})
	}
	e, err := newEntry(&biz.Draft{Message: biz.Message{Type: biz.TypeText, ClientID: "c3", Content: []byte{0, 255, 3}}}, nil)
	if err != nil {
		panic(err)
	}
	all[2].values[3] = e.hash[:]
	return all
}

func (s *seed) insert(t *testing.T, db *sql.DB, d *dialect) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), d.placed(insertInto(s.table, s.columns)), s.values...); err != nil {
		t.Fatalf("%s: %v", s.table, err)
	}
}

// rows reads the seed's table, its columns alone.
func (s *seed) rows(t *testing.T, db *sql.DB) string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "SELECT "+s.columns+" FROM "+s.table) //nolint:sqlclosecheck // eachRow does
	var all []string
	err = eachRow(rows, err, func(rows *sql.Rows) error {
		row := make([]any, strings.Count(s.columns, ",")+1)
		into := make([]any, len(row))
		for i := range row {
			into[i] = &row[i]
		}
		err := rows.Scan(into...)
		all = append(all, fmt.Sprintf("%q", row))
		return err
	})
	if err != nil {
		t.Fatalf("%s: %v", s.table, err)
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}

// TestMigrationsKeepWhatIsThere fills the tables of the first schema, and those of each later one, and
// migrates step by step. Every row is as it was, and the newest code works on with it.
func TestMigrationsKeepWhatIsThere(t *testing.T) {
	t.Parallel()
	onEveryDatabase(t, func(t *testing.T, opts Options) {
		opts, now := opts.withDefaults(), time.Now()
		drv, p := raw(t, opts)
		provider, err := newProvider(p.write, drv)
		if err != nil {
			t.Fatal(err)
		}
		newest, err := newestMigration(drv)
		if err != nil {
			t.Fatal(err)
		}
		all, was := seeds(now), map[string]string{}
		for version := int64(1); version <= newest; version++ {
			if _, err := provider.UpTo(t.Context(), version); err != nil {
				t.Fatalf("to version %d: %v", version, err)
			}
			for i := range all {
				s := &all[i]
				switch {
				case s.version == version:
					s.insert(t, p.write, &drv.dialect)
					was[s.table] = s.rows(t, p.write)
				case s.version < version:
					if got := s.rows(t, p.write); got != was[s.table] {
						t.Errorf("version %d has changed %s:\n%s\nwas\n%s", version, s.table, got, was[s.table])
					}
				}
			}
		}
		if err := p.close(); err != nil {
			t.Fatal(err)
		}
		worksOn(t, opts, now)
	})
}

// raw opens a database without a schema.
func raw(t *testing.T, opts Options) (driver, pools) {
	t.Helper()
	drv, err := driverOf(opts.Driver)
	if err != nil {
		t.Fatal(err)
	}
	p, err := drv.open(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.close() }) // it is closed already, unless the test has failed
	return drv, p
}

// worksOn uses what the seeds say through the repositories.
func worksOn(t *testing.T, opts Options, now time.Time) {
	t.Helper()
	db := openWith(t, opts)
	l, _ := runLog(t, db, &recorder{}, LogOptions{})
	room, err := NewRooms(db).Room(t.Context(), "r")
	if err != nil || room.Name != "näme" || room.HeadSeq != 3 || room.FloorSeq != 1 || room.Version != 0 || room.Config.MessageTTL != time.Hour || room.Config.AllowRichText {
		t.Errorf("room %+v, %v", room, err)
	}
	member, err := NewMembers(db).Member(t.Context(), "r", "u")
	if err != nil || member.Nickname != "nick ✓" || !member.Muted || member.JoinSeq != 1 {
		t.Errorf("member %+v, %v", member, err)
	}
	if res := joinRoom(t, db, "r", "v"); res.Room.Version != 1 {
		t.Errorf("a new member: %+v", res)
	}
	repeat := &biz.Draft{Message: biz.Message{Room: "r", Sender: "u", ClientID: "c3", Type: biz.TypeText, Content: []byte{0, 255, 3}}}
	if r := mustAppend(t, l, repeat); !r.Duplicate || r.Seq != 3 || r.ID != "id3" {
		t.Errorf("a repeat is answered with %+v", r)
	}
	if r := mustAppend(t, l, textDraft("r", "u", "", "next")); r.Seq != 4 {
		t.Errorf("the next message has the place %d", r.Seq)
	}
	if all := readAll(t, l, "r"); len(all) != 3 || all[0].Seq != 2 || all[0].Content[2] != 2 || all[2].Seq != 4 {
		t.Errorf("the log has %v", all)
	}
	if c := cursorOf(t, NewCursors(db, quiet()), "d"); !c.Known || c.Delivered != 2 {
		t.Errorf("cursor %+v", c)
	}
	inbox := NewInbox(db, quiet())
	kept, err := inbox.Page(t.Context(), "u", 0, 9)
	if err != nil || len(kept) != 1 || kept[0].InboxSeq != 4 || kept[0].Metadata["k"] != "v" || kept[0].Data[2] != 255 {
		t.Errorf("inbox %v, %v", kept, err)
	}
	push := &biz.Push{ID: "next"}
	if err := inbox.Store(t.Context(), "u", push, now.Add(time.Hour), biz.InboxLimits{Pushes: 9, Bytes: 1 << 20}); err != nil || push.InboxSeq != 5 {
		t.Errorf("the next push has the place %d, %v", push.InboxSeq, err)
	}
	if a, err := NewAudios(db).Audio(t.Context(), "a"); err != nil || a.Format != "opus" || a.Size != 5 {
		t.Errorf("recording %+v, %v", a, err)
	}
	if tr, err := NewTranscripts(db).Transcript(t.Context(), "a"); err != nil || tr.Text != "said" || tr.Status != biz.TranscriptCompleted {
		t.Errorf("transcript %+v, %v", tr, err)
	}
	purge(t, db, now.Add(2*time.Hour), biz.Retention{})
	if floor, err := l.Floor(t.Context(), "r"); err != nil || floor != 4 {
		t.Errorf("after the room's ttl the floor is %d, %v", floor, err)
	}
}

// TestNodesThatStartAtOnceMigrateOnce: also when there is an older schema. Of SQLite there is one node.
func TestNodesThatStartAtOnceMigrateOnce(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, s *databases.Server, opts Options) {
		older := opts
		older.DSN = s.Create()
		drv, p := raw(t, older.withDefaults())
		provider, err := newProvider(p.write, drv)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := provider.UpTo(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		if err := p.close(); err != nil {
			t.Fatal(err)
		}
		for name, o := range map[string]Options{"empty": opts, "older": older} {
			var opening sync.WaitGroup
			dbs := make([]*DB, 4)
			for i := range dbs {
				opening.Go(func() { dbs[i] = openWith(t, o) })
			}
			opening.Wait()
			var versions, rows, newest int64
			const query = "SELECT count(DISTINCT version_id), count(*), max(version_id) FROM " + goose.DefaultTablename
			if err := dbs[0].reader.scanning(t.Context())(query, nil, &versions, &rows, &newest); err != nil {
				t.Fatal(err)
			}
			if known, err := newestMigration(drv); err != nil || versions != rows || newest != known {
				t.Errorf("%s: %d migrations of %d versions up to %d; %d is known, %v", name, rows, versions, newest, known, err)
			}
		}
	})
}

// TestOpenRefusesANewerSchemaOnServers says so clearly, and changes nothing.
func TestOpenRefusesANewerSchemaOnServers(t *testing.T) {
	t.Parallel()
	onServers(t, func(t *testing.T, _ *databases.Server, opts Options) {
		db := openWith(t, opts)
		mutate(t, db, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, ?)", true)
		newer, err := Open(t.Context(), opts, quiet())
		if err == nil {
			t.Fatal("opened", newer.Close())
		}
		if !strings.Contains(err.Error(), "version 99") || !strings.Contains(err.Error(), "newer") {
			t.Error(err)
		}
		if v, err := ReadVersion(t.Context(), opts); err != nil || v.Schema != 99 {
			t.Errorf("afterwards: %+v, %v", v, err)
		}
	})
}

// TestOpenRefusesTheDatabaseOfAnotherProgram that keeps versions of its schema in the same way, be they low or high ones, and
// leaves them alone.
func TestOpenRefusesTheDatabaseOfAnotherProgram(t *testing.T) {
	t.Parallel()
	onEveryDatabase(t, func(t *testing.T, opts Options) {
		for _, version := range []int64{2, 20240101000000} {
			drv, p := raw(t, opts.withDefaults())
			provider, err := newProvider(p.write, drv)
			if err != nil {
				t.Fatal(err)
			}
			_, err = provider.GetDBVersion(t.Context()) // which makes the table
			insert := drv.dialect.placed("INSERT INTO goose_db_version (version_id, is_applied) VALUES (?, ?)")
			if err == nil {
				_, err = p.write.ExecContext(t.Context(), insert, version, true)
			}
			if err := errors.Join(err, p.close()); err != nil {
				t.Fatal(err)
			}
			if db, err := Open(t.Context(), opts, quiet()); err == nil {
				t.Fatal("opened", db.Close())
			} else if !strings.Contains(err.Error(), "of another program") {
				t.Error(err)
			}
			if v, err := ReadVersion(t.Context(), opts); err != nil || v.Schema != version {
				t.Errorf("its version %d became %d, %v", version, v.Schema, err)
			}
		}
	})
}
