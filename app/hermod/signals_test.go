package hermod

import (
	"context"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

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

// TestASecondSignalIsHeeded unless it may be the first one, handed on by whoever has started the node.
func TestASecondSignalIsHeeded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		signals, stopped, again := make(chan os.Signal, 1), false, make(chan os.Signal, 1)
		go func() { again <- heed(signals, func() { stopped = true }) }()
		synctest.Wait()
		if stopped {
			t.Error("stopped without a signal")
		}
		for _, after := range []time.Duration{0, 5 * time.Millisecond, echo - 5*time.Millisecond} { // at the end: a second later
			time.Sleep(after)
			signals <- os.Interrupt
			synctest.Wait()
			if !stopped || len(again) > 0 {
				t.Errorf("%s later: stopped %v, heeded again %v", after, stopped, len(again) > 0)
			}
		}
		time.Sleep(time.Millisecond)
		signals <- syscall.SIGTERM
		if got := <-again; got != syscall.SIGTERM {
			t.Errorf("got %v", got)
		}
	})
}
