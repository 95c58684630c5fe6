package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	// patience is how long a test waits for something that must happen.
	patience = 30 * time.Second
	// stopDeadline is server.stop.timeout of the default configuration, and a little more.
	stopDeadline = 17 * time.Second
	pollEvery    = 5 * time.Millisecond
)

// greeting is what a node tells whoever starts it to try next.
var greeting = regexp.MustCompile(`(?s)\nNow, in two other terminals.*?hermodctl push.*?\n\n`)

// programs is the folder with the binaries; TestMain fills it.
var programs string

// Node is one hermod process.
type Node struct {
	IM, Gateway, HTTP, Ops string // addresses, the same after a restart

	t    *testing.T
	args []string
	env  []string
	log  string // the file with everything that the process has written

	cmd    *exec.Cmd
	exited chan struct{} // closed when the process has ended
	err    error         // what Wait returned; valid once exited is closed
	ending bool          // the test has asked for the end
}

// Start starts a node with the given configuration in YAML on top of the defaults, and returns once
// it is ready. It is stopped, and must stop cleanly, when the test ends.
func Start(t *testing.T, yaml string, args ...string) *Node {
	t.Helper()
	n := Prepare(t, yaml, args...)
	n.Boot()
	return n
}

// Prepare is Start without starting.
func Prepare(t *testing.T, yaml string, args ...string) *Node {
	t.Helper()
	dir := t.TempDir()
	n := &Node{IM: freeAddr(t), Gateway: freeAddr(t), HTTP: freeAddr(t), Ops: freeAddr(t), t: t, log: filepath.Join(dir, "log")}
	n.args = append([]string{"-im", n.IM, "-grpc", n.Gateway, "-http", n.HTTP, "-ops", n.Ops}, args...)
	n.env = append(os.Environ(), "HERMOD_DATA_DIR="+filepath.Join(dir, "data"))
	n.configure(yaml)
	t.Cleanup(n.cleanUp)
	return n
}

// configure gives a node that does not run its configuration, if it has none yet.
func (n *Node) configure(yaml string) {
	n.t.Helper()
	if yaml == "" {
		return
	}
	file := filepath.Join(filepath.Dir(n.log), "hermod.yaml")
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		n.t.Fatal(err)
	}
	n.args = append(n.args, "-conf", file)
}

// given are the addresses that freeAddr has returned: nodes that have not begun to listen yet, and those
// that are between two lives, keep theirs.
var given sync.Map

// freeAddr returns an address that nobody listens on and nobody else was given. Its port is below those
// that systems give to outgoing connections, so that it is still free when a node comes back to it.
func freeAddr(t *testing.T) string {
	t.Helper()
	for range 1000 {
		addr := fmt.Sprintf("127.0.0.1:%d", 10_000+rand.IntN(20_000))
		if _, taken := given.LoadOrStore(addr, true); taken {
			continue
		}
		if lis, err := net.Listen("tcp", addr); err == nil {
			if err := lis.Close(); err != nil {
				t.Fatal(err)
			}
			return addr
		}
	}
	t.Fatal("found no free port")
	return ""
}

// Boot starts the process, for the first time or again, and returns once it is ready.
func (n *Node) Boot() {
	n.t.Helper()
	n.spawn()
	n.eventually("the node is ready", func() bool {
		select {
		case <-n.exited:
			n.t.Fatalf("the node ended before it was ready: %v\n%s", n.err, n.Log())
		default:
		}
		return n.Ready()
	})
}

// spawn starts the process and does not wait for anything.
func (n *Node) spawn() {
	n.t.Helper()
	log, err := os.OpenFile(n.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		n.t.Fatal(err)
	}
	defer func() { _ = log.Close() }() // nothing was written through it: the process has its own
	cmd := exec.Command(filepath.Join(programs, "hermod"), n.args...)
	cmd.Env, cmd.Stdout, cmd.Stderr = n.env, log, log
	cmd.Dir = filepath.Dir(n.log)
	if err := cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	exited := make(chan struct{})
	n.cmd, n.exited, n.ending = cmd, exited, false
	go func() {
		n.err = cmd.Wait()
		close(exited)
	}()
}

// Ready tells whether /readyz answers 200.
func (n *Node) Ready() bool {
	status, _ := n.get("/readyz")
	return status == http.StatusOK
}

// get fetches a page of the operations listener; status 0 means that there was no answer.
func (n *Node) get(path string) (status int, body string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
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
	n.signal(syscall.SIGTERM)
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
	n.signal(syscall.SIGKILL)
	<-n.exited
}

// Restart stops the process cleanly and starts it again.
func (n *Node) Restart() {
	n.t.Helper()
	n.Stop()
	n.Boot()
}

func (n *Node) signal(s syscall.Signal) {
	n.t.Helper()
	n.ending = true
	if err := n.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		n.t.Error(err)
	}
}

// Log returns what the process has written, its end if it is long.
func (n *Node) Log() string {
	data, err := os.ReadFile(n.log)
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
	if n.cmd == nil {
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

// eventually waits until ok, which is asked again and again.
func (n *Node) eventually(what string, ok func() bool) {
	n.t.Helper()
	eventually(n.t, what, ok)
}

// within is eventually for what may take longer.
func (n *Node) within(most time.Duration, what string, ok func() bool) {
	n.t.Helper()
	eventuallyWithin(n.t, most, what, ok)
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	eventuallyWithin(t, patience, what, ok)
}

func eventuallyWithin(t *testing.T, most time.Duration, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(most)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", most, what)
		}
		time.Sleep(pollEvery)
	}
}
