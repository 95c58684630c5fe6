package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"testing"

	"github.com/game-im/hermod/test/process"
)

// tailed is a line that hermodctl tail --json prints.
type tailed struct {
	Room    string `json:"room_id"`
	Seq     int64  `json:"seq"`
	From    string `json:"from_user_id"`
	Content string `json:"content"`
}

func (l tailed) String() string { return fmt.Sprint(l.Room, " ", l.Seq, " ", l.Content) }

// tailer is a hermodctl tail --json that runs.
type tailer struct {
	t   *testing.T
	cmd *exec.Cmd

	mu    sync.Mutex
	lines []tailed
	said  bytes.Buffer // standard error
	done  chan struct{}
}

// Write takes what it says on standard error.
func (r *tailer) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.said.Write(p)
}

// tail begins one, of which args are what is behind the command.
func (n *Node) tail(args ...string) *tailer {
	n.t.Helper()
	r := &tailer{t: n.t, done: make(chan struct{})}
	r.cmd = exec.CommandContext(n.t.Context(), process.Program("hermodctl"), append(append([]string{"tail"}, args...), "--json", "--addr", n.IM, "--timeout", "2m")...)
	r.cmd.Stderr = r
	out, err := r.cmd.StdoutPipe()
	if err != nil {
		n.t.Fatal(err)
	}
	if err := r.cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	go r.read(out)
	return r
}

func (r *tailer) read(out io.Reader) {
	defer close(r.done)
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var l tailed
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			r.t.Errorf("%v in %s", err, lines.Bytes())
		}
		r.mu.Lock()
		r.lines = append(r.lines, l)
		r.mu.Unlock()
	}
}

// shown is what it has shown so far.
func (r *tailer) shown() []tailed {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.lines)
}

// notes is what it has said beside that.
func (r *tailer) notes() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.said.String()
}

// awaits waits until it has shown so many lines.
func (r *tailer) awaits(count int) {
	r.t.Helper()
	eventuallyWithin(r.t, 3*patience, fmt.Sprint(count, " lines"), func() bool {
		select {
		case <-r.done:
			if len(r.shown()) < count {
				r.t.Fatalf("the tail has ended with %d lines of %d: %s", len(r.shown()), count, r.notes())
			}
		default:
		}
		return len(r.shown()) >= count
	})
}

// interrupt ends it as Ctrl-C does, which is no failure, and returns all that it has shown.
func (r *tailer) interrupt() []tailed {
	r.t.Helper()
	if err := r.cmd.Process.Signal(syscall.SIGINT); err != nil {
		r.t.Error(err)
	}
	return r.ends(0)
}

// ends waits for its end with that exit code, and returns all that it has shown.
func (r *tailer) ends(code int) []tailed {
	r.t.Helper()
	<-r.done
	_ = r.cmd.Wait() // the exit code says it
	if got := r.cmd.ProcessState.ExitCode(); got != code {
		r.t.Errorf("exit code %d, want %d: %s", got, code, r.notes())
	}
	return r.shown()
}

// silent checks that it had nothing to tell beside messages.
func (r *tailer) silent() {
	r.t.Helper()
	if notes := r.notes(); notes != "" {
		r.t.Errorf("it says %q", notes)
	}
}

// contiguous checks that lines are the messages from one to another of one room, in order and each once.
func contiguous(t *testing.T, lines []tailed, room string, from, to int64) {
	t.Helper()
	next := from
	for _, l := range lines {
		if l.Room != room {
			continue
		}
		if l.Seq != next {
			t.Fatalf("room %s: %d comes where %d is due", room, l.Seq, next)
		}
		next++
	}
	if next != to+1 {
		t.Fatalf("room %s ends with %d, want %d", room, next-1, to)
	}
}
