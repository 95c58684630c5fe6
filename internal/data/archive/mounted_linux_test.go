package archive_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/game-im/hermod/internal/data/archive"
)

// mount mounts a folder until the test ends, which only root may. Elsewhere than on CI the tests of others are skipped.
func mount(t *testing.T, what, on, kind string, flags uintptr) {
	t.Helper()
	if err := syscall.Mount(what, on, kind, flags, ""); err != nil {
		if errors.Is(err, syscall.EPERM) && os.Getenv("CI") == "" {
			t.Skip("needs root, to have a folder that is mounted; run the test as root: ", err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(on, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

// TestRestoreWhereRecordingsAreMounted: the folder cannot be moved, and nothing can be renamed into it from beside, also where it is
// of the same file system. Of what is in it only recordings are moved.
func TestRestoreWhereRecordingsAreMounted(t *testing.T) {
	t.Parallel()
	file := backup(t)
	for _, kind := range []string{"tmpfs", "bind"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			to := t.TempDir()
			blobs := filepath.Join(to, "blobs")
			if err := os.Mkdir(blobs, 0o700); err != nil {
				t.Fatal(err)
			}
			if kind == "bind" {
				mount(t, t.TempDir(), blobs, "", syscall.MS_BIND)
			} else {
				mount(t, "hermod", blobs, kind, 0)
			}
			n := start(t, to)
			n.say("mine")
			n.end()
			if err := errors.Join(
				os.WriteFile(filepath.Join(blobs, "old"), []byte("noise"), 0o600),
				os.Mkdir(filepath.Join(blobs, "lost+found"), 0o700),
				os.MkdirAll(filepath.Join(blobs, "restoring", "x"), 0o700), // of one that was interrupted
			); err != nil {
				t.Fatal(err)
			}
			r, err := archive.Restore(t.Context(), file, storeIn(to))
			if err != nil || len(r.Replaced) != 2 || r.Recordings != 1 {
				t.Fatalf("restored %+v, %v", r, err)
			}
			only(t, to, "blobs", "hermod.db", "hermod.db.lock", filepath.Base(r.Replaced[1]))
			entries, err := os.ReadDir(blobs)
			if err != nil || len(entries) != 3 { // the recording, lost+found and what was there
				t.Errorf("there are %v, %v", entries, err)
			}
			for _, e := range entries {
				if e.Type().IsRegular() {
					wantFile(t, filepath.Join(blobs, e.Name()), "sounds")
				}
			}
			wantFile(t, filepath.Join(r.Replaced[0], "blobs", "old"), "noise")
			start(t, r.Replaced[1]).wantSaid("mine")
			start(t, to).wantSaid("1")
		})
	}
}
