package archive_test

import (
	"testing"

	"github.com/game-im/hermod/internal/data/archive"
)

// TestRestoreNamesWhatItKeepsOnce: data.dir is relative unless somebody says otherwise, and what was there before is in
// one folder.
func TestRestoreNamesWhatItKeepsOnce(t *testing.T) {
	file := backup(t)
	t.Chdir(t.TempDir())
	for i, kept := range []int{0, 1} {
		r, err := archive.Restore(t.Context(), file, storeIn("data"))
		if err != nil || len(r.Replaced) != kept {
			t.Fatalf("restore %d: kept %q, %v; want %d folders", i, r.Replaced, err, kept)
		}
	}
}
