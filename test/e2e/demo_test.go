package e2e

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/game-im/hermod/test/process"
)

// demo is a run of docs/examples/demo, with an environment that is meant for another node.
func demo(t *testing.T) (cmd *exec.Cmd, folder string) {
	t.Helper()
	folder = t.TempDir()
	cmd = exec.CommandContext(t.Context(), process.Program("demo"))
	cmd.Env = append(os.Environ(), "TMPDIR="+folder, "HERMOD_AUTH_MODE=jwt", "HERMOD_CONF=/does/not/exist", "HERMOD_SERVICE_TOKEN=secret")
	cmd.Dir = folder
	return cmd, folder
}

// leavesNothing checks that no files outlive a demo. Ports cannot: it is one process, and that has ended.
func leavesNothing(t *testing.T, folder string) {
	t.Helper()
	left, err := os.ReadDir(folder)
	if err != nil || len(left) > 0 {
		t.Errorf("it leaves %v behind (%v)", left, err)
	}
}

// TestDemo runs what `make demo` runs, which tells all that it promises, ends by itself and leaves nothing
// behind.
func TestDemo(t *testing.T) {
	t.Parallel()
	cmd, folder := demo(t)
	out, err := cmd.CombinedOutput()
	said := string(out)
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	for _, want := range []string{
		"→ hello name=Alice\n  ← 200 welcome, Alice  gid=10042\n",
		"→ echo ping\n  ← 200 success Echo: ping\n",
		"→ calculate operation=add a=40 b=2\n  ← 200 success 42\n",
		"→ broadcast message=hi\n",
		"\n  ⇐ [broadcast] from 10042  content=hi  ", // on either side of the answer
		"→ before\n  ⇐ [before] pushed before the answer ",
		"\n  ← 200 the answer to before\n",
		"→ after\n  ← 200 the answer to after\n  ⇐ [after] pushed after the answer ",
		"→ dance\n  ← 404 there is no action \"dance\"\n",
		"→ logout\n  ← 200 goodbye, 10042\n",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("no %q", want)
		}
	}
	for _, action := range []string{"login", "auth", "signin", "time", "status", "session_info", "user_list"} {
		if !strings.Contains(said, "→ "+action+"\n  ← 200 ") {
			t.Errorf("%s is not shown", action)
		}
	}
	leavesNothing(t, folder)
	if t.Failed() {
		t.Log(said)
	}
}

// TestDemoInterrupted: Ctrl-C ends it wherever it is, and nothing is left behind.
func TestDemoInterrupted(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"A node has started", "The sample service has started", "→ hello"} {
		cmd, folder := demo(t)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var said strings.Builder
		interrupted := false
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			said.WriteString(lines.Text() + "\n")
			if !interrupted && strings.Contains(lines.Text(), at) {
				interrupted = true
				if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
					t.Fatal(err)
				}
			}
		}
		err = cmd.Wait()
		if all := strings.Contains(said.String(), "That was all of it"); !interrupted || (err == nil) != all || strings.Contains(errs.String(), "panic") {
			t.Errorf("at %q: %v\n%s%s", at, err, &said, &errs)
		}
		leavesNothing(t, folder)
	}
}
