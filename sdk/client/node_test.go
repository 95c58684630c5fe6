package client

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/game-im/hermod/test/loopback"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(withNode{m},
		// What the Nacos SDK leaves behind: for each client that it closed, and for its log.
		goleak.IgnoreAnyFunction("github.com/nacos-group/nacos-sdk-go/v2/clients/naming_client/naming_http.(*PushReceiver).startServer.func1"),
		goleak.IgnoreAnyFunction("gopkg.in/natefinch/lumberjack%2ev2.(*Logger).millRun"),
	)
}

// withNode stops the node, if a test has started it, before goroutines are counted.
type withNode struct{ *testing.M }

func (m withNode) Run() int {
	code := m.M.Run()
	if err := theNode.stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	http.DefaultClient.CloseIdleConnections()
	if programDir != "" {
		_ = os.RemoveAll(programDir)
	}
	return code
}

// node is a real node, in a process and a folder of its own. All tests share one, so each uses
// users and rooms with names of its own.
type node struct {
	once sync.Once
	err  error

	dir, im, gateway, ops string
	cmd                   *exec.Cmd
	exited                chan error
}

var theNode node

// home is the package's folder; a test may have gone to another one.
var home, _ = os.Getwd()

// StartNode returns the address of the node's IM listener.
func StartNode(tb testing.TB) string {
	tb.Helper()
	theNode.once.Do(func() { theNode.err = theNode.start() })
	if theNode.err != nil {
		tb.Fatal(theNode.err)
	}
	return theNode.im
}

func (n *node) start() error {
	if err := n.prepare(); err != nil {
		return err
	}
	return n.launch()
}

// prepare gives the node a folder and addresses.
func (n *node) prepare() error {
	if _, err := program(); err != nil {
		return err
	}
	var err error
	if n.dir, err = os.MkdirTemp("", "hermod-sdk-"); err != nil {
		return err
	}
	for _, addr := range []*string{&n.im, &n.gateway, &n.ops} {
		if *addr, err = loopback.FreeAddr(); err != nil {
			return err
		}
	}
	return nil
}

// program builds the node, once, and returns its file.
var program = sync.OnceValues(func() (string, error) {
	var err error
	if programDir, err = os.MkdirTemp("", "hermod-sdk-"); err != nil {
		return "", err
	}
	file := filepath.Join(programDir, "hermod")
	build := exec.Command("go", "build", "-o", file, "github.com/game-im/hermod/app/hermod/cmd/hermod")
	build.Dir = home
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("the node does not build: %w\n%s", err, out)
	}
	return file, nil
})

var programDir string // empty: nothing was built

// launch starts the process, and returns when the node is ready.
func (n *node) launch() error {
	file, err := program()
	if err != nil {
		return err
	}
	n.cmd = exec.Command(file, "-im", n.im, "-grpc", n.gateway, "-ops", n.ops, "-http", "127.0.0.1:0")
	n.cmd.Dir = n.dir
	n.cmd.Env = append(os.Environ(), "HERMOD_DATA_DIR="+filepath.Join(n.dir, "data"))
	log, err := os.OpenFile(n.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	n.cmd.Stdout, n.cmd.Stderr = log, log
	if err := n.cmd.Start(); err != nil {
		return err
	}
	cmd, exited := n.cmd, make(chan error, 1)
	n.exited = exited
	go func() { exited <- cmd.Wait() }()
	return n.waitReady()
}

func (n *node) log() string { return filepath.Join(n.dir, "log") }

func (n *node) waitReady() error {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		select {
		case err := <-n.exited:
			n.exited <- err
			return n.failure("the node ended before it was ready", err)
		default:
		}
		resp, err := http.Get("http://" + n.ops + "/readyz")
		if err != nil {
			continue
		}
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return nil
		}
	}
	return n.failure("the node does not become ready", nil)
}

func (n *node) failure(what string, err error) error {
	log, _ := os.ReadFile(n.log())
	return fmt.Errorf("%s: %v\n%s", what, err, log)
}

func (n *node) stop() error {
	if n.dir == "" {
		return nil
	}
	defer os.RemoveAll(n.dir)
	return n.terminate()
}

// terminate has the process end as an operator would.
func (n *node) terminate() error {
	if n.exited == nil {
		return nil
	}
	if err := n.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case err := <-n.exited:
		if err != nil {
			return n.failure("the node did not stop cleanly", err)
		}
		return nil
	case <-time.After(time.Minute):
		_ = n.cmd.Process.Kill()
		<-n.exited
		return n.failure("the node still runs long after SIGTERM", nil)
	}
}
