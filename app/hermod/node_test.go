package hermod

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/plugin"
)

const patience = time.Minute

// output is what a node writes, read while it writes.
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

// process is a node that runs in this process.
type process struct {
	t       *testing.T
	im      imv1.IMServiceClient
	gateway gatewayv1.GatewayServiceClient
	hooks   gatewayv1.WebhookServiceClient
	clients gatewayv1.ClientServiceClient
	addr    string // of clients
	http    string // host:port
	ops     string // http://host:port
	logs    *output
	cancel  context.CancelFunc
	done    chan error
}

var (
	loopback = []string{"-im", "127.0.0.1:0", "-grpc", "127.0.0.1:0", "-http", "127.0.0.1:0", "-ops", "127.0.0.1:0"}
	greeted  = regexp.MustCompile(`(?s)clients +(\S+).*services +(\S+).*http +(\S+).*ops +(http://\S+)/metrics`)
)

// start runs a node with free ports, in the data directory that HERMOD_DATA_DIR names, until it is
// told to stop or the test ends.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	return startWith(t, nil, args...)
}

// startWith is start for a node with plugins linked into it, beside those that are shipped.
func startWith(t *testing.T, plugins []plugin.Plugin, args ...string) *process {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out := &output{}
	p := &process{t: t, logs: &output{}, cancel: cancel, done: make(chan error, 1)}
	go func() { p.done <- Run(ctx, append(args, loopback...), out, p.logs, append(Standard(), plugins...)...) }()
	t.Cleanup(p.stop)
	await(t, "a greeting", func() bool {
		select {
		case err := <-p.done:
			p.done <- nil
			t.Fatalf("the node ended: %v\n%s%s", err, out, p.logs)
		default:
		}
		return greeted.MatchString(out.String())
	})
	addrs := greeted.FindStringSubmatch(out.String())
	clients := dial(t, addrs[1])
	p.im, p.clients = imv1.NewIMServiceClient(clients), gatewayv1.NewClientServiceClient(clients)
	services := dial(t, addrs[2])
	p.gateway, p.hooks = gatewayv1.NewGatewayServiceClient(services), gatewayv1.NewWebhookServiceClient(services)
	p.addr, p.http, p.ops = addrs[1], addrs[3], addrs[4]
	return p
}

// stop ends the node and waits until it has. It may be called again.
func (p *process) stop() {
	p.t.Helper()
	p.cancel()
	p.wait()
}

func (p *process) wait() {
	p.t.Helper()
	select {
	case err := <-p.done:
		p.done <- nil
		if err != nil {
			p.t.Errorf("Run: %v", err)
		}
	case <-time.After(patience):
		p.t.Errorf("the node does not stop:\n%s", p.logs)
	}
}

// ended tells whether Run has returned.
func (p *process) ended() bool { return len(p.done) > 0 }

func dial(t *testing.T, addr string) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// as is a call by a user, with more metadata.
func as(t *testing.T, user string, pairs ...string) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return metadata.AppendToOutgoingContext(ctx, append(pairs, "user-id", user)...)
}

func (p *process) join(t *testing.T, user string) {
	t.Helper()
	if _, err := p.im.JoinRoom(as(t, user), &imv1.JoinRoomRequest{RoomId: "r"}); err != nil {
		t.Fatal(err)
	}
}

func (p *process) send(t *testing.T, user, content string) *imv1.SendMessageResponse {
	t.Helper()
	resp, err := p.im.SendMessage(as(t, user), &imv1.SendMessageRequest{
		RoomId: "r", Type: imv1.MessageType_MESSAGE_TYPE_TEXT, Content: []byte(content),
	})
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// open opens a stream and waits until its session exists.
func (p *process) open(t *testing.T, user string, pairs ...string) imv1.IMService_StreamMessagesClient {
	t.Helper()
	stream, err := p.im.StreamMessages(as(t, user, pairs...))
	if err != nil {
		t.Fatal(err)
	}
	if header, err := stream.Header(); err != nil || len(header.Get("session-id")) == 0 {
		t.Fatalf("greeted with %v, %v", header, err)
	}
	return stream
}

// get fetches a page of the operations listener; the code is 0 when there is nobody.
func (p *process) get(t *testing.T, path string) (code int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(as(t, ""), http.MethodGet, p.ops+path, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// configured writes a configuration file and returns the flag that names it.
func configured(t *testing.T, lines ...string) []string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "hermod.yaml")
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"-conf", file}
}

// await waits until something holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}
