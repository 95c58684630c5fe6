package brokers

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"testing"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/game-im/hermod/test/loopback"
)

// natsAddr is the environment variable that makes a test's binary a NATS server.
const natsAddr = "HERMOD_TEST_SERVE_NATS"

// ServeNATS makes the process a NATS server if StartNATSProcess has started it, until its standard input ends, and tells
// whether it did. A TestMain calls it first.
func ServeNATS() (served bool, err error) {
	addr := os.Getenv(natsAddr)
	if addr == "" {
		return false, nil
	}
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return true, err
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return true, err
	}
	s, err := server.NewServer(&server.Options{Host: host, Port: port, NoSigs: true, NoLog: true})
	if err != nil {
		return true, err
	}
	s.Start()
	if !s.ReadyForConnections(patience) {
		return true, errors.New("the NATS server does not start")
	}
	fmt.Fprintln(os.Stdout, "ready")
	_, err = io.Copy(io.Discard, os.Stdin)
	s.Shutdown()
	return true, err
}

// StartNATSProcess starts a server that is a process of its own, so that what it uses can be told from what the test
// does. The TestMain of its package calls ServeNATS.
func StartNATSProcess(t testing.TB) (addr string, pid int) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	addr = fmt.Sprintf("127.0.0.1:%d", loopback.Port(t))
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), natsAddr+"="+addr)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close() // which ends it
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	if _, err := io.ReadFull(out, make([]byte, len("ready"))); err != nil {
		t.Fatalf("the NATS server did not start: %v", err)
	}
	return addr, cmd.Process.Pid
}
