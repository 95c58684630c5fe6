package data_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

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

// TestBlobOperationsAreCounted: once each, by the time that the store took and not by that of whoever sends, reads or
// looks through names; what is not there, and who gives up, is no failure of the store.
func TestBlobOperationsAreCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := t.TempDir()
		dir, err := blob.Open(path, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		b := data.NewBlobs(dir)
		if got := blobCounts(t, b); got != "delete 0 0, fetch 0 0, list 0 0, store 0 0" {
			t.Errorf("at first: %s", got)
		}
		slowly := func(name string) error {
			w, err := b.Create(t.Context(), name)
			if err != nil {
				return err
			}
			for range 3 {
				time.Sleep(time.Hour)
				if _, err := io.WriteString(w, "x"); err != nil {
					t.Error(err)
				}
			}
			return w.Commit()
		}
		if err := slowly("a"); err != nil {
			t.Error(err)
		}
		if err := os.MkdirAll(filepath.Join(path, "b", "c"), 0o700); err != nil { // in the way of renaming and deleting
			t.Fatal(err)
		}
		if slowly("b") == nil || slowly("no/name") == nil {
			t.Error("stored what cannot be")
		}
		r, err := b.Open(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if _, err := io.ReadAll(r); err != nil {
			t.Error(err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		for ctx, name := range map[context.Context]string{t.Context(): "none", gone: "a"} {
			if _, err := b.Open(ctx, name); err == nil {
				t.Errorf("%s was opened", name)
			}
		}
		own := biz.Errorf(biz.KindUnavailable, "OWN", "not the store's")
		err = b.Each(t.Context(), time.Now().AddDate(1000, 0, 0), func(string) error { // files know the real time
			time.Sleep(time.Hour)
			return own
		})
		if !errors.Is(err, own) {
			t.Error(err)
		}
		if err := b.Delete(t.Context(), "a"); err != nil {
			t.Error(err)
		}
		if err := b.Delete(t.Context(), "b"); err == nil {
			t.Error("deleted what cannot be")
		}
		if got := blobCounts(t, b); got != "delete 2 1, fetch 3 0, list 1 0, store 3 2" {
			t.Errorf("counted %s", got)
		}
		if err := dir.Close(); err != nil {
			t.Error(err)
		}
	})
}

// blobCounts is how many operations there were of each kind, and how many failures. None has taken any time.
func blobCounts(t *testing.T, b *data.Blobs) string {
	t.Helper()
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(b.Collectors()...)
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counts, failures := map[string]uint64{}, map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			operation := m.GetLabel()[0].GetValue()
			if h := m.GetHistogram(); h != nil {
				if counts[operation] = h.GetSampleCount(); h.GetSampleSum() != 0 {
					t.Errorf("%s took %v s", operation, h.GetSampleSum())
				}
				continue
			}
			failures[operation] = m.GetCounter().GetValue()
		}
	}
	var all []string
	for _, operation := range slices.Sorted(maps.Keys(counts)) {
		all = append(all, fmt.Sprint(operation, " ", counts[operation], " ", failures[operation]))
	}
	return strings.Join(all, ", ")
}
