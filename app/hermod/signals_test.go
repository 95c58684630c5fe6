package hermod

import (
	"context"
	"os"
	"strings"
	"syscall"
	"testing"

	ports "github.com/game-im/hermod/test/loopback"
)

// TestAHangupDoesNotEndANodeThatStarts, which cannot follow its configuration yet. One that did would end this process. It
// is not parallel, so that no other node is there to catch the signal.
func TestAHangupDoesNotEndANodeThatStarts(t *testing.T) {
	t.Setenv("HERMOD_DATA_DIR", t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	logs, done, args := &output{}, make(chan error, 1), []string{"-conf", "consul://" + ports.Addr(t) + "/hermod.yaml"}
	go func() { done <- Run(ctx, args, &output{}, logs, Standard()...) }()
	await(t, "a centre that does not answer", func() bool { return strings.Contains(logs.String(), "trying again") })
	this, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if err := this.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-done; err == nil || !strings.Contains(err.Error(), "cannot be reached") {
		t.Errorf("ended with %v", err)
	}
}
