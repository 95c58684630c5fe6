package e2e

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/game-im/hermod/test/process"
)

// blockPatience is for a block that builds a node on a loaded machine.
const blockPatience = 5 * time.Minute

// fenced is a block of a document, with the comment before it that says which file it is.
var fenced = regexp.MustCompile("(?s)(<!-- file: \\S+ -->\n)?```([a-z]*)\n(.*?)```\n")

// shellBlocks returns those of docs/plugins.md, and fails for a block that nothing compiles or runs: Go that is a
// file of the repository, YAML that tests beside the plugins in it start a node with.
func shellBlocks(t *testing.T) (blocks []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "plugins.md"))
	if err != nil {
		t.Fatal(err)
	}
	nodes := []string{"name: quiet", "name: socket", "name: webhook", "name: flood-guard"}
	for _, b := range fenced.FindAllStringSubmatch(string(text), -1) {
		switch {
		case b[2] == "sh":
			blocks = append(blocks, b[3])
		case b[2] == "go" && b[1] != "":
		case b[2] == "yaml" && slices.ContainsFunc(nodes, func(n string) bool { return strings.Contains(b[3], n) }):
		default:
			t.Errorf("nothing compiles or runs this block:\n%s", b[0])
		}
	}
	return blocks
}

// shell is a reader's terminal.
type shell struct {
	t     *testing.T
	in    io.WriteCloser
	lines chan string
	said  []string
}

// terminal types a block into a shell of its own.
func terminal(t *testing.T, dir string, env []string, block string) *shell {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "-eu", "-c", block)
	cmd.Dir, cmd.Env = dir, env
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, write := io.Pipe()
	cmd.Stdout, cmd.Stderr = write, write
	s := &shell{t: t, in: in, lines: make(chan string, 1000)}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // it is interrupted
		_ = write.Close()
	}()
	go func() {
		defer close(s.lines)
		for scan := bufio.NewScanner(out); scan.Scan(); {
			s.lines <- scan.Text()
		}
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) // it may have ended
		for range s.lines {                                // so that nobody waits to write
		}
		<-ended
	})
	return s
}

// sees reads on until a line has a text, and returns it.
func (s *shell) sees(text string) string {
	s.t.Helper()
	late := time.After(blockPatience)
	for {
		select {
		case line, more := <-s.lines:
			s.said = append(s.said, line)
			if strings.Contains(line, text) {
				return line
			}
			if !more {
				s.t.Fatalf("the block has ended without %q:\n%s", text, strings.Join(s.said, "\n"))
			}
		case <-late:
			s.t.Fatalf("not within %s: %q\n%s", blockPatience, text, strings.Join(s.said, "\n"))
		}
	}
}

// reader is what somebody has who reads the documents: a machine with the programs, here on free ports and with
// this repository in place of the published module.
func reader(t *testing.T) (dir string, env []string) {
	t.Helper()
	dir, bin := t.TempDir(), t.TempDir()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf("#!/bin/sh\ncase $1 in\nchat) exec '%[1]s' \"$@\" --addr \"$(cat address)\" ;;\nplugin) exec '%[1]s' \"$@\" --replace '%[2]s' ;;\nesac\n",
		process.Program("hermodctl"), root)
	if err := os.WriteFile(filepath.Join(bin, "hermodctl"), []byte(script), 0o700); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	if err := os.Symlink(process.Program("hermod"), filepath.Join(bin, "hermod")); err != nil {
		t.Fatal(err)
	}
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "HERMOD_") && !strings.HasPrefix(v, "PATH=") {
			env = append(env, v)
		}
	}
	env = append(env, "PATH="+bin+":"+os.Getenv("PATH"))
	for _, l := range []string{"IM", "GATEWAY", "HTTP", "OPS"} {
		env = append(env, "HERMOD_"+l+"_ADDR=127.0.0.1:0")
	}
	return dir, env
}

// TestPluginDocs does what docs/plugins.md tells its reader to: the word filter in a minute, and a module of his
// own.
func TestPluginDocs(t *testing.T) {
	t.Parallel()
	blocks := shellBlocks(t)
	if len(blocks) != 3 {
		t.Fatalf("there are %d blocks for a shell, and 3 are run here", len(blocks))
	}
	t.Run("the word filter", func(t *testing.T) {
		t.Parallel()
		dir, env := reader(t)
		node := terminal(t, dir, env, blocks[0])
		address := strings.Fields(node.sees("  clients "))[1]
		node.sees("  ops ")
		if err := os.WriteFile(filepath.Join(dir, "address"), []byte(address), 0o600); err != nil {
			t.Fatal(err)
		}
		alice := terminal(t, dir, env, blocks[1])
		alice.sees("lobby")
		bob := terminal(t, dir, env, strings.ReplaceAll(blocks[1], "alice", "bob"))
		bob.sees("lobby")
		if _, err := io.WriteString(bob.in, "Darn it\n"); err != nil {
			t.Fatal(err)
		}
		alice.sees("**** it")
	})
	t.Run("a module", func(t *testing.T) {
		t.Parallel()
		dir, env := reader(t)
		mine := terminal(t, dir, env, blocks[2])
		mine.sees("no-novels is written")
		mine.sees("ok  \texample.com/no-novels")
		mine.sees("Hermod dev is ready")
	})
}
