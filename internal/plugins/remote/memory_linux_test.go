package remote_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/plugins/remote"
	"github.com/game-im/hermod/plugin"
)

// TestProcessThatAllocatesWithoutEnd: it is killed when it has more than it may, and the node serves on.
func TestProcessThatAllocatesWithoutEnd(t *testing.T) {
	t.Parallel()
	c := restless(t, "talker")
	c.Process.MemoryBytes = 128 << 20
	c.Deadline = durationpb.New(10 * time.Second)
	n := open(t, nil, c)
	before := own(t)
	if got, took := n.say("r", "eat"); got != "PLUGIN_UNAVAILABLE" || took > 2*patience {
		t.Errorf("got %q after %s", got, took)
	}
	await(t, "its end in the log", func() bool {
		return strings.Contains(n.log.String(), "MiB of memory, and may have 128")
	})
	await(t, "that it works again", func() bool { return n.text("r", "hi") == "hi" })
	if grown := own(t) - before; grown > 100<<20 {
		t.Errorf("the node has grown by %d MiB", grown>>20)
	}
}

// own is the resident memory of this process, which is the node.
func own(t *testing.T) int64 {
	t.Helper()
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	pages, err := strconv.ParseInt(strings.Fields(string(b))[1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return pages * int64(os.Getpagesize())
}

// TestChildrenEndWithTheProcess: what a plugin has started is not left behind, and counts as its memory.
func TestChildrenEndWithTheProcess(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("sh"); err != nil {
		t.Fatal(err)
	}
	c := as(t, "talker", nil)
	// The plugin is a child of a shell, which ignores SIGTERM and has another child.
	c.Process.Command = []string{"sh", "-c", `trap "" TERM; sleep 600 & echo "child $!"; "$0"; true`, c.GetProcess().GetCommand()[0]}
	n := open(t, nil, c)
	pid, err := strconv.Atoi(n.text("r", "pid"))
	if err != nil {
		t.Fatal(err)
	}
	await(t, "the memory of the child", func() bool { return value(t, n.metrics, "hermod_plugin_process_resident_bytes") > 5<<20 })
	n.Stop()
	said := n.log.String()
	var child int
	if _, after, ok := strings.Cut(said, "child "); ok {
		child, _ = strconv.Atoi(strings.FieldsFunc(after, func(r rune) bool { return r < '0' || r > '9' })[0]) // 0 is found out
	}
	if child == 0 {
		t.Fatalf("no child in %s", said)
	}
	await(t, "the end of the child", func() bool { return gone(child) })
	await(t, "the end of the plugin", func() bool { return gone(pid) })
}

// beNode is a node that has a plugin until it is killed.
func beNode() {
	program, err := os.Executable()
	if err != nil {
		panic(err)
	}
	env, err := structpb.NewStruct(map[string]any{envRole: "talker"})
	if err != nil {
		panic(err)
	}
	outside, err := remote.Open(context.Background(), []*conf.Plugin{{Name: "p", Process: &conf.PluginProcess{Command: []string{program}, Env: env}}},
		remote.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		panic(err)
	}
	p, _ := plugin.As[plugin.MessageInterceptor](outside.Linked()[0])
	m, err := p.InterceptMessage(context.Background(), plugin.Message{Content: []byte("pid")})
	if err != nil {
		panic(err)
	}
	fmt.Fprintln(os.Stdout, string(m.Content))
	select {}
}

// TestProcessEndsWithTheNode: a node that is killed leaves no plugin behind.
func TestProcessEndsWithTheNode(t *testing.T) {
	t.Parallel()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	node := exec.CommandContext(t.Context(), program)
	node.Env = append(os.Environ(), envRole+"=node", "TMPDIR="+t.TempDir())
	out, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	if _, err := fmt.Fscan(out, &pid); err != nil || syscall.Kill(pid, 0) != nil {
		t.Fatalf("no plugin: %d, %v", pid, err)
	}
	if err := node.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = node.Wait() // it was killed
	await(t, "the end of the plugin", func() bool { return gone(pid) })
}

// gone tells whether a process is no more, or waits for nothing but whoever adopted it to hear of its end.
func gone(pid int) bool {
	b, err := os.ReadFile(fmt.Sprint("/proc/", pid, "/stat"))
	if err != nil {
		return true
	}
	_, after, _ := strings.Cut(string(b), ") ")
	return strings.HasPrefix(after, "Z")
}
