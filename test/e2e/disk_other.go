//go:build !linux

package e2e

import "testing"

// disk is a small one of its own, in memory, that a test can fill.
type disk struct{ path string }

// newDisk skips the test: how a disk is made is known of Linux alone.
func newDisk(t *testing.T, _ string) *disk {
	t.Helper()
	t.Skip("needs Linux, to have a disk that can be filled")
	return nil
}

func (d *disk) fill() {}

func (d *disk) free() {}
