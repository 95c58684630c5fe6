package databases

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/game-im/hermod/test/loopback"
)

// Enabled is the environment variable without which no server is started.
const Enabled = "HERMOD_TEST_DATABASES"

// patience is how long a server may take to start or to stop.
const patience = time.Minute

// kind is a sort of server.
type kind struct {
	driver  string // for database/sql
	program string
	debian  string // the package that brings it
	places  []string
	prepare func(s *Server) *exec.Cmd // makes the files
	args    func(s *Server) []string
	admin   string // a database that every server has
	dsn     func(s *Server, name string) string
	create  string // the statement that makes a database, with %s for its name
}

// Server is a database server.
type Server struct {
	t       testing.TB
	kind    *kind
	program string
	dir     string
	port    int
	uid     uint32 // whose the process is
	process *exec.Cmd
	exited  chan struct{}
	made    int
}

func start(t testing.TB, k *kind, parent string) *Server {
	t.Helper()
	k.need(t)
	s := &Server{t: t, kind: k, program: find(t, k, k.program), port: loopback.Port(t)}
	dir, err := os.MkdirTemp(parent, "hermod-"+k.driver+"-") //nolint:usetesting // folders of tests are closed to other users
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	s.dir = dir
	s.giveUpRoot()
	if out, err := s.as(k.prepare(s)).CombinedOutput(); err != nil {
		t.Fatalf("%s: prepare: %v\n%s", k.program, err, out)
	}
	t.Cleanup(s.Kill)
	s.Restart()
	return s
}

func (k *kind) need(t testing.TB) {
	t.Helper()
	if os.Getenv(Enabled) == "" {
		t.Skipf("needs a %s server: set %s=1 (and install %s), or run make race", k.driver, Enabled, k.debian)
	}
}

// find returns the path of a program, which Debian keeps outside of PATH for some servers.
func find(t testing.TB, k *kind, name string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	for _, pattern := range k.places {
		matches, _ := filepath.Glob(filepath.Join(pattern, name)) // the only error is a bad pattern
		if len(matches) > 0 {
			return matches[len(matches)-1]
		}
	}
	t.Fatalf("%s is not installed (Debian: %s)", name, k.debian)
	return ""
}

// nobody is the user that servers run as where the test is root's, since they refuse to be root.
const nobody = 65534

func (s *Server) giveUpRoot() {
	if os.Geteuid() != 0 {
		return
	}
	s.uid = nobody
	if err := os.Chown(s.dir, nobody, nobody); err != nil {
		s.t.Fatal(err)
	}
}

func (s *Server) as(cmd *exec.Cmd) *exec.Cmd {
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "HOME="+s.dir, "TMPDIR="+s.dir, "LC_ALL=C")
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	if s.uid != 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: s.uid, Gid: s.uid}
	}
	return cmd
}

// Restart starts the server, which must not run, and waits until it answers.
func (s *Server) Restart() {
	s.t.Helper()
	log, err := os.OpenFile(filepath.Join(s.dir, "server.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		s.t.Fatal(err)
	}
	cmd := s.as(exec.Command(s.program, s.kind.args(s)...))
	cmd.Stdout, cmd.Stderr = log, log
	endWithThread(cmd) // so that none outlives a test that crashes
	started, exited := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer close(exited)
		defer func() { _ = log.Close() }()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is in its log
		}
	}()
	if err := <-started; err != nil {
		s.t.Fatal(err)
	}
	s.process, s.exited = cmd, exited
	s.await()
}

func (s *Server) await() {
	s.t.Helper()
	db := s.open(s.kind.admin)
	defer func() { _ = db.Close() }()
	var err error
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		err = db.PingContext(ctx)
		cancel()
		if err == nil {
			return
		}
		select {
		case <-s.exited:
			s.t.Fatalf("%s ended while it started:\n%s", s.kind.program, s.log())
		default:
		}
	}
	s.t.Fatalf("%s does not answer: %v\n%s", s.kind.program, err, s.log())
}

func (s *Server) log() string {
	b, err := os.ReadFile(filepath.Join(s.dir, "server.log"))
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-4000):])
}

func (s *Server) open(name string) *sql.DB {
	s.t.Helper()
	db, err := sql.Open(s.kind.driver, s.kind.dsn(s, name))
	if err != nil {
		s.t.Fatal(err)
	}
	return db
}

// Kill ends the server as kill -9 does, if it runs. Whatever it has acknowledged is in its files.
func (s *Server) Kill() { s.end(syscall.SIGKILL) }

// Running tells whether the server has not ended, be it by itself.
func (s *Server) Running() bool {
	select {
	case <-s.exited:
		return false
	default:
		return s.process != nil
	}
}

// Pause has the server stop answering without closing anything, until Continue.
func (s *Server) Pause() { s.signal(syscall.SIGSTOP) }

// Continue ends a Pause.
func (s *Server) Continue() { s.signal(syscall.SIGCONT) }

// signal reaches the processes of the server, which may be many.
func (s *Server) signal(sig syscall.Signal) {
	s.t.Helper()
	for _, pid := range s.family() {
		if err := syscall.Kill(pid, sig); err != nil && err != syscall.ESRCH {
			s.t.Fatal(err)
		}
	}
}

// family is the process of the server and its children, who know their parent by number.
func (s *Server) family() []int {
	s.t.Helper()
	root := s.process.Process.Pid
	pids := []int{root}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, name := range stats {
		b, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(b), ") ") // the command's name may have blanks
		fields := strings.Fields(rest)
		if len(fields) < 2 || fields[1] != strconv.Itoa(root) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

func (s *Server) end(sig syscall.Signal) {
	if s.process == nil {
		return
	}
	s.t.Helper()
	family := s.family()
	s.signal(sig)
	deadline := time.After(patience)
	select {
	case <-s.exited:
		s.process = nil
	case <-deadline:
		s.t.Fatalf("%s does not end", s.kind.program)
	}
	for _, pid := range family { // a child that lives on would keep the files from a server that starts
		for isRunning(pid) {
			select {
			case <-deadline:
				s.t.Fatalf("process %d of %s does not end", pid, s.kind.program)
			case <-time.After(5 * time.Millisecond):
			}
		}
	}
}

// isRunning does not count a process that has ended and that nobody has asked for its status.
func isRunning(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	return !strings.HasPrefix(rest, "Z")
}

// Create makes an empty database and returns what a client connects to it with.
func (s *Server) Create() (dsn string) {
	s.t.Helper()
	s.made++
	name := fmt.Sprintf("hermod_%d", s.made)
	db := s.open(s.kind.admin)
	defer func() { _ = db.Close() }()
	if _, err := db.ExecContext(s.t.Context(), fmt.Sprintf(s.kind.create, name)); err != nil {
		s.t.Fatal(err)
	}
	return s.kind.dsn(s, name)
}

// Addr is where the server listens.
func (s *Server) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }
