package e2e

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// disk is a small one of its own, in memory, that a test can fill.
type disk struct {
	path string
	t    *testing.T
}

// newDisk mounts a disk of so many bytes until the test ends. Only root may; elsewhere than on CI the
// tests of others are skipped.
func newDisk(t *testing.T, options string) *disk {
	t.Helper()
	path, err := os.MkdirTemp("", "hermod-disk-") //nolint:usetesting // folders of tests are closed to other users
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Remove(path); err != nil {
			t.Error(err)
		}
	})
	if err := syscall.Mount("hermod", path, "tmpfs", 0, "mode=755,"+options); err != nil {
		if errors.Is(err, syscall.EPERM) && os.Getenv("CI") == "" {
			t.Skip("needs root, to have a disk that can be filled: ", err)
		}
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(path, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return &disk{path: path, t: t}
}

func (d *disk) ballast() string { return filepath.Join(d.path, "ballast") }

// fill leaves no room at all.
func (d *disk) fill() {
	d.t.Helper()
	f, err := os.OpenFile(d.ballast(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		d.t.Fatal(err)
	}
	defer func() { _ = f.Close() }() // it is there to be in the way
	for size := 1 << 20; size >= 1<<12; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			if !errors.Is(err, syscall.ENOSPC) {
				d.t.Fatal(err)
			}
			size /= 2
		}
	}
}

// free makes room again.
func (d *disk) free() {
	d.t.Helper()
	if err := os.Remove(d.ballast()); err != nil {
		d.t.Fatal(err)
	}
}
