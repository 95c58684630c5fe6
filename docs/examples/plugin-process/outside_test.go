package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/app/hermod"
	"github.com/game-im/hermod/plugin"
	"github.com/game-im/hermod/plugin/plugintest"
	"github.com/game-im/hermod/sdk/pluginserver"
)

// envPlugin has the test's program be the plugin.
const envPlugin = "HERMOD_TEST_PLUGIN"

func TestMain(m *testing.M) {
	if os.Getenv(envPlugin) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestShrug(t *testing.T) {
	plugintest.Plugin(t, func() plugin.Plugin { return &Shrug{} })
	s := &Shrug{}
	s.Config()
	plugintest.MessageInterceptor(t, s)
}

// TestGoPluginOutOfProcess has a whole node start the plugin.
func TestGoPluginOutOfProcess(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	n := start(t, "plugins:\n  - name: shrug\n    config: {word: SHRUG}\n    process: {command: ["+program+"], env: {"+envPlugin+": 1}}\n")
	if got := n.say(t, "well, SHRUG"); got != `well, ¯\_(ツ)_/¯` {
		t.Errorf("got %q", got)
	}
}

// listenLow listens on a port that systems do not give to outgoing connections, so that it is still free for who comes
// back to it.
func listenLow(t *testing.T) net.Listener {
	t.Helper()
	for range 100 {
		if lis, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 32_000+rand.IntN(700))); err == nil {
			return lis
		}
	}
	t.Fatal("found no free port")
	return nil
}

// TestServiceThatIsThere has a node use a plugin that somebody else runs, and use it again when it comes back.
func TestServiceThatIsThere(t *testing.T) {
	lis := listenLow(t)
	serve := func(lis net.Listener) func() {
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- pluginserver.Serve(ctx, lis, &Shrug{}) }()
		return func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
	stop := serve(lis)
	addr := lis.Addr().String()
	n := start(t, "plugins:\n  - name: shrug\n    retry_after: 10ms\n    service: {targets: ['"+addr+"']}\n")
	if got := n.say(t, ":shrug:"); got != `¯\_(ツ)_/¯` {
		t.Errorf("got %q", got)
	}
	stop()
	if _, err := n.try(t, ":shrug:"); status.Code(err) != codes.Unavailable {
		t.Errorf("got %v", err)
	}
	lis, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer serve(lis)()
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		got, err := n.try(t, ":shrug:")
		if err == nil && got == `¯\_(ツ)_/¯` {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("got %q, %v\n%s", got, err, n.logs)
		}
	}
}

// TestNodeJSPluginOutOfProcess has a whole node start the plugin in ../plugin-node. It takes node and npm,
// which fetches what package-lock.json names.
func TestNodeJSPluginOutOfProcess(t *testing.T) {
	if os.Getenv("HERMOD_TEST_NODEJS") == "" {
		t.Skip("needs Node.js and npm: set HERMOD_TEST_NODEJS=1, or run make race")
	}
	for _, program := range []string{"node", "npm"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("%v; it is in Debian's packages nodejs and npm", err)
		}
	}
	dir := t.TempDir()
	for _, name := range []string{"package.json", "package-lock.json", "hermod.js", "plugin.js"} {
		b, err := os.ReadFile(filepath.Join("..", "plugin-node", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	install := exec.CommandContext(t.Context(), "npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	install.Dir = dir
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	proto, err := filepath.Abs("../../../api/plugin/v1/plugin.proto")
	if err != nil {
		t.Fatal(err)
	}
	process := `    process: {command: [node, plugin.js], dir: "@DIR@", env: {HERMOD_PLUGIN_PROTO: "@PROTO@"}}` + "\n"
	process = strings.NewReplacer("@DIR@", dir, "@PROTO@", proto).Replace(process)
	err = run(t, "plugins:\n  - name: shout\n    config: {max_capitals: 0, min: 1}\n"+process)
	if err == nil || !strings.Contains(err.Error(), "plugins[0].config.max_capitals: must be 1 at least") ||
		!strings.Contains(err.Error(), "plugins[0].config.min: no such key; allowed here: max_capitals") {
		t.Errorf("got %v", err)
	}
	n := start(t, "plugins:\n  - name: shout\n    deadline: 10s\n    config: {max_capitals: 3}\n"+process)
	for text, want := range map[string]string{"HEY you": "HEY you", ":shrug:, 你好": `¯\_(ツ)_/¯, 你好`} {
		if got := n.say(t, text); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if _, err := n.try(t, "HEYYY"); status.Code(err) != codes.PermissionDenied || status.Convert(err).Message() != "please do not shout" {
		t.Errorf("got %v", err)
	}
	for end := time.Now().Add(patience); !strings.Contains(n.logs.String(), "alice has come to r"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no word of alice in the log:\n%s", n.logs)
		}
	}
}

const patience = 30 * time.Second

// node is a whole node, in this process.
type node struct {
	im   imv1.IMServiceClient
	logs *output
}

type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

func arguments(t *testing.T, yaml string) []string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("HERMOD_DATA_DIR", dir)
	name := filepath.Join(dir, "node.yaml")
	if err := os.WriteFile(name, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"-conf", name, "-im", "127.0.0.1:0", "-grpc", "127.0.0.1:0", "-http", "127.0.0.1:0", "-ops", "127.0.0.1:0"}
}

// run runs a node that does not get so far as to serve.
func run(t *testing.T, yaml string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return hermod.Run(ctx, arguments(t, yaml), io.Discard, io.Discard, hermod.Standard()...)
}

var greeted = regexp.MustCompile(`(?s)clients +(\S+).*services`)

// start runs a node until the test ends, with alice in a room.
func start(t *testing.T, yaml string) *node {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out, n, done := &output{}, &node{logs: &output{}}, make(chan error, 1)
	args := arguments(t, yaml)
	go func() { done <- hermod.Run(ctx, args, out, n.logs, hermod.Standard()...) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	for end := time.Now().Add(patience); !greeted.MatchString(out.String()); time.Sleep(5 * time.Millisecond) {
		if len(done) > 0 || time.Now().After(end) {
			t.Fatalf("the node does not serve: %s", n.logs)
		}
	}
	conn, err := grpc.NewClient(greeted.FindStringSubmatch(out.String())[1], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	n.im = imv1.NewIMServiceClient(conn)
	if _, err := n.im.JoinRoom(alice(t), &imv1.JoinRoomRequest{RoomId: "r"}); err != nil {
		t.Fatal(err)
	}
	return n
}

func alice(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return metadata.AppendToOutgoingContext(ctx, "user-id", "alice")
}

// try has alice say something, and returns what is stored.
func (n *node) try(t *testing.T, text string) (string, error) {
	t.Helper()
	sent, err := n.im.SendMessage(alice(t), &imv1.SendMessageRequest{RoomId: "r", Type: imv1.MessageType_MESSAGE_TYPE_TEXT, Content: []byte(text)})
	if err != nil {
		return "", err
	}
	page, err := n.im.History(alice(t), &imv1.HistoryRequest{RoomId: "r"})
	if err != nil {
		return "", err
	}
	for _, m := range page.GetMessages() {
		if m.GetMessageId() == sent.GetMessageId() {
			return string(m.GetContent()), nil
		}
	}
	t.Fatalf("no message %s in %v", sent.GetMessageId(), page)
	return "", nil
}

func (n *node) say(t *testing.T, text string) string {
	t.Helper()
	got, err := n.try(t, text)
	if err != nil {
		t.Fatalf("%v\n%s", err, n.logs)
	}
	return got
}
