package blob

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/game-im/hermod/plugin"
	"github.com/game-im/hermod/plugin/plugintest"
)

// TestStandard: the plugins have names and keys as any has, and dir is in the node's folder.
func TestStandard(t *testing.T) {
	t.Parallel()
	for i := range Standard() {
		plugintest.Plugin(t, func() plugin.Plugin { return Standard()[i] })
	}
	dir, data := &folder{}, t.TempDir()
	if err := dir.Start(plugin.WithDataDir(t.Context(), data)); err != nil {
		t.Fatal(err)
	}
	var store plugin.BlobStore = dir
	w, err := store.Create(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, "sound"); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(data, "blobs", "a")); string(got) != "sound" {
		t.Errorf("got %q, %v", got, err)
	}
	if err := dir.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}
