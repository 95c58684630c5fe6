package image

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// patience is how long a test waits for something that must happen.
const patience = time.Minute

// Await returns once the URL answers 200, and fails the test when the program ends first or takes
// too long.
func Await(t *testing.T, p *Process, url string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for again := time.NewTicker(20 * time.Millisecond); ; {
		if answers(ctx, url) {
			return
		}
		select {
		case <-p.Exited():
			t.Fatalf("the program ended before %s answered: %v\n%s", url, p.err, p.Output())
		case <-ctx.Done():
			t.Fatalf("%s does not answer\n%s", url, p.Output())
		case <-again.C:
		}
	}
}

func answers(ctx context.Context, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return false
	}
	request.Close = true // a node that stops has no idle connection to wait for
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	return response.Body.Close() == nil && response.StatusCode == http.StatusOK
}

// Volume is a fresh folder that belongs to the image's user.
func Volume(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	Open(t, dir)
	if err := os.Chown(dir, 65532, 65532); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Open lets the image's user reach a file or folder of the test.
func Open(t *testing.T, name string) {
	t.Helper()
	for dir := name; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}
