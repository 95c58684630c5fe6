package hermod

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/conf"
	ports "github.com/game-im/hermod/test/loopback"
)

func TestVersion(t *testing.T) {
	t.Parallel()
	var out, logs bytes.Buffer
	if err := Run(t.Context(), []string{"-version", "-conf", "/does/not/exist"}, &out, &logs, Standard()...); err != nil {
		t.Error(err)
	}
	if out.String() != "hermod "+Version+"\n" || logs.Len() > 0 {
		t.Errorf("said %q, logged %q", &out, &logs)
	}
}

// TestRunRefuses: what is wrong ends the node before it opens anything.
func TestRunRefuses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	t.Setenv("HERMOD_DATA_DIR", dir)
	for name, test := range map[string]struct {
		args []string
		said string
	}{
		"a missing file":       {[]string{"-conf", "/does/not/exist.yaml"}, "/does/not/exist.yaml"},
		"an unknown key":       {configured(t, "server:", "  port: 1"), "server.port"},
		"an impossible value":  {[]string{"-im", "nonsense"}, "server.im.addr"},
		"dev for other hosts":  {[]string{"-im", "0.0.0.0:0"}, "auth.mode"},
		"an unknown auth mode": {configured(t, "auth:", "  mode: magic"), "auth.mode"},
		"an unknown flag":      {[]string{"-quick"}, "hermod -h"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, logs bytes.Buffer
			err := Run(t.Context(), test.args, &out, &logs, Standard()...)
			if err == nil || !strings.Contains(err.Error(), test.said) {
				t.Errorf("error %v, which does not name %s", err, test.said)
			}
			if _, err := os.Stat(filepath.Join(dir, "hermod.db")); err == nil {
				t.Error("a database was made all the same")
			}
		})
	}
	var problems conf.Problems
	if err := Run(t.Context(), configured(t, "nonsense: 1"), &bytes.Buffer{}, &bytes.Buffer{}, Standard()...); !errors.As(err, &problems) {
		t.Errorf("a wrong configuration is a %T, which has no exit code of its own", err)
	}
}

// TestAUselessDataDir: the key that has to be corrected is named.
func TestAUselessDataDir(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HERMOD_DATA_DIR", file)
	err := Run(t.Context(), loopback, &bytes.Buffer{}, &bytes.Buffer{}, Standard()...)
	if err == nil || !strings.Contains(err.Error(), "data.dir: ") || !strings.Contains(err.Error(), file) {
		t.Errorf("error %v, want data.dir and %s", err, file)
	}
}

// TestAUsedPort names the key, and lets go of what was opened before.
func TestAUsedPort(t *testing.T) {
	for _, f := range conf.Flags {
		t.Run(f.Name, func(t *testing.T) {
			t.Setenv("HERMOD_DATA_DIR", t.TempDir())
			used := occupied(t, f.Name)
			free := ports.Addr(t)
			args := append([]string{}, loopback...)
			if f.Name != "im" {
				args = append(args, "-im", free)
			}
			err := Run(t.Context(), append(args, "-"+f.Name, used), &bytes.Buffer{}, &bytes.Buffer{}, Standard()...)
			if err == nil || !strings.HasPrefix(err.Error(), f.Key+": ") || !strings.Contains(err.Error(), used) {
				t.Errorf("error %v, want %s and the address", err, f.Key)
			}
			listen(t, free)
		})
	}
}

// occupied takes an address of the kind that the flag's listener needs.
func occupied(t *testing.T, flag string) string {
	t.Helper()
	if flag != "quic" {
		return listen(t, "127.0.0.1:0").Addr().String()
	}
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.LocalAddr().String()
}

func listen(t *testing.T, addr string) net.Listener {
	t.Helper()
	lis, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lis.Close() })
	return lis
}

func TestANodeServes(t *testing.T) {
	t.Setenv("HERMOD_DATA_DIR", t.TempDir())
	p := start(t)
	if code, body := p.get(t, "/readyz"); code != http.StatusOK {
		t.Errorf("/readyz: %d %s", code, body)
	}
	bob := p.open(t, "bob", "room-id", "r")
	p.join(t, "alice")
	sent := p.send(t, "alice", "hi")
	for _, want := range []imv1.MessageType{imv1.MessageType_MESSAGE_TYPE_JOIN_ROOM, imv1.MessageType_MESSAGE_TYPE_TEXT} {
		m, err := bob.Recv()
		if err != nil || m.GetType() != want {
			t.Fatalf("got %v, %v; want %v", m, err, want)
		}
		if want == imv1.MessageType_MESSAGE_TYPE_TEXT && (m.GetMessageId() != sent.GetMessageId() || m.GetSeq() != 1) {
			t.Errorf("got %v, sent %v", m, sent)
		}
	}
	pushed, err := p.gateway.PushToClient(as(t, ""), &gatewayv1.UnicastPushRequest{TargetType: "openid", TargetId: "bob", Title: "t"})
	if err != nil || !pushed.GetSuccess() {
		t.Errorf("push: %v, %v", pushed, err)
	}
	if m, err := bob.Recv(); err != nil || m.GetMetadata()["title"] != "t" {
		t.Errorf("got %v, %v", m, err)
	}
}

// TestStoppingHasAnOrder: not ready, then a notice during which everything goes on, then sessions
// are asked to come back, then the servers stop.
func TestStoppingHasAnOrder(t *testing.T) {
	t.Setenv("HERMOD_DATA_DIR", t.TempDir())
	p := start(t, configured(t, "server:", "  stop:", "    notice: 1s", "    drain: 100ms", "    timeout: 10s")...)
	bob := p.open(t, "bob", "room-id", "r")
	p.join(t, "alice")
	if _, err := bob.Recv(); err != nil { // that alice has joined
		t.Fatal(err)
	}

	p.cancel()
	await(t, "not ready", func() bool {
		code, body := p.get(t, "/readyz")
		return code == http.StatusServiceUnavailable && strings.Contains(body, "stopping")
	})
	p.send(t, "alice", "during the notice")
	if m, err := bob.Recv(); err != nil || string(m.GetContent()) != "during the notice" {
		t.Errorf("during the notice: %v, %v", m, err)
	}
	newcomer, err := p.im.StreamMessages(as(t, "carol"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := newcomer.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("a stream that opens: %v", err)
	}
	if p.ended() {
		t.Error("ended before its sessions")
	}
	if m, err := bob.Recv(); err == nil {
		t.Errorf("got %v instead of the end", m)
	}
	if code := bob.Trailer().Get("disconnect-code"); len(code) != 1 || code[0] != "3000" {
		t.Errorf("disconnect-code %q, want 3000: come back", code)
	}
	p.wait()
	if code, body := p.get(t, "/healthz"); code != 0 {
		t.Errorf("still serves: %d %s", code, body)
	}
}

// TestAStopByForceIsOne: a client that does not hang up until the deadline is cut, and the node ends as it does without
// him. What it runs in the background has ended by then.
func TestAStopByForceIsOne(t *testing.T) {
	t.Setenv("HERMOD_DATA_DIR", t.TempDir())
	p := start(t, configured(t, "server: {stop: {notice: 900ms, drain: 0s, timeout: 1s}}")...)
	conn, err := net.Dial("tcp", p.http)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const hello = "GET /im?user-id=bob HTTP/1.1\r\nHost: node\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: im.v1.proto\r\n\r\n"
	if _, err := io.WriteString(conn, hello); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil) //nolint:bodyclose // what follows is the connection
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(resp, err)
	}
	p.stop()
	if log := p.logs.String(); !strings.Contains(log, "WebSocket connections did not end in time and are cut") {
		t.Errorf("the log does not say so:\n%s", log)
	}
}

// TestAcknowledgedMessagesOutliveTheNode stops a node and starts another one on its data.
func TestAcknowledgedMessagesOutliveTheNode(t *testing.T) {
	t.Setenv("HERMOD_DATA_DIR", t.TempDir())
	first := start(t)
	first.join(t, "alice")
	first.join(t, "bob")
	first.send(t, "alice", "1")
	first.send(t, "alice", "2")
	first.stop()

	second := start(t)
	if sent := second.send(t, "alice", "3"); sent.GetSeq() != 3 {
		t.Errorf("seq goes on at %d, want 3", sent.GetSeq())
	}
	bob := second.open(t, "bob")
	for _, want := range []string{"1", "2", "3"} {
		if m, err := bob.Recv(); err != nil || string(m.GetContent()) != want {
			t.Errorf("got %v, %v; want %s", m, err, want)
		}
	}
}

// TestStoppingWhileStarting: whoever stops a node right after its start gets a clean end, at
// whatever point of the start that is.
func TestStoppingWhileStarting(t *testing.T) {
	t.Setenv("HERMOD_DATA_DIR", t.TempDir())
	begun := time.Now()
	start(t).stop()
	took := time.Since(begun)
	const attempts = 25
	for i := range attempts {
		ctx, cancel := context.WithTimeout(t.Context(), took*time.Duration(i)/attempts)
		var logs output
		done := make(chan error, 1)
		go func() { done <- Run(ctx, append([]string{}, loopback...), &output{}, &logs, Standard()...) }()
		select {
		case err := <-done:
			if err != nil && ctx.Err() == nil {
				t.Errorf("attempt %d: %v\n%s", i, err, &logs)
			}
		case <-time.After(patience):
			t.Fatalf("attempt %d: the node does not stop:\n%s", i, &logs)
		}
		cancel()
	}
}

func TestAGroupStopsWhatItStarted(t *testing.T) {
	t.Parallel()
	failures := make(chan error, 1)
	stopped := make(chan bool, 1)
	g := background(func(err error) { failures <- err },
		func(ctx context.Context) error { <-ctx.Done(); stopped <- true; return ctx.Err() },
		func(context.Context) error { return errors.New("broken") },
	)
	g.start()
	if err := <-failures; !strings.Contains(err.Error(), "broken") {
		t.Errorf("failed with %v", err)
	}
	g.stop()
	if len(stopped) != 1 {
		t.Error("stop returned before what it stops")
	}
	if len(failures) != 0 {
		t.Errorf("being stopped is a failure: %v", <-failures)
	}
}
