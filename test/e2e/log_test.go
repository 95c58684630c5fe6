//go:build unix

package e2e

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/game-im/hermod/test/process"
)

// TestANodeOutlivesWhoeverReadsItsLog: it stops as it should, with code 0, though the log that it writes meanwhile is
// read by nobody any more, because he is gone, or because he stands still.
func TestANodeOutlivesWhoeverReadsItsLog(t *testing.T) {
	t.Parallel()
	for what, leave := range map[string]func(t *testing.T, r, w *os.File){
		"gone": func(t *testing.T, r, w *os.File) {
			if err := errors.Join(r.Close(), w.Close()); err != nil {
				t.Fatal(err)
			}
		},
		"silent": stuff,
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			n := process.Prepare(t, "")
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			defer w.Close()
			cmd := exec.Command(process.Program("hermod"), n.Args...)
			cmd.Env, cmd.Stderr = n.Env, w
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			defer cmd.Process.Kill() // it has usually ended
			n.Eventually("the node is ready", n.Ready)
			leave(t, r, w)
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			select {
			case err := <-ended:
				if err != nil {
					t.Errorf("the node did not stop cleanly: %v", err)
				}
			case <-time.After(process.Patience):
				t.Errorf("the node still runs %s after SIGTERM", process.Patience)
			}
		})
	}
}

// stuff writes into a pipe until nothing more has room in it.
func stuff(t *testing.T, _, w *os.File) {
	t.Helper()
	fd := int(w.Fd())
	if err := syscall.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	var err error
	for err == nil {
		_, err = syscall.Write(fd, []byte("x"))
	}
	if err := syscall.SetNonblock(fd, false); err != nil {
		t.Fatal(err)
	}
	if !errors.Is(err, syscall.EAGAIN) {
		t.Fatal(err)
	}
}
