package archive_test

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/game-im/hermod/internal/data/archive"
)

// TestBackupWithoutTheBucket: recordings that are in one are not missed, and what puts the backup back knows where they
// are.
func TestBackupWithoutTheBucket(t *testing.T) {
	t.Parallel()
	from, file := t.TempDir(), filepath.Join(t.TempDir(), "backup.tar")
	n := start(t, from)
	n.say("1")
	n.record("")
	store := storeIn(from)
	store.Bucket = "s3://chat/"
	made, err := archive.Write(t.Context(), store, file, "")
	if err != nil || made.Recordings != 0 || made.Gone != 0 || !strings.HasSuffix(made.String(), "; the recordings are in the bucket s3://chat/ and were not copied") {
		t.Fatalf("made %q, %v", made, err)
	}
	to := t.TempDir()
	r, err := archive.Restore(t.Context(), file, storeIn(to))
	if err != nil || r.Summary != made {
		t.Fatalf("restored %+v, %v", r, err)
	}
	start(t, to).wantSaid("1")
}

// TestBackupMissesTheFolder: where recordings are named and their folder is not there, as that of another volume, they
// were not deleted, and a backup without them is none.
func TestBackupMissesTheFolder(t *testing.T) {
	t.Parallel()
	from, out := t.TempDir(), t.TempDir()
	n := start(t, from)
	store := storeIn(from)
	store.Blobs = filepath.Join(out, "elsewhere")
	if made, err := archive.Write(t.Context(), store, filepath.Join(out, "none"), ""); err != nil || made.Gone != 0 {
		t.Errorf("without recordings: %+v, %v", made, err)
	}
	n.record("sounds")
	if made, err := archive.Write(t.Context(), store, filepath.Join(out, "backup.tar"), ""); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), store.Blobs) {
		t.Errorf("made %+v, %v", made, err)
	}
	only(t, out, "none")
}
