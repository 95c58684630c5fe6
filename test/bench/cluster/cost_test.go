package cluster

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/game-im/hermod/app/hermodctl/bench"
	"github.com/game-im/hermod/test/brokers"
	"github.com/game-im/hermod/test/databases"
	"github.com/game-im/hermod/test/process"
)

// BenchCluster is the environment variable that asks for figures: how long each measurement lasts.
const BenchCluster = "HERMOD_BENCH_CLUSTER"

const (
	roomCount   = 100
	roomMembers = 10
	payloadSize = 128
	rounds      = 3
	pacedRate   = 2000 // messages/s
	leastRatio  = 0.75 // to one node, at pacedRate
	mostP99     = 10.0 // ms
)

// setting is how many nodes there are, and what is between them.
type setting struct {
	name   string
	nodes  int
	engine func(testing.TB) (yaml string, pid int) // nil: none
}

var settings = []setting{
	{"one node", 1, nil},
	{"three nodes, NATS", 3, func(t testing.TB) (string, int) {
		t.Helper()
		addr, pid := brokers.StartNATSProcess(t)
		return fmt.Sprintf("cluster: {type: nats, addrs: %q}\n", addr), pid
	}},
	{"three nodes, Redis", 3, func(t testing.TB) (string, int) {
		t.Helper()
		s := brokers.StartRedis(t)
		return fmt.Sprintf("cluster: {type: redis, addrs: %q}\n", s.Addr()), s.PID()
	}},
}

// config differs from the defaults where a load that sends as fast as it can would be refused.
const config = `auth: {mode: trusted, service_token: the-token-of-the-services}
server: {stop: {notice: 0s, drain: 0s}, ops: {pprof: true}}
session: {sends_per_second: 1000000, send_burst: 1000000}
data: {database: {driver: postgres, dsn: %q}}
`

// BenchTransport is the environment variable that names the clients' transport: grpc, which is the default, or websocket.
const BenchTransport = "HERMOD_BENCH_TRANSPORT"

// figure is what one measurement gives.
type figure struct {
	perSecond, perCPU float64
	database, engine  float64 // CPU-seconds for 1,000 messages
	p50, p99          float64 // of deliveries, ms
	busy              float64 // the whole machine's share of its CPU time, to 1
}

// TestCost sends as much as it can, and then 2,000 messages a second, through one node and through three, in turns.
func TestCost(t *testing.T) {
	lasts := asked(t)
	db := databases.StartPostgres(t)
	free, paced := make([][]figure, len(settings)), make([][]figure, len(settings))
	t.Logf("clients connect over %s", transport(t))
	for round := range rounds {
		for i := range settings {
			at := (round + i) % len(settings) // a machine that slows down favours none
			t.Run(fmt.Sprintf("%s, round %d", settings[at].name, round+1), func(t *testing.T) {
				free[at] = append(free[at], measure(t, db, settings[at], 0, lasts))
				paced[at] = append(paced[at], measure(t, db, settings[at], pacedRate, lasts))
			})
		}
	}
	if !t.Failed() {
		t.Log("\n" + table(free, paced))
	}
}

// asked is how long each measurement lasts.
func asked(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv(BenchCluster)
	if text == "" {
		t.Skipf("set %s to how long each measurement lasts, such as 5s, or run make bench-cluster", BenchCluster)
	}
	lasts, err := time.ParseDuration(text)
	if err != nil || lasts <= 0 {
		t.Fatalf("%s=%q must be a positive duration, such as 5s", BenchCluster, text)
	}
	return lasts
}

func transport(t *testing.T) bench.Transport {
	t.Helper()
	switch name := bench.Transport(os.Getenv(BenchTransport)); name {
	case "", bench.GRPC:
		return bench.GRPC
	case bench.WebSocket:
		return name
	default:
		t.Fatalf("%s=%q must be %s or %s", BenchTransport, name, bench.GRPC, bench.WebSocket)
		return ""
	}
}

func measure(t *testing.T, db *databases.Server, s setting, rate float64, lasts time.Duration) figure {
	t.Helper()
	yaml, meter := fmt.Sprintf(config, db.Create()), &usage{database: db.CPU}
	if s.engine != nil {
		cluster, pid := s.engine(t)
		yaml, meter.engine = yaml+cluster, bench.Process(pid)
	}
	plan := bench.Plan{
		Mode: bench.Rooms, Transport: transport(t), Protocol: bench.IM, Rate: rate,
		Connections: roomCount * roomMembers, Rooms: roomCount, InFlight: 1, Size: payloadSize, Batch: 1,
		Envelopes: true, Stored: true, WarmUp: lasts / 2, Duration: lasts, Server: meter,
	}
	if rate > 0 {
		plan.InFlight = 256 // only the rate bounds them
	}
	var nodes []*process.Node
	for i := range s.nodes {
		n := process.Prepare(t, yaml)
		n.Boot()
		nodes = append(nodes, n)
		meter.nodes = append(meter.nodes, bench.Process(n.Cmd.Process.Pid))
		addr := n.IM
		if plan.Transport == bench.WebSocket {
			addr = n.HTTP
		}
		if i == 0 {
			plan.Addr = addr
		} else {
			plan.Others = append(plan.Others, addr)
		}
	}
	for _, n := range nodes {
		n.Eventually("the node knows the others", func() bool {
			_, page := n.Page("/readyz")
			return s.nodes == 1 || strings.Contains(page, fmt.Sprintf("others: %d", s.nodes-1))
		})
	}
	profiled := profile(t, nodes, lasts)
	r, err := bench.Run(t.Context(), plan, nil)
	profiled()
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Errors) > 0 || r.Server == nil {
		t.Fatalf("not everything arrived once and in order: %+v", r)
	}
	portions := portionsOf(nodes)
	for _, n := range nodes {
		n.Stop()
	}
	thousands := r.AcceptedPerSecond * r.Seconds / 1000
	first, last := meter.reads[len(meter.reads)-2], meter.reads[len(meter.reads)-1]
	f := figure{
		perSecond: r.AcceptedPerSecond, perCPU: r.Server.AcceptedPerCPUSecond, p50: r.Delivery.P50, p99: r.Delivery.P99,
		busy:     last.machine.busySince(first.machine),
		database: (last.database - first.database).Seconds() / thousands, engine: (last.engine - first.engine).Seconds() / thousands,
	}
	t.Logf("%.0f messages/s, %.0f per CPU-second, p50 %.1f ms, p99 %.1f ms, machine %.0f %% busy, %s", f.perSecond, f.perCPU, f.p50, f.p99, 100*f.busy, portions)
	return f
}

// usage reads what all nodes use, and notes at each reading what the others do.
type usage struct {
	nodes    []bench.Process
	engine   bench.Process // 0: none
	database func() time.Duration
	reads    []reading
}

type reading struct {
	database, engine time.Duration
	machine          ticks
}

// Read implements bench.Meter.
func (u *usage) Read(ctx context.Context) (all bench.Usage, err error) {
	for _, n := range u.nodes {
		one, err := n.Read(ctx)
		if err != nil {
			return all, err
		}
		all.CPU, all.RSS = all.CPU+one.CPU, all.RSS+one.RSS
	}
	r := reading{database: u.database()}
	if r.machine, err = machine(); err != nil {
		return all, err
	}
	if u.engine != 0 {
		one, err := u.engine.Read(ctx)
		if err != nil {
			return all, err
		}
		r.engine = one.CPU
	}
	u.reads = append(u.reads, r)
	return all, nil
}
