package data

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
)

// TestReadVersion: of nothing, of a store in use, and of what is no database; it makes no file.
func TestReadVersion(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := ReadVersion(t.Context(), Options{Dir: dir}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of nothing: %v", err)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
		t.Errorf("made %v, %v", files, err)
	}
	db, err := Open(t.Context(), Options{Dir: dir}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if v, err := ReadVersion(t.Context(), Options{Dir: dir}); err != nil || v.Schema == 0 || v.Schema != v.Known {
		t.Errorf("of a store in use: %+v, %v", v, err)
	}
	empty := filepath.Join(dir, "empty.db") // of a node that was killed when it had just made it
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if v, err := ReadVersion(t.Context(), Options{DSN: empty}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of an empty file: %+v, %v", v, err)
	}
	garbage := filepath.Join(dir, "garbage.db")
	if err := os.WriteFile(garbage, []byte("this is no database, whatever its name says"), 0o600); err != nil {
		t.Fatal(err)
	}
	if v, err := ReadVersion(t.Context(), Options{DSN: garbage}); err == nil {
		t.Errorf("of garbage: %+v", v)
	}
}
