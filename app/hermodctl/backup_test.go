package hermodctl

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/game-im/hermod/internal/data"
)

// configured stores in SQLite, and recordings as it is told, and returns the file that says so.
func configured(t *testing.T, dir, blobs string) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "node.yaml")
	if err := os.WriteFile(file, fmt.Appendf(nil, "data: {dir: %q, blobs: %s}", dir, blobs), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestBackupLeavesTheBucketAlone: of a node whose recordings are in a bucket the database is copied, and it is said
// where the recordings are, also by what puts it back.
func TestBackupLeavesTheBucketAlone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db, err := data.Open(context.Background(), data.Options{Dir: dir}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	bucket := `{store: s3, s3: {endpoint: "http://127.0.0.1:1", region: eu, bucket: chat, prefix: hermod/}}`
	conf, file := configured(t, dir, bucket), filepath.Join(t.TempDir(), "backup.tar")
	const said = "; the recordings are in the bucket s3://chat/hermod/ and were not copied\n"
	if o := execute(t, "", "backup", "--conf", conf, file); o.code != 0 || !strings.HasSuffix(o.out, said) || o.err != "" {
		t.Errorf("backup: %+v", o)
	}
	if o := execute(t, "", "restore", "--conf", configured(t, t.TempDir(), bucket), file); o.code != 0 || !strings.HasSuffix(o.out, said) {
		t.Errorf("restore: %+v", o)
	}
}
