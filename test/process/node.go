package process

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/game-im/hermod/test/loopback"
)

const (
	// Patience is how long a test waits for something that must happen.
	Patience = 30 * time.Second
	// stopDeadline is server.stop.timeout of the default configuration, and a little more.
	stopDeadline = 17 * time.Second
	pollEvery    = 5 * time.Millisecond
)

// greeting is what a node tells whoever starts it to try next.
var greeting = regexp.MustCompile(`(?s)\nNow, in two other terminals.*?hermodctl push.*?\n\n`)

// Node is one hermod process.
type Node struct {
	IM, Gateway, HTTP, Ops string   // addresses, the same after a restart
	Args, Env              []string // of the next start
	Binary                 string   // of the next start; empty: the hermod that Main has built
	LogFile                string   // has everything that the process has written
	Cmd                    *exec.Cmd

	t      testing.TB
	exited chan struct{} // closed when the process has ended
	err    error         // what Wait returned; valid once exited is closed
	ending bool          // the test has asked for the end
}

// Prepare makes a node with the given configuration in YAML on top of the defaults, and does not start it. Once it was
// started, it is stopped, and must stop cleanly, when the test ends.
func Prepare(t testing.TB, yaml string, args ...string) *Node {
	t.Helper()
	dir := t.TempDir()
	n := &Node{IM: loopback.Addr(t), Gateway: loopback.Addr(t), HTTP: loopback.Addr(t), Ops: loopback.Addr(t), t: t, LogFile: filepath.Join(dir, "log")}
	n.Args = append([]string{"-im", n.IM, "-grpc", n.Gateway, "-http", n.HTTP, "-ops", n.Ops}, args...)
	n.Env = append(os.Environ(), "HERMOD_DATA_DIR="+filepath.Join(dir, "data"))
	n.Configure(yaml)
	t.Cleanup(n.cleanUp)
	return n
}

// Configure gives a node that does not run its configuration, if it has none yet.
func (n *Node) Configure(yaml string) {
	n.t.Helper()
	if yaml == "" {
		return
	}
	file := filepath.Join(filepath.Dir(n.LogFile), "hermod.yaml")
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		n.t.Fatal(err)
	}
	n.Args = append(n.Args, "-conf", file)
}

// Boot starts the process, for the first time or again, and returns once it is ready.
func (n *Node) Boot() {
	n.t.Helper()
	n.Spawn()
	n.Eventually("the node is ready", func() bool {
		select {
		case <-n.exited:
			n.t.Fatalf("the node ended before it was ready: %v\n%s", n.err, n.Log())
		default:
		}
		return n.Ready()
	})
}

// Spawn starts the process and does not wait for anything.
func (n *Node) Spawn() {
	n.t.Helper()
	log, err := os.OpenFile(n.LogFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		n.t.Fatal(err)
	}
	defer func() { _ = log.Close() }() // nothing was written through it: the process has its own
	cmd := exec.Command(cmp.Or(n.Binary, Program("hermod")), n.Args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = n.Env, log, log
	cmd.Dir = filepath.Dir(n.LogFile)
	if err := cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	exited := make(chan struct{})
	n.Cmd, n.exited, n.ending = cmd, exited, false
	go func() {
		n.err = cmd.Wait()
		close(exited)
	}()
}

// Ready tells whether /readyz answers 200.
func (n *Node) Ready() bool {
	status, _ := n.Page("/readyz")
	return status == http.StatusOK
}

// Page fetches a page of the operations listener; status 0 means that there was no answer.
func (n *Node) Page(path string) (status int, body string) {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.Ops+path, http.NoBody)
	if err != nil {
		return 0, err.Error()
	}
	req.Close = true // a node that stops has no idle connection to wait for
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(resp.Body); err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, b.String()
}

// Terminate asks the process to stop and does not wait for it.
func (n *Node) Terminate() {
	n.t.Helper()
	n.Signal(syscall.SIGTERM)
}

// Stop stops the process in an orderly way, which must succeed in time and with exit code 0.
func (n *Node) Stop() {
	n.t.Helper()
	n.Terminate()
	n.Stopped()
}

// Stopped waits for the end of a process that was terminated.
func (n *Node) Stopped() {
	n.t.Helper()
	select {
	case <-n.exited:
	case <-time.After(stopDeadline):
		n.t.Errorf("the node still runs %s after SIGTERM", stopDeadline)
		n.Kill()
		return
	}
	if n.err != nil {
		n.t.Errorf("the node did not stop cleanly: %v", n.err)
	}
}

// Kill ends the process at once, as a crash would.
func (n *Node) Kill() {
	n.t.Helper()
	n.Signal(syscall.SIGKILL)
	<-n.exited
}

// Restart stops the process cleanly and starts it again.
func (n *Node) Restart() {
	n.t.Helper()
	n.Stop()
	n.Boot()
}

// Signal sends a signal that is to end the process.
func (n *Node) Signal(s syscall.Signal) {
	n.t.Helper()
	n.ending = true
	if err := n.Cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		n.t.Error(err)
	}
}

// Log returns what the process has written, its end if it is long.
func (n *Node) Log() string {
	data, err := os.ReadFile(n.LogFile)
	if err != nil {
		return err.Error()
	}
	const most = 32 << 10
	if len(data) > most {
		data = data[len(data)-most:]
	}
	return string(data)
}

func (n *Node) cleanUp() {
	n.t.Helper()
	if n.Cmd == nil {
		return
	}
	select {
	case <-n.exited:
		if !n.ending {
			n.t.Errorf("the node has ended by itself: %v", n.err)
		}
	default:
		n.Stop()
	}
	if strings.Contains(n.Log(), "panic") {
		n.t.Error("the node has panicked")
	}
	if n.t.Failed() {
		n.t.Logf("log of the node:\n%s", greeting.ReplaceAllString(n.Log(), ""))
	}
}

// Eventually waits until ok, which is asked again and again.
func (n *Node) Eventually(what string, ok func() bool) {
	n.t.Helper()
	Eventually(n.t, Patience, what, ok)
}

// Eventually waits until ok, which is asked again and again, for a time at most.
func Eventually(t testing.TB, most time.Duration, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(most)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", most, what)
		}
		time.Sleep(pollEvery)
	}
}

// Ended tells whether the process, which was started, has ended.
func (n *Node) Ended() bool {
	select {
	case <-n.exited:
		return true
	default:
		return false
	}
}
