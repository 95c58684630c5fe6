package store

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/game-im/hermod/app/hermodctl/bench"
	"github.com/game-im/hermod/internal/data"
	"github.com/game-im/hermod/test/loopback"
)

// patience is how long a node may take to start or to stop.
const patience = time.Minute

func buildNode(t *testing.T) (bin string) {
	t.Helper()
	bin = filepath.Join(t.TempDir(), "hermod")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", bin, "github.com/game-im/hermod/app/hermod/cmd/hermod")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the node: %v\n%s", err, out)
	}
	return bin
}

// nodeLoad is a node whose clients each have some messages in flight. Clients use CPU time of the same
// machine, which is not counted.
func nodeLoad(bin string, over bench.Transport, inFlight int) load {
	return load{
		title: fmt.Sprintf("a node, %s, %d in flight each", names[over], inFlight),
		measure: func(tb testing.TB, to target, p pace) figure {
			tb.Helper()
			n := startNode(tb, bin, to.empty())
			defer n.stop()
			r, err := bench.Run(tb.Context(), bench.Plan{
				Mode: bench.Rooms, Transport: over, Protocol: bench.IM, Addr: n.addrs[over],
				Connections: roomCount * roomMembers, Rooms: roomCount, InFlight: inFlight, Size: payloadSize, Batch: 1,
				Envelopes: over == bench.GRPC, Stored: true, WarmUp: p.warmUp, Duration: p.duration,
				Server: withDatabase{bench.Process(n.process.Process.Pid), to.cpu},
			}, nil)
			if err != nil {
				tb.Fatal(err)
			}
			if len(r.Errors) > 0 || r.Server == nil {
				tb.Fatalf("not everything arrived once and in order: %+v", r)
			}
			return figure{r.AcceptedPerSecond, r.Server.AcceptedPerCPUSecond}
		},
	}
}

var names = map[bench.Transport]string{bench.GRPC: "gRPC", bench.WebSocket: "WebSocket"}

// withDatabase adds what processes of a database use to what a node does.
type withDatabase struct {
	node bench.Process
	cpu  func() time.Duration
}

func (m withDatabase) Read(ctx context.Context) (bench.Usage, error) {
	u, err := m.node.Read(ctx)
	u.CPU += m.cpu()
	return u, err
}

// node is a process of its own.
type node struct {
	tb      testing.TB
	addrs   map[bench.Transport]string // of clients
	process *exec.Cmd
	log     string
	exited  chan error
}

// config differs from the defaults where a load that sends as fast as it can would be refused.
const config = `server: {stop: {notice: 0s, drain: 0s}}
session: {sends_per_second: 1000000, send_burst: 1000000}
data: {dir: %q, database: {driver: %q, dsn: %q}}
`

func startNode(tb testing.TB, bin string, opts data.Options) *node {
	tb.Helper()
	dir, at := tb.TempDir(), make([]string, 4)
	for i := range at {
		at[i] = loopback.Addr(tb)
	}
	conf := filepath.Join(dir, "hermod.yaml")
	if err := os.WriteFile(conf, fmt.Appendf(nil, config, dir, opts.Driver, opts.DSN), 0o600); err != nil {
		tb.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		tb.Fatal(err)
	}
	defer closeAll(tb, log)
	n := &node{tb: tb, addrs: map[bench.Transport]string{bench.GRPC: at[0], bench.WebSocket: at[2]}, log: log.Name(), exited: make(chan error, 1)}
	n.process = exec.Command(bin, "-conf", conf, "-im", at[0], "-grpc", at[1], "-http", at[2], "-ops", at[3])
	n.process.Stdout, n.process.Stderr = log, log
	if err := n.process.Start(); err != nil {
		tb.Fatal(err)
	}
	go func() { n.exited <- n.process.Wait() }()
	n.await("http://" + at[3] + "/readyz")
	return n
}

func (n *node) await(url string) {
	n.tb.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		select {
		case err := <-n.exited:
			n.exited <- err
			n.fail("the node ended by itself")
		default:
		}
		if resp, err := http.Get(url); err == nil { //nolint:bodyclose // closeAll does
			closeAll(n.tb, resp.Body)
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
	}
	n.stop()
	n.fail("the node is not ready")
}

func (n *node) fail(what string) {
	n.tb.Helper()
	said, err := os.ReadFile(n.log)
	n.tb.Fatalf("%s:\n%s%v", what, said, err)
}

func (n *node) stop() {
	n.tb.Helper()
	if err := n.process.Process.Signal(syscall.SIGTERM); err != nil {
		n.tb.Error(err)
	}
	select {
	case <-n.exited:
	case <-time.After(patience):
		n.tb.Error("the node does not stop: ", n.process.Process.Kill())
		<-n.exited
	}
}
