package wordfilter

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestHalfAList: a list that is written in place is used when it is whole, and a bad one is told of once.
func TestHalfAList(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		f := New()
		f.log = slog.New(slog.NewTextHandler(&log, nil))
		file := &watched{path: filepath.Join(t.TempDir(), "words.txt")}
		look := func(text, want string) {
			t.Helper()
			if err := os.WriteFile(file.path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			f.reload(file)
			if masked, _ := f.words.Load().mask([]byte("old new")); string(masked) != want {
				t.Errorf("with %q in the file: %q, want %q", text, masked, want)
			}
			time.Sleep(quiet / 2)
		}
		for _, want := range []string{"old new", "old new", "*** new"} {
			look("old\n", want)
		}
		for _, text := range []string{"", "n", "new\n", "old\n", "new\n"} { // it is being written anew, or not
			look(text, "*** new")
		}
		for _, want := range []string{"*** new", "old ***", "old ***"} {
			look("new\n", want)
		}
		for _, text := range []string{"\xe6", "\xff\n", "\xff\n", "\xff\n", "\xff\n", "\xff\n"} { // a letter by half, and no text
			look(text, "old ***")
		}
		if n := strings.Count(log.String(), "cannot be used"); n != 1 {
			t.Errorf("what cannot be used was told of %d times:\n%s", n, &log)
		}
		for _, want := range []string{"old ***", "old ***", "old new"} {
			look("", want)
		}
	})
}

// TestAListWithOldTimes is used as well: it may have been moved here, or have times of another clock.
func TestAListWithOldTimes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		file := &watched{path: filepath.Join(t.TempDir(), "words.txt"), text: []byte("old\n")}
		long := time.Now().Add(-time.Hour)
		if err := errors.Join(os.WriteFile(file.path, []byte("new\n"), 0o600), os.Chtimes(file.path, long, long)); err != nil {
			t.Fatal(err)
		}
		for _, want := range []bool{false, true} {
			if text, changed, err := file.read(); err != nil || changed != want {
				t.Errorf("read %q, changed %v, %v", text, changed, err)
			}
			time.Sleep(quiet)
		}
	})
}
