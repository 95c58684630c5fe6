package blob_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/data/blob"
	"github.com/game-im/hermod/plugin"
	"github.com/game-im/hermod/plugin/plugintest"
)

var quiet = slog.New(slog.DiscardHandler)

func open(t *testing.T, path string) *blob.Dir {
	t.Helper()
	d, err := blob.Open(path, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func using(t *testing.T, d *blob.Dir) plugintest.Blobs { return plugintest.Blobs{T: t, Store: d} }

func isUnavailable(err error) bool {
	var refused *plugin.Error
	return errors.As(err, &refused) && refused.Kind == plugin.KindUnavailable
}

func files(t *testing.T, path string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestContractOfDir(t *testing.T) {
	t.Parallel()
	plugintest.BlobStore(t, func(t *testing.T) plugin.BlobStore { return open(t, t.TempDir()) })
}

func TestBlobIsWhole(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "deep", "blobs")
	d := open(t, path)
	w := using(t, d).Create("a", "one ", "two ")
	using(t, d).WantAbsent("a") // before it is whole
	if _, err := io.WriteString(w, "three"); err != nil {
		t.Fatal(err)
	}
	using(t, d).WantAbsent("a")
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	if got := using(t, d).Read("a"); got != "one two three" {
		t.Errorf("read %q", got)
	}
	using(t, d).Commit("empty")
	if got := using(t, d).Read("empty"); got != "" {
		t.Errorf("read %q", got)
	}
	if got := using(t, open(t, path)).Read("a"); got != "one two three" {
		t.Errorf("opened again: %q", got)
	}
	for _, name := range []string{"", "a", "empty"} {
		info, err := os.Stat(filepath.Join(path, name))
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%q: mode %v, %v", name, info.Mode(), err)
		}
	}
}

func TestBlobSeeks(t *testing.T) {
	t.Parallel()
	d := open(t, t.TempDir())
	using(t, d).Commit("a", "0123456789")
	r, err := d.Open(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if n, err := r.Seek(-3, io.SeekEnd); n != 7 || err != nil {
		t.Fatal(n, err)
	}
	if err := d.Delete(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(r); string(b) != "789" || err != nil {
		t.Errorf("read %q, %v", b, err)
	}
}

func TestDiscardLeavesNothing(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	d := open(t, path)
	for range 2 { // the name is free again
		if err := using(t, d).Create("a", "half").Discard(); err != nil {
			t.Fatal(err)
		}
		using(t, d).WantAbsent("a")
	}
	if left := files(t, path); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// TestKilledInTheMiddle: neither Commit nor Discard was called, and the process is another one. What is
// left goes once it is old.
func TestKilledInTheMiddle(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	d := open(t, path)
	using(t, d).Commit("whole", "x")
	using(t, d).Create("half", "y")
	if err := os.WriteFile(filepath.Join(path, "not.ours"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	again := open(t, path)
	each(t, again, time.Now().Add(-time.Hour))
	if left := files(t, path); !slices.Equal(left, []string{"half.part", "not.ours", "whole"}) {
		t.Errorf("left: %v", left)
	}
	using(t, again).WantAbsent("half")
	each(t, again, time.Now().Add(time.Hour))
	if left := files(t, path); !slices.Equal(left, []string{"not.ours", "whole"}) {
		t.Errorf("left: %v", left)
	}
	using(t, again).WantAbsent("half")
	using(t, again).Commit("half", "z")
}

// TestNodesShareAFolder: a node that starts, or sweeps, takes nothing from another one's uploads, and
// reads what that one has stored.
func TestNodesShareAFolder(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	one := open(t, path)
	w := using(t, one).Create("upload", "first half, ")
	two := open(t, path)
	each(t, two, time.Now().Add(-time.Hour))
	if _, err := io.WriteString(w, "second half"); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	if got := using(t, two).Read("upload"); got != "first half, second half" {
		t.Errorf("got %q", got)
	}
	if err := two.Delete(t.Context(), "upload"); err != nil {
		t.Fatal(err)
	}
	using(t, one).WantAbsent("upload")
}

// each is a sweep that deletes nothing of what is whole.
func each(t *testing.T, d *blob.Dir, before time.Time) {
	t.Helper()
	if err := d.Each(t.Context(), before, func(string) error { return nil }); err != nil {
		t.Fatal(err)
	}
}

func TestFailedCommitLeavesNothing(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	d := open(t, path)
	if err := os.Mkdir(filepath.Join(path, "a"), 0o700); err != nil { // in the way of the rename
		t.Fatal(err)
	}
	if err := using(t, d).Create("a", "x").Commit(); !isUnavailable(err) {
		t.Errorf("committed: %v", err)
	}
	if left := files(t, path); !slices.Equal(left, []string{"a"}) {
		t.Errorf("left: %v", left)
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	outer := t.TempDir()
	d := open(t, filepath.Join(outer, "blobs"))
	if err := os.WriteFile(filepath.Join(outer, "secret"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"", ".", "..", "../secret", "/etc/passwd", "a/b", `a\b`, "a.part", "a\x00", "ä", strings.Repeat("a", 129), "..%2fsecret",
	} {
		if w, err := d.Create(t.Context(), name); err == nil {
			t.Errorf("%q was created: %v", name, w.Discard())
		}
		using(t, d).WantAbsent(name)
		if err := d.Delete(t.Context(), name); err != nil {
			t.Errorf("delete %q: %v", name, err)
		}
	}
	if b, err := os.ReadFile(filepath.Join(outer, "secret")); err != nil || string(b) != "secret" {
		t.Error(b, err)
	}
	for _, name := range []string{"a", "A-9", strings.Repeat("a", 128)} {
		using(t, d).Commit(name, name)
		if got := using(t, d).Read(name); got != name {
			t.Errorf("%q: read %q", name, got)
		}
	}
	w := using(t, d).Create("twice")
	if _, err := d.Create(t.Context(), "twice"); err == nil {
		t.Error("two writers of one name")
	}
	if err := w.Discard(); err != nil {
		t.Error(err)
	}
}

// TestLinksLeadNowhere: somebody who can make links in the folder does not get further.
func TestLinksLeadNowhere(t *testing.T) {
	t.Parallel()
	outer := t.TempDir()
	d := open(t, filepath.Join(outer, "blobs"))
	if err := os.WriteFile(filepath.Join(outer, "secret"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(outer, "secret"), filepath.Join(outer, "blobs", "link")); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("needs links, which Windows lets administrators make, and everybody in its developer mode: ", err)
	}
	if r, err := d.Open(t.Context(), "link"); err == nil {
		t.Error("opened", r.Close())
	}
}

func TestEach(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	d := open(t, path)
	now := time.Now()
	var want []string
	for i := range 600 { // more than are listed at a time
		name := strings.Repeat("x", i%100+1) + "-" + string(rune('a'+i/100))
		using(t, d).Commit(name)
		if i%2 == 0 {
			if err := os.Chtimes(filepath.Join(path, name), now, now.Add(-time.Hour)); err != nil {
				t.Fatal(err)
			}
			want = append(want, name)
		}
	}
	w := using(t, d).Create("running")
	if err := os.WriteFile(filepath.Join(path, "not.ours"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(path, "folder"), 0o700); err != nil {
		t.Fatal(err)
	}
	var got []string
	if err := d.Each(t.Context(), now.Add(-time.Minute), func(name string) error {
		got = append(got, name)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%d names, want %d", len(got), len(want))
	}
	enough := errors.New("enough")
	if err := d.Each(t.Context(), now.Add(time.Hour), func(string) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("got %v", err)
	}
	if err := w.Discard(); err != nil {
		t.Error(err)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if d, err := blob.Open(file, quiet); err == nil {
		t.Error("a file was opened as a folder", d.Close())
	}
}

func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	d := open(t, path)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			name := strings.Repeat("n", i+1)
			w, err := d.Create(t.Context(), name)
			if err != nil {
				t.Error(err)
				return
			}
			for range 10 {
				if _, err := w.Write(bytes.Repeat([]byte{byte(i)}, 1000)); err != nil {
					t.Error(err)
				}
			}
			end := w.Commit
			if i%2 == 0 {
				end = w.Discard
			}
			if err := end(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if left := files(t, path); len(left) != 10 {
		t.Errorf("%d files: %v", len(left), left)
	}
	for i := 1; i < 20; i += 2 {
		if got := using(t, d).Read(strings.Repeat("n", i+1)); got != strings.Repeat(string(byte(i)), 10000) {
			t.Errorf("blob %d has %d bytes", i, len(got))
		}
	}
}
