package brokers

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/game-im/hermod/test/loopback"
)

// Enabled is the environment variable without which no Redis is started.
const Enabled = "HERMOD_TEST_BROKERS"

// Redis is a Redis server.
type Redis struct {
	t       testing.TB
	dir     string
	port    int
	args    []string
	process *exec.Cmd
	exited  chan struct{}
}

// StartRedis starts a server. args are appended to its command line, such as "--requirepass", "secret".
func StartRedis(t testing.TB, args ...string) *Redis {
	t.Helper()
	if os.Getenv(Enabled) == "" {
		t.Skipf("needs a Redis server: set %s=1 (and install redis-server), or run make race", Enabled)
	}
	dir := t.TempDir()
	r := &Redis{t: t, dir: dir, port: loopback.Port(t)}
	r.args = append([]string{
		"--bind", "127.0.0.1", "--port", fmt.Sprint(r.port), "--dir", dir, "--save", "", "--appendonly", "no", "--daemonize", "no",
	}, args...)
	t.Cleanup(r.Kill)
	r.Restart()
	return r
}

// StartRedisCluster starts three servers that share the slots of a Redis Cluster.
func StartRedisCluster(t testing.TB) []*Redis {
	t.Helper()
	servers := make([]*Redis, 3)
	addrs := make([]string, len(servers))
	for i := range servers {
		bus := loopback.Port(t) // it would be the port plus 10000, which may be taken
		servers[i] = StartRedis(t, "--cluster-enabled", "yes", "--cluster-port", fmt.Sprint(bus), "--cluster-node-timeout", "2000")
		addrs[i] = servers[i].Addr()
	}
	create := exec.Command("redis-cli", append(append([]string{"--cluster", "create"}, addrs...), "--cluster-yes")...)
	if out, err := create.CombinedOutput(); err != nil {
		t.Fatalf("create the cluster: %v\n%s", err, out)
	}
	for _, r := range servers {
		r.await("cluster_state:ok", "cluster", "info")
		r.await("cluster_known_nodes:3", "cluster", "info")
	}
	return servers
}

// Addr is where it listens.
func (r *Redis) Addr() string { return fmt.Sprintf("127.0.0.1:%d", r.port) }

// PID is the server's process.
func (r *Redis) PID() int { return r.process.Process.Pid }

// Arg is what follows a name on the server's command line.
func (r *Redis) Arg(name string) string {
	r.t.Helper()
	i := slices.Index(r.args, name)
	if i < 0 || i+1 == len(r.args) {
		r.t.Fatalf("no %s among %q", name, r.args)
	}
	return r.args[i+1]
}

// Restart starts the server, which must not run, and waits until it answers.
func (r *Redis) Restart() {
	r.t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		r.t.Fatal("redis-server is not installed (Debian: redis-server)")
	}
	log, err := os.OpenFile(filepath.Join(r.dir, "server.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		r.t.Fatal(err)
	}
	cmd := exec.Command(program, r.args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = r.dir, log, log
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
		r.t.Fatal(err)
	}
	r.process, r.exited = cmd, exited
	r.awaitListening()
}

func (r *Redis) awaitListening() {
	r.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		conn, err := net.DialTimeout("tcp", r.Addr(), time.Second)
		if err == nil {
			_ = conn.Close()
			return
		}
		select {
		case <-r.exited:
			r.t.Fatalf("redis-server ended while it started:\n%s", r.log())
		default:
		}
	}
	r.t.Fatalf("redis-server does not listen:\n%s", r.log())
}

// await waits until a command's answer has something in it.
func (r *Redis) await(want string, command ...string) {
	r.t.Helper()
	var out []byte
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if out = r.Do(command...); bytes.Contains(out, []byte(want)) {
			return
		}
	}
	r.t.Fatalf("%s: no %q in\n%s", strings.Join(command, " "), want, out)
}

// Do runs a command on the server and returns what it says.
func (r *Redis) Do(command ...string) []byte {
	out, err := exec.Command("redis-cli", append([]string{"-p", fmt.Sprint(r.port)}, command...)...).CombinedOutput()
	if err != nil {
		out = append(out, err.Error()...)
	}
	return out
}

func (r *Redis) log() string {
	b, err := os.ReadFile(filepath.Join(r.dir, "server.log"))
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-4000):])
}

// Stop is Kill.
func (r *Redis) Stop() { r.Kill() }

// Kill ends the server as kill -9 does, if it runs.
func (r *Redis) Kill() {
	if r.process == nil {
		return
	}
	r.signal(syscall.SIGKILL)
	select {
	case <-r.exited:
		r.process = nil
	case <-time.After(patience):
		r.t.Error("redis-server does not end")
	}
}

// Pause has the server stop answering without closing anything, until Continue.
func (r *Redis) Pause() { r.signal(syscall.SIGSTOP) }

// Continue ends a Pause.
func (r *Redis) Continue() { r.signal(syscall.SIGCONT) }

func (r *Redis) signal(sig syscall.Signal) {
	if err := syscall.Kill(r.process.Process.Pid, sig); err != nil && err != syscall.ESRCH {
		r.t.Error(err)
	}
}
