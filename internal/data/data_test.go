package data

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	for name, c := range map[string]struct {
		opts Options
		want string
	}{
		"unknown driver": {Options{Driver: "oracle"}, "allowed: mysql, postgres, sqlite"},
		"synchronous":    {Options{Synchronous: "off"}, "allowed: FULL, EXTRA, NORMAL"},
		"memory":         {Options{DSN: ":memory:"}, "must be the path of a file"},
		"a directory":    {Options{DSN: directory}, "open " + directory + ": "},
		"uri":            {Options{DSN: "file:x?mode=ro"}, "must be the path of a file"},
	} {
		t.Run(name, func(t *testing.T) {
			c.opts.Dir = t.TempDir()
			db, err := Open(t.Context(), c.opts, quiet())
			if err == nil {
				t.Fatal("opened", db.Close())
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %q does not say %q", err, c.want)
			}
		})
	}
}

func TestOpenRefusesANewerSchema(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := openDB(t, dir)
	mutate(t, db, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	newer, err := Open(t.Context(), Options{Dir: dir}, quiet())
	if err == nil {
		t.Fatal("opened", newer.Close())
	}
	if !strings.Contains(err.Error(), "version 99") || !strings.Contains(err.Error(), "newer") {
		t.Error(err)
	}
}

// TestALinkIsNoSecondFile: whoever comes to a database file by a link is kept from it as well.
func TestALinkIsNoSecondFile(t *testing.T) {
	t.Parallel()
	file, link := filepath.Join(t.TempDir(), "hermod.db"), filepath.Join(t.TempDir(), "hermod.db")
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	openWith(t, Options{DSN: file})
	if db, err := Open(t.Context(), Options{DSN: link}, quiet()); err == nil {
		t.Fatal("opened", db.Close())
	} else if !errors.Is(err, ErrInUse) {
		t.Error(err)
	}
}

// TestOpenRefusesAFileThatItCannotWrite: it is named.
func TestOpenRefusesAFileThatItCannotWrite(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "hermod.db")
	if err := openWith(t, Options{DSN: file}).Close(); err != nil {
		t.Fatal(err)
	}
	other, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close() })
	other.SetMaxOpenConns(1)
	if _, err := other.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	db, err := Open(t.Context(), Options{DSN: file}, quiet())
	if err == nil {
		t.Fatal("opened", db.Close())
	}
	if want := "data: open " + file + ": database is locked"; !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error %q does not begin with %q", err, want)
	}
}

func TestOpenStrangePaths(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"with blank", "100%25?x=1#y", "ümläut/deeper"} {
		dir := filepath.Join(t.TempDir(), name)
		joinRoom(t, openDB(t, dir), "r", "u")
		if matches, err := filepath.Glob(filepath.Join(filepath.Dir(dir), "*", "hermod.db")); err != nil || len(matches) != 1 {
			t.Errorf("%q: files %v, %v", name, matches, err)
		}
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	db := openDB(t, t.TempDir())
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2"} {
		var got string
		if err := db.writer.transact(func(t *tx) error {
			return t.scan("PRAGMA "+pragma, nil, &got)
		}, func() {}); err != nil || got != want {
			t.Errorf("%s = %s, %v; want %s", pragma, got, err, want)
		}
	}
	if _, err := db.pools.read.ExecContext(t.Context(), "DELETE FROM rooms"); err == nil {
		t.Error("a reading connection can write")
	}
	if err := db.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestCollectorsRegister(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewPedanticRegistry()
	for _, c := range openDB(t, t.TempDir()).Collectors() {
		if err := reg.Register(c); err != nil {
			t.Error(err)
		}
	}
	if _, err := reg.Gather(); err != nil {
		t.Error(err)
	}
}
