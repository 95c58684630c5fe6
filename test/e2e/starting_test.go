package e2e

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/game-im/hermod/test/process"
)

// TestGreetingNamesAddresses: with port 0 the node takes free ports and says which.
func TestGreetingNamesAddresses(t *testing.T) {
	t.Parallel()
	n := Prepare(t, "")
	n.Args = []string{"-im", "127.0.0.1:0", "-grpc", "127.0.0.1:0", "-http", "127.0.0.1:0", "-ops", "127.0.0.1:0"}
	n.Spawn()
	addresses := regexp.MustCompile(`(?s)clients +(\S+).*services +(\S+).*http +(\S+) +/im.*ops +http://([^/\s]+)`)
	var found []string
	n.eventually("the greeting", func() bool {
		found = addresses.FindStringSubmatch(n.Log())
		return found != nil
	})
	n.IM, n.Gateway, n.HTTP, n.Ops = found[1], found[2], found[3], found[4]
	n.eventually("ready", n.Ready)
	if status, body := n.Page("/healthz"); status != http.StatusOK {
		t.Errorf("/healthz: %d %s", status, body)
	}
	alice := n.Connect(Hello{User: "alice", Room: "room"})
	if resp := pushTo(t, within(t), n.Pushes(), "alice", "hello"); !resp.GetSuccess() {
		t.Errorf("push: %v", resp)
	}
	expect(t, "the push", contents(alice, 1), "hello")
}

// TestTakenPort: a second node on a port says why it does not start.
func TestTakenPort(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	second := Prepare(t, "")
	second.IM = n.IM
	second.Args[1] = n.IM
	code, output := second.fails()
	if code != 1 || !regexp.MustCompile(`(?i)server\.im\.addr.*in use`).MatchString(output) {
		t.Errorf("exit code %d, output %s", code, output)
	}
}

// fails runs a node that must not start and returns its exit code and what it said.
func (n *Node) fails() (code int, output string) {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, process.Program("hermod"), n.Args...)
	cmd.Env, cmd.Dir = n.Env, filepath.Dir(n.LogFile)
	said, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	switch {
	case err == nil:
		n.t.Errorf("the node started and ended:\n%s", said)
	case errors.As(err, &exit):
		return exit.ExitCode(), string(said)
	case !errors.Is(err, io.EOF):
		n.t.Error(err)
	}
	return 0, string(said)
}

// TestProfiles: the inside of the process is shown only where that is configured.
func TestProfiles(t *testing.T) {
	t.Parallel()
	for yaml, want := range map[string]int{"": http.StatusNotFound, "server:\n  ops:\n    pprof: true\n": http.StatusOK} {
		n := Start(t, yaml)
		for _, page := range []string{"/debug/pprof/", "/debug/pprof/cmdline", "/debug/pprof/heap"} {
			if status, _ := n.Page(page); status != want {
				t.Errorf("with %q %s has status %d, want %d", yaml, page, status, want)
			}
		}
	}
}
