package data_test

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/data"
	"github.com/game-im/hermod/internal/data/blob"
)

// TestErrorsOfBlobs: what a store says becomes what the rules understand, and what they say themselves stays.
func TestErrorsOfBlobs(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	dir, err := blob.Open(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	b := data.NewBlobs(dir)
	if _, err := b.Open(t.Context(), "a"); biz.KindOf(err) != biz.KindNotFound {
		t.Errorf("open: %v", err)
	}
	commit := func(name string) error {
		w, err := b.Create(t.Context(), name)
		if err != nil {
			return err
		}
		if _, err := io.WriteString(w, "x"); err != nil {
			return err
		}
		return w.Commit()
	}
	if err := commit("a"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(path, "b"), 0o700); err != nil { // in the way of the rename
		t.Fatal(err)
	}
	if err := commit("b"); biz.KindOf(err) != biz.KindUnavailable {
		t.Errorf("commit: %v", err)
	}
	own := biz.Errorf(biz.KindInvalid, "OWN", "its own")
	if err := b.Each(t.Context(), time.Now().Add(time.Hour), func(string) error { return own }); !errors.Is(err, own) {
		t.Errorf("each: %v", err)
	}
	r, err := b.Open(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if all, err := io.ReadAll(r); string(all) != "x" || err != nil {
		t.Errorf("read %q, %v", all, err)
	}
	if err := errors.Join(r.Close(), dir.Close()); err != nil {
		t.Error(err)
	}
	if _, err := r.Read(make([]byte, 1)); biz.KindOf(err) != biz.KindUnavailable {
		t.Errorf("read after the end: %v", err)
	}
	if b.Health() != "" {
		t.Error("a folder has something to say")
	}
}
