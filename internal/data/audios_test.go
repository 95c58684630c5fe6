package data

import (
	"database/sql"
	"io/fs"
	"path/filepath"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"github.com/game-im/hermod/internal/biz"
)

// TestAddBothOrNeither: an upload and its transcript are there together.
func TestAddBothOrNeither(t *testing.T) {
	t.Parallel()
	db := openDB(t, t.TempDir())
	audios := NewAudios(db)
	at := time.UnixMicro(1234567)
	if err := audios.Add(t.Context(), biz.Audio{ID: "plain", CreatedAt: at}, false); err != nil {
		t.Fatal(err)
	}
	if err := audios.Add(t.Context(), biz.Audio{ID: "spoken", CreatedAt: at}, true); err != nil {
		t.Fatal(err)
	}
	taken := newTranscriptRow("taken", at)
	mutate(t, db, insertTranscript, taken.fields()...)
	if err := audios.Add(t.Context(), biz.Audio{ID: "taken", CreatedAt: at}, true); err == nil {
		t.Error("an upload with a second transcript was added")
	}
	if _, err := audios.Audio(t.Context(), "taken"); kindOf(err) != biz.KindNotFound {
		t.Errorf("it is there without its transcript: %v", err)
	}
	var id string
	var n, status, attempts, due, created, updated int64
	err := db.pools.read.QueryRowContext(t.Context(), `SELECT count(*), audio_id, status, attempts, due_at, created_at, updated_at
		FROM transcripts WHERE audio_id <> 'taken'`).Scan(&n, &id, &status, &attempts, &due, &created, &updated)
	if err != nil || n != 1 || id != "spoken" || status != 1 || attempts != 0 || due != 1234567 || created != due || updated != due {
		t.Errorf("transcripts: %d, %s, status %d, attempts %d, due %d, created %d, updated %d, %v", n, id, status, attempts, due, created, updated, err)
	}
}

// TestMigrationKeepsWhatIsThere opens a store that an earlier version has written.
func TestMigrationKeepsWhatIsThere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := openDB(t, dir)
	joinRoom(t, db, "r", "u")
	l, stop := runLog(t, db, &recorder{}, LogOptions{})
	kept := mustAppend(t, l, textDraft("r", "u", "c", "hello"))
	stop()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	downgrade(t, filepath.Join(dir, "hermod.db"), 1)

	db = openDB(t, dir)
	l, _ = runLog(t, db, &recorder{}, LogOptions{})
	if got := readAll(t, l, "r"); len(got) != 1 || got[0].ID != kept.ID || string(got[0].Content) != "hello" {
		t.Errorf("messages %v", got)
	}
	if again := mustAppend(t, l, textDraft("r", "u", "c", "hello")); !again.Duplicate || again.ID != kept.ID {
		t.Errorf("the same again: %+v", again)
	}
	audios := NewAudios(db)
	if err := audios.Add(t.Context(), biz.Audio{ID: "a", Room: "r", User: "u"}, true); err != nil {
		t.Error(err)
	}
	if a, err := audios.Audio(t.Context(), "a"); err != nil || a.Room != "r" {
		t.Errorf("got %+v, %v", a, err)
	}
}

// downgrade makes a store what it was at an earlier version of the schema.
func downgrade(t *testing.T, file string, version int64) {
	t.Helper()
	pool, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	files, err := fs.Sub(migrations, "migrations/sqlite")
	if err != nil {
		t.Fatal(err)
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, pool, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.DownTo(t.Context(), version); err != nil {
		t.Fatal(err)
	}
	if now, err := provider.GetDBVersion(t.Context()); err != nil || now != version {
		t.Fatalf("version %d, %v; want %d", now, err, version)
	}
}
