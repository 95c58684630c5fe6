package e2e

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/game-im/hermod/test/process"
)

// talker is a hermodctl chat whose keyboard and screen are pipes.
type talker struct {
	t     *testing.T
	cmd   *exec.Cmd
	typed io.WriteCloser

	mu     sync.Mutex
	screen []string
	done   chan struct{} // closed when the output is at its end
}

func chat(t *testing.T, n *Node, user string, more ...string) *talker {
	t.Helper()
	args := append([]string{"chat", "--user", user, "--room", "lobby", "--addr", n.IM}, more...)
	cmd := exec.CommandContext(t.Context(), process.Program("hermodctl"), args...)
	typed, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c := &talker{t: t, cmd: cmd, typed: typed, done: make(chan struct{})}
	go c.watch(output)
	return c
}

func (c *talker) watch(output io.Reader) {
	defer close(c.done)
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		c.mu.Lock()
		c.screen = append(c.screen, lines.Text())
		c.mu.Unlock()
	}
}

func (c *talker) lines() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.screen, "\n")
}

func (c *talker) types(line string) {
	c.t.Helper()
	if _, err := fmt.Fprintln(c.typed, line); err != nil {
		c.t.Error(err)
	}
}

func (c *talker) sees(what string) {
	c.t.Helper()
	defer func() {
		if c.t.Failed() {
			c.t.Logf("the screen:\n%s", c.lines())
		}
	}()
	eventually(c.t, fmt.Sprintf("%q on the screen", what), func() bool {
		if strings.Contains(c.lines(), what) {
			return true
		}
		select {
		case <-c.done:
			c.t.Fatalf("the chat has ended without %q:\n%s", what, c.lines())
		default:
		}
		return false
	})
}

// leaves hangs up; the chat ends by itself.
func (c *talker) leaves() {
	c.t.Helper()
	if err := c.typed.Close(); err != nil {
		c.t.Error(err)
	}
	<-c.done
	if err := c.cmd.Wait(); err != nil {
		c.t.Errorf("chat: %v\n%s", err, c.lines())
	}
}

func hermodctl(t *testing.T, args ...string) (output string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	said, err := exec.CommandContext(ctx, process.Program("hermodctl"), args...).CombinedOutput()
	return string(said), err
}

// TestTwoPeopleChat is what the README promises: two people meet in a room, one goes away and gets
// what he missed, and a service tells one of them something.
func TestTwoPeopleChat(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	alice := chat(t, n, "alice")
	alice.sees("lobby")
	bob := chat(t, n, "bob")
	bob.sees("lobby")
	alice.sees("bob")
	alice.types("hello bob")
	bob.sees("hello bob")
	bob.types("hello alice")
	alice.sees("hello alice")

	output, err := hermodctl(t, "push", "--addr", n.Gateway, "--openid", "alice", "--title", "Mail", "--content", "from a service")
	if err != nil || !strings.Contains(output, "delivered") {
		t.Errorf("push: %v\n%s", err, output)
	}
	alice.sees("from a service")
	if strings.Contains(bob.lines(), "from a service") {
		t.Error("bob sees what was pushed to alice")
	}

	bob.leaves()
	alice.types("are you there?")
	alice.types("hm")
	alice.sees("hm")
	bob = chat(t, n, "bob")
	bob.sees("are you there?")
	bob.sees("hm")
	if strings.Contains(bob.lines(), "hello bob") {
		t.Errorf("bob sees again what he had seen:\n%s", bob.lines())
	}
	bob.leaves()
	alice.leaves()
	if strings.Contains(alice.lines()+bob.lines(), "\x1b") {
		t.Error("colours in a pipe")
	}

	output, err = hermodctl(t, "push", "--addr", n.Gateway, "--openid", "alice", "--content", "anybody?")
	if err == nil || !strings.Contains(output, "TARGET_OFFLINE") {
		t.Errorf("a push to nobody: %v\n%s", err, output)
	}
	output, err = hermodctl(t, "push", "--addr", n.Gateway, "--openid", "alice", "--content", "for later", "--store")
	if err != nil || !strings.Contains(output, "queued") {
		t.Errorf("a push for later: %v\n%s", err, output)
	}
	alice = chat(t, n, "alice")
	alice.sees("for later")
	alice.leaves()
}

// TestChatOverARestart: the terminal stays open while the node is away.
func TestChatOverARestart(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	alice := chat(t, n, "alice")
	bob := chat(t, n, "bob")
	bob.sees("lobby")
	alice.sees("bob")
	n.Restart()
	alice.types("after the restart")
	bob.sees("after the restart")
	bob.leaves()
	alice.leaves()
}
