package archive

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"
)

// TestAFullDiskIsSaid: whoever meets it, the file system or SQLite.
func TestAFullDiskIsSaid(t *testing.T) {
	t.Parallel()
	full := fmt.Errorf("x: %w", &fs.PathError{Op: "write", Path: "f", Err: syscall.ENOSPC})
	if err := explain(full, "/backups", "it"); !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "the disk of /backups is full") {
		t.Error(err)
	}
	if other := errors.New("x"); explain(other, "/backups", "it") != other {
		t.Error("another error is changed")
	}
}
