// Package nodetest has plugins tried in a whole node, with nothing faked:
//
//	n := nodetest.Node(t, mine.New())
//	client := imv1.NewIMServiceClient(n.Dial(n.IM))
//
// It depends on all that a node is made of; what a plugin promises by itself is for plugintest to check.
package nodetest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"github.com/game-im/hermod/app/hermod"
	"github.com/game-im/hermod/plugin"
)

// ServiceToken is what business services show to a node that Node has started and that asks for a token.
const ServiceToken = "services-of-this-test"

// nodePatience is how long a node may take to start, and to stop.
const nodePatience = time.Minute

// Running is a node that runs in the test's process, until the test ends. Everything is safe for
// concurrent use.
type Running struct {
	IM       string // host:port of the listener of clients, gRPC without TLS
	Services string // that of business services, gRPC without TLS
	HTTP     string // that of WebSocket and of recordings, without TLS
	QUIC     string // that of QUIC, with a certificate that the node has made for itself; empty where an Authenticator tells who everybody is
	Ops      string // that of /metrics and /readyz

	t    testing.TB
	logs *output
	stop func()
}

// Node starts a real node with plugins linked into it, beside what is shipped, and named in its
// configuration, in their order: on free ports of the loopback, with its data in a folder of the test's.
// It serves when Node returns, and is stopped in order when the test ends, which fails if the node does not
// start or does not stop.
//
// What the environment tells a node of otherwise (HERMOD_…) it tells this one.
//
// Plugins have the keys that they were made with. One that is an Authenticator tells who everybody is;
// without, whoever connects is believed. For anything else there is NodeWith.
func Node(t testing.TB, plugins ...plugin.Plugin) *Running {
	t.Helper()
	return NodeWith(t, "", plugins...)
}

// NodeWith is Node with a configuration besides, in YAML, whose keys go before what Node sets: plugins,
// auth.mode, data.dir and addresses.
func NodeWith(t testing.TB, yaml string, plugins ...plugin.Plugin) *Running {
	t.Helper()
	dir := t.TempDir()
	args := []string{"-conf", written(t, dir, "node.yaml", configuration(dir, plugins))}
	if strings.TrimSpace(yaml) != "" {
		args = append(args, "-conf", written(t, dir, "test.yaml", yaml))
	}
	ctx, cancel := context.WithCancel(context.Background())
	out, ended := &output{}, make(chan error, 1)
	n := &Running{t: t, logs: &output{}}
	go func() { ended <- hermod.Run(ctx, args, out, n.logs, append(hermod.Standard(), plugins...)...) }()
	n.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("the node: %v\n%s", err, n.logs)
			}
		case <-time.After(nodePatience):
			t.Errorf("the node does not stop:\n%s", n.logs)
		}
	})
	t.Cleanup(n.stop)
	n.greeted(out, ended)
	return n
}

// configuration names the plugins, and keeps the node to itself.
func configuration(dir string, plugins []plugin.Plugin) string {
	var b strings.Builder
	fmt.Fprintf(&b, "data: {dir: %q}\nserver:\n", filepath.Join(dir, "data"))
	listeners := []string{"im", "gateway", "http", "ops"}
	if !slices.ContainsFunc(plugins, authenticates) { // without, a node makes a certificate for itself
		listeners = append(listeners, "quic")
	}
	for _, l := range listeners {
		fmt.Fprintf(&b, "  %s: {addr: \"127.0.0.1:0\"}\n", l)
	}
	text := b.String()
	names := ""
	for _, p := range plugins {
		names += fmt.Sprintf("  - name: %q\n", p.Name())
		if authenticates(p) {
			text += fmt.Sprintf("auth: {mode: %q, service_token: %q}\n", p.Name(), ServiceToken)
		}
	}
	if names != "" {
		text += "plugins:\n" + names
	}
	return text
}

func authenticates(p plugin.Plugin) bool {
	_, ok := p.(plugin.Authenticator)
	return ok
}

func written(t testing.TB, dir, name, text string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// greeting is a line of what a node tells whoever has started it: a listener and its address.
var greeting = regexp.MustCompile(`(?m)^  (clients|services|http|quic|ops) +(?:https?://)?([^\s/]+)`)

// greeted waits until the node has said where it serves.
func (n *Running) greeted(out *output, ended chan error) {
	n.t.Helper()
	addresses := map[string]*string{"clients": &n.IM, "services": &n.Services, "http": &n.HTTP, "quic": &n.QUIC, "ops": &n.Ops}
	late := time.After(nodePatience)
	for {
		text, more := out.read()
		for _, line := range greeting.FindAllStringSubmatch(text, -1) {
			*addresses[line[1]] = line[2]
		}
		if n.Ops != "" { // which comes last
			return
		}
		select {
		case <-more:
		case err := <-ended:
			ended <- nil
			n.t.Fatalf("the node does not start: %v\n%s", err, n.logs)
		case <-late:
			n.t.Fatalf("the node does not serve within %s:\n%s", nodePatience, n.logs)
		}
	}
}

// Stop stops the node in order before the test ends, and returns when it has stopped.
func (n *Running) Stop() { n.stop() }

// Logs returns what the node has logged so far.
func (n *Running) Logs() string { return n.logs.String() }

// Dial returns a connection to one of the node's gRPC listeners, which is closed when the test ends.
func (n *Running) Dial(addr string) *grpc.ClientConn {
	n.t.Helper()
	return n.dial(addr)
}

func (n *Running) dial(addr string, options ...grpc.DialOption) *grpc.ClientConn {
	n.t.Helper()
	conn, err := grpc.NewClient(addr, append(options, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { _ = conn.Close() }) // nobody uses it any more
	return conn
}

// Service returns a connection to the listener of business services, over which the calls of one come.
func (n *Running) Service() *grpc.ClientConn {
	n.t.Helper()
	return n.dial(n.Services, grpc.WithUnaryInterceptor(func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		return invoke(metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+ServiceToken), method, req, reply, cc, opts...)
	}))
}

// As returns the context of a call by somebody, with what he shows besides, such as authorization.
func As(ctx context.Context, user string, headers map[string]string) context.Context {
	pairs := []string{"user-id", user}
	for _, key := range slices.Sorted(maps.Keys(headers)) {
		pairs = append(pairs, key, headers[key])
	}
	return metadata.AppendToOutgoingContext(ctx, pairs...)
}

// output is what a node writes, read while it writes.
type output struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	more chan struct{} // closed with the next write, if anybody waits for it
}

var _ io.Writer = (*output)(nil)

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.more != nil {
		close(o.more)
		o.more = nil
	}
	return o.buf.Write(p)
}

// read returns all that was written, and a channel that is closed when there is more.
func (o *output) read() (string, <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.more == nil {
		o.more = make(chan struct{})
	}
	return o.buf.String(), o.more
}

func (o *output) String() string {
	text, _ := o.read()
	return text
}
