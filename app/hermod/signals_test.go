package hermod

import (
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

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
