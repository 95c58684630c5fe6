package server

import (
	"os"
	"testing"
	"time"
)

// TestOwnCertificate: it is kept across restarts, and made anew when it has expired or was broken.
func TestOwnCertificate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	made := func(now time.Time) string {
		t.Helper()
		files, err := ownCertificate(dir, now)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := files.Certificate(now); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(files.GetCertFile())
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(files.GetKeyFile()); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the key: %v, %v", info, err)
		}
		return string(text)
	}
	now := time.Now()
	first := made(now)
	if made(now.Add(time.Hour)) != first {
		t.Error("not kept")
	}
	if made(now.Add(ownLife+time.Hour)) == first {
		t.Error("kept although it has expired")
	}
}
