package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/game-im/hermod/test/authority"

	"github.com/game-im/hermod/test/process"
)

// loadable lets a node be loaded by few clients.
const loadable = "session: {sends_per_second: 1000000, send_burst: 1000000}\n"

// loadResult is what hermodctl bench prints with --json, as far as these tests look at it.
type loadResult struct {
	Interrupted bool
	Seconds     float64
	Answer      struct{ Count int64 }
	Delivery    struct{ Count int64 }
	Server      *struct {
		CPUSeconds float64 `json:"cpu_seconds"`
		RSSBytes   int64   `json:"rss_bytes"`
	}
	Total struct {
		Sent, Accepted, Refused, Unanswered, Expected, Delivered, Missing int64
	}
	Errors []loadError
}

type loadError struct {
	Kind  string
	Count int64
}

// loading is a hermodctl bench that runs.
type loading struct {
	cmd      *exec.Cmd
	out, err bytes.Buffer
}

func (n *Node) load(mode string, args ...string) *loading {
	n.t.Helper()
	args = append([]string{"bench", mode, "--json", "--ops", n.Ops, "--warm-up", "100ms"}, args...)
	l := &loading{cmd: exec.CommandContext(n.t.Context(), process.Program("hermodctl"), args...)}
	l.cmd.Stdout, l.cmd.Stderr = &l.out, &l.err
	if err := l.cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	return l
}

// result waits for the end, and returns the exit code too.
func (l *loading) result(t *testing.T) (r loadResult, code int) {
	t.Helper()
	if err := l.cmd.Wait(); err != nil {
		if _, exited := errors.AsType[*exec.ExitError](err); !exited {
			t.Fatal(err)
		}
	}
	if err := json.Unmarshal(l.out.Bytes(), &r); err != nil {
		t.Fatalf("%v in %q\n%s", err, l.out.String(), l.err.String())
	}
	n := r.Total
	if n.Sent != n.Accepted+n.Refused+n.Unanswered || n.Delivered > n.Expected+n.Unanswered || n.Missing < n.Expected-n.Delivered {
		t.Errorf("the counts do not add up: %+v", n)
	}
	return r, l.cmd.ProcessState.ExitCode()
}

// TestBenchCountsAddUp loads a node in every mode, over every transport and with every protocol.
func TestBenchCountsAddUp(t *testing.T) {
	t.Parallel()
	quic := freeAddr(t)
	n := Start(t, loadable, "-quic", quic)
	over := map[string][]string{
		"grpc":      {"--addr", n.IM},
		"websocket": {"--addr", n.HTTP, "--transport", "websocket"},
		"quic":      {"--addr", quic, "--transport", "quic", "--skip-verify"},
	}
	for _, test := range []struct{ load, transports string }{
		{"fanout --connections 20 --envelopes --stored", "grpc websocket"},
		{"fanout --connections 20 --rooms 4 --rate 200", "grpc websocket quic"},
		{"rooms --connections 20 --rooms 4 --in-flight 3 --stored", "grpc websocket quic"},
		{"rooms --connections 20 --rooms 4 --rate 200", "grpc"},
		{"broadcast --connections 10", "grpc websocket quic"},
		{"broadcast --connections 10 --rate 50 --protocol im", "websocket"},
		{"push --connections 10 --in-flight 16", "grpc websocket quic"},
		{"push --connections 20 --in-flight 3 --batch 20 --protocol im", "grpc websocket quic"},
		{"push --connections 10 --rate 100", "quic"},
		{"request --connections 10 --in-flight 4", "grpc websocket quic"},
		{"request --connections 10 --rate 200", "websocket"},
		{"idle --connections 20", "grpc websocket quic"},
		{"idle --connections 20 --rooms 2 --protocol im --shared 10", "grpc"},
	} {
		for transport := range strings.FieldsSeq(test.transports) {
			t.Run(test.load+" over "+transport, func(t *testing.T) {
				mode, flags, _ := strings.Cut(test.load, " ")
				args := append(strings.Fields(flags), over[transport]...)
				if mode == "push" || mode == "broadcast" {
					args = append(args, "--gateway", n.Gateway)
				}
				r, code := n.load(mode, append(args, "--duration", "300ms")...).result(t)
				if code != 0 || len(r.Errors) > 0 || r.Interrupted || r.Seconds < 0.3 {
					t.Errorf("exit %d: %+v", code, r)
				}
				if all := r.Total; all.Accepted != all.Sent || all.Delivered != all.Expected {
					t.Errorf("not all was accepted and delivered: %+v", all)
				}
				if r.Server == nil || r.Server.CPUSeconds <= 0 || r.Server.RSSBytes <= 0 {
					t.Errorf("what the server used: %+v", r.Server)
				}
			})
		}
	}
}

// TestBenchCountsRefusals tells what a node has refused, and that all the rest has come.
func TestBenchCountsRefusals(t *testing.T) {
	t.Parallel()
	n := Start(t, "session: {sends_per_second: 5, send_burst: 20}\n")
	var r loadResult
	var code int
	for d := 300 * time.Millisecond; r.Total.Refused == 0; d *= 2 { // a busy machine gets little done in a short time
		r, code = n.load("fanout", "--addr", n.IM, "--connections", "5", "--in-flight", "8", "--duration", d.String()).result(t)
		if d > patience {
			t.Fatalf("nothing was refused: %+v", r)
		}
	}
	if code != 1 || r.Total.Accepted < 20 || r.Total.Delivered != r.Total.Expected {
		t.Errorf("exit %d: %+v", code, r)
	}
	if len(r.Errors) != 1 || r.Errors[0].Kind != "refused RATE_LIMITED" || r.Errors[0].Count != r.Total.Refused {
		t.Errorf("%+v", r.Errors)
	}
}

// TestBenchInterrupted shows the result so far.
func TestBenchInterrupted(t *testing.T) {
	t.Parallel()
	n := Start(t, loadable)
	l := n.load("fanout", "--addr", n.IM, "--connections", "5", "--rate", "200", "--duration", "1h")
	n.AwaitMetric(800, "hermod_session_deliveries_total")
	if err := l.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	r, code := l.result(t)
	if code != 0 || !r.Interrupted || r.Total.Sent < 100 || r.Total.Delivered != r.Total.Expected {
		t.Errorf("exit %d: %+v\n%s", code, r, l.err.String())
	}
}

// TestBenchOutlivesTheNode tells what there was when the node is killed under it.
func TestBenchOutlivesTheNode(t *testing.T) {
	t.Parallel()
	n := Start(t, loadable)
	l := n.load("fanout", "--addr", n.HTTP, "--transport", "websocket", "--connections", "5", "--rate", "200", "--duration", "1h")
	n.AwaitMetric(800, "hermod_session_deliveries_total")
	n.Kill()
	r, code := l.result(t)
	if code != 1 || r.Interrupted || r.Total.Accepted < 100 {
		t.Errorf("exit %d: %+v", code, r)
	}
	if !slices.ContainsFunc(r.Errors, func(e loadError) bool { return e.Kind == "connection lost" && e.Count == 5 }) {
		t.Errorf("five connections were lost: %+v", r.Errors)
	}
}

// TestBenchWithoutNode says that there is none.
func TestBenchWithoutNode(t *testing.T) {
	t.Parallel()
	absent := freeAddr(t)
	for _, args := range [][]string{
		{"fanout"}, {"fanout", "--transport", "websocket"}, {"request", "--protocol", "upstream"},
		{"push", "--gateway", absent},
	} {
		cmd := exec.CommandContext(t.Context(), process.Program("hermodctl"), append([]string{"bench", args[0], "--addr", absent}, args[1:]...)...)
		out, err := cmd.CombinedOutput()
		if code := cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(string(out), "no node answers at "+absent) {
			t.Errorf("%v: %v, exit %d:\n%s", args, err, code, out)
		}
	}
}

// TestBenchProvesWhoItIs loads a node that has TLS and believes nobody, with a token for services.
func TestBenchProvesWhoItIs(t *testing.T) {
	t.Parallel()
	ca, dir, quic := authority.New(t), t.TempDir(), freeAddr(t)
	cert, key, root := ca.Files(dir, authority.Leaf{Name: "node"})
	pair := fmt.Sprintf("{tls: {cert_file: %s, key_file: %s}}", cert, key)
	n := Start(t, jwtMode+fmt.Sprintf("server: {im: %[1]s, http: %[1]s, gateway: %[1]s, quic: %[1]s}\n", pair)+loadable, "-quic", quic)
	proof, _ := strings.CutPrefix(token(t, secret, "backend", time.Hour, "roles", []string{"service"}), "Bearer ")
	for _, args := range [][]string{
		{"fanout", "--addr", n.IM, "--connections", "5"},
		{"fanout", "--addr", n.HTTP, "--transport", "websocket", "--connections", "5"},
		{"push", "--addr", n.HTTP, "--transport", "websocket", "--connections", "5", "--gateway", n.Gateway},
		{"push", "--addr", quic, "--transport", "quic", "--connections", "5", "--gateway", n.Gateway, "--gateway-tls"},
		{"request", "--addr", n.IM, "--connections", "5"},
	} {
		r, code := n.load(args[0], append(args[1:], "--ca", root, "--token", proof, "--duration", "300ms")...).result(t)
		if code != 0 || r.Total.Accepted != r.Total.Sent {
			t.Errorf("%v: exit %d: %+v", args, code, r)
		}
	}
	output, code := n.ctl("bench", "fanout", "--addr", n.IM, "--ca", root)
	if code != 1 || !strings.Contains(output, "give --token") {
		t.Errorf("without a token: exit %d: %s", code, output)
	}
}
