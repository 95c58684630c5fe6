package registries

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/game-im/hermod/test/loopback"
)

const (
	// patience is how long a server may take to answer after it was started.
	patience = 2 * time.Minute
	// stopTime is how long it may take to end when it is asked to.
	stopTime  = 20 * time.Second
	pollEvery = 10 * time.Millisecond
	attempts  = 5
)

// kind is what the servers differ in.
type kind struct {
	program program
	// ports are the distances of further ports that the server listens on from its first one.
	ports []int
	args  func(port int, dir string) []string
	// ready tells whether the server at an address does its work.
	ready func(addr string) error
}

// Server is a registry that runs.
type Server struct {
	// Addr is host:port of the port that clients are configured with, the same after a restart.
	Addr string

	t    testing.TB
	kind kind
	file string
	dir  string
	port int

	cmd    *exec.Cmd
	exited chan struct{} // closed when the process has ended
}

// start builds, starts and waits for a server.
func start(t testing.TB, k kind) *Server {
	t.Helper()
	s := &Server{t: t, kind: k, file: binary(t, k.program), dir: t.TempDir()}
	t.Cleanup(s.cleanUp)
	var err error
	for range attempts { // a program that is no test may have been faster to take the ports
		s.port = loopback.Port(t, k.ports...)
		s.Addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port))
		if err = s.boot(); err == nil {
			return s
		}
	}
	t.Fatalf("%s does not start: %v\n%s", k.program.module, err, s.log())
	return nil
}

// Port returns the port of Addr.
func (s *Server) Port() int { return s.port }

// Start starts the server again, on the same ports and with the data that it left.
func (s *Server) Start() {
	s.t.Helper()
	if err := s.boot(); err != nil {
		s.t.Fatalf("%s does not start again: %v", s.kind.program.module, err)
	}
}

// Stop ends the server in an orderly way, as far as it has one, and waits until it is gone.
func (s *Server) Stop() {
	s.t.Helper()
	s.signal(syscall.SIGTERM)
	select {
	case <-s.exited:
	case <-time.After(stopTime):
		s.Kill()
	}
}

// Kill ends the server at once, as a crash would.
func (s *Server) Kill() {
	s.t.Helper()
	s.signal(syscall.SIGKILL)
	<-s.exited
}

// Freeze lets the server take connections and answer nobody, as one that hangs, until Thaw.
func (s *Server) Freeze() {
	s.t.Helper()
	s.signal(syscall.SIGSTOP)
	// The kernel takes a moment to stop all threads.
	for deadline := time.Now().Add(freezeLimit); !s.stopped() && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
}

const freezeLimit = 5 * time.Second

// stopped tells whether every thread of the process is stopped, where /proc says so.
func (s *Server) stopped() bool {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", s.cmd.Process.Pid))
	if err != nil || len(threads) == 0 {
		return false
	}
	for _, file := range threads {
		stat, err := os.ReadFile(file)
		state := stat[bytes.LastIndexByte(stat, ')')+1:] // behind the name, which may hold anything
		if err != nil || !bytes.HasPrefix(state, []byte(" T")) {
			return false
		}
	}
	return true
}

// Thaw ends a Freeze.
func (s *Server) Thaw() { s.t.Helper(); s.signal(syscall.SIGCONT) }

// Wipe forgets what the server knew. It must not run.
func (s *Server) Wipe() {
	s.t.Helper()
	if s.running() {
		s.t.Fatal("a server that runs cannot be wiped")
	}
	if err := os.RemoveAll(s.data()); err != nil {
		s.t.Fatal(err)
	}
}

// RestartEmpty kills the server and starts it without anything that it knew.
func (s *Server) RestartEmpty() {
	s.t.Helper()
	s.Kill()
	s.Wipe()
	s.Start()
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// boot starts the process and waits until it does its work.
func (s *Server) boot() error {
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // nothing was written through it: the process has its own
	cmd := exec.Command(s.file, s.kind.args(s.port, s.data())...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	exited := make(chan struct{})
	s.cmd, s.exited = cmd, exited
	go func() {
		_ = cmd.Wait() // how it ended is in its log
		close(exited)
	}()
	return s.await()
}

func (s *Server) await() error {
	deadline := time.Now().Add(patience)
	for {
		err := s.kind.ready(s.Addr)
		switch {
		case !s.running():
			return errors.New("the process has ended")
		case err == nil:
			return nil
		case time.Now().After(deadline):
			s.Kill()
			return fmt.Errorf("not ready within %s: %w", patience, err)
		}
		time.Sleep(pollEvery)
	}
}

func (s *Server) running() bool {
	if s.cmd == nil {
		return false
	}
	select {
	case <-s.exited:
		return false
	default:
		return true
	}
}

func (s *Server) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.t.Errorf("signal %s: %v", sig, err)
	}
}

func (s *Server) cleanUp() {
	if s.running() {
		_ = s.cmd.Process.Kill() // it may have ended by itself
		<-s.exited
	}
	if s.t.Failed() {
		s.t.Logf("log of %s at %s:\n%s", s.kind.program.module, s.Addr, s.log())
	}
}

func (s *Server) log() string {
	text, err := os.ReadFile(filepath.Join(s.dir, "log"))
	if err != nil {
		return err.Error()
	}
	return lastLines(string(text))
}
