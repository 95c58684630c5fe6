package hermodctl

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestBatchKeepsItsInput: whom a batch has not reached is not written over the targets that are still to be read, by
// whatever name the file goes.
func TestBatchKeepsItsInput(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	list, link := filepath.Join(dir, "again.jsonl"), filepath.Join(dir, "link.jsonl")
	targets := []byte(strings.Repeat(`{"openid":"alice"}`+"\n", 10_000))
	if err := os.WriteFile(list, targets, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(list, link); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("needs links, which Windows lets administrators make, and everybody in its developer mode: ", err)
	}
	in, err := os.Open(list)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	for name, args := range map[string][]string{"a file": {list}, "a link to it": {link}, "standard input": nil} {
		var out, errs bytes.Buffer
		args = append([]string{"batch", "--addr", "127.0.0.1:1", "--timeout", "100ms", "--content", "x", "--failed", list}, args...)
		code := run(t.Context(), args, &streams{in: in, out: &out, err: &errs})
		if code != exitUsage || !strings.Contains(errs.String(), "name another file") {
			t.Errorf("%s: exit code %d, %s%s", name, code, &out, &errs)
		}
		if left, err := os.ReadFile(list); err != nil || !bytes.Equal(left, targets) {
			t.Fatalf("%s: %d of %d bytes of the targets are left, %v", name, len(left), len(targets), err)
		}
	}
}
