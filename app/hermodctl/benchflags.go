package hermodctl

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"github.com/game-im/hermod/app/hermodctl/bench"
)

// benchFlags are the flags of a mode of bench.
type benchFlags struct {
	plan                bench.Plan
	transport, protocol string
	tls                 tlsFlags
	anyCertificate      bool
	serviceTLS          bool
	ops                 string
	pid                 int
	json                bool
	given               func(name string) bool
}

// Where a node listens unless it is told otherwise.
var benchAddrs = map[bench.Transport]string{
	bench.GRPC: "127.0.0.1:8083", bench.WebSocket: "127.0.0.1:8080", bench.QUIC: "127.0.0.1:8443",
}

const benchOps = "127.0.0.1:8081"

func (f *benchFlags) register(flags *pflag.FlagSet, m *benchMode) {
	flags.SortFlags = false
	f.given = flags.Changed
	p := &f.plan
	flags.StringVar(&f.transport, "transport", "grpc", "what clients connect over: grpc, websocket or quic")
	f.protocol = string(p.Protocol)
	if m.protocols != "" {
		flags.StringVar(&f.protocol, "protocol", f.protocol, "what they speak: "+m.protocols)
	}
	flags.StringVar(&p.Addr, "addr", "", "address they connect to (default by transport: 127.0.0.1:8083, :8080 or :8443)")
	flags.IntVar(&p.Connections, "connections", p.Connections, "clients, each with its connection; those who send count too")
	flags.IntVar(&p.Shared, "shared", 1, "gRPC streams on one connection")
	if m.rooms {
		flags.IntVar(&p.Rooms, "rooms", p.Rooms, "rooms that they are spread over")
	}
	f.registerLoad(flags, m)
	flags.DurationVar(&p.WarmUp, "warm-up", time.Second, "load before what is measured")
	flags.DurationVar(&p.Duration, "duration", 10*time.Second, "how long to measure")
	flags.StringVar(&f.ops, "ops", benchOps, "operations address of the node, for what its process uses; empty for none. The default counts where --addr is not given")
	flags.IntVar(&f.pid, "pid", 0, "process `id` of the node, to read /proc instead")
	flags.StringVar(&p.Token, "token", os.Getenv("HERMOD_TOKEN"), "token of clients and service; a client may be any user with one for the role service (default $HERMOD_TOKEN)")
	flags.Lookup("token").DefValue = "" // the help must not show it
	f.tls.register(flags)
	flags.BoolVar(&f.anyCertificate, "skip-verify", false, "connect with TLS and trust any certificate, as a node in dev mode makes for itself")
	flags.BoolVar(&f.json, "json", false, "print the result as JSON")
}

// registerLoad registers the flags of modes in which something is sent.
func (f *benchFlags) registerLoad(flags *pflag.FlagSet, m *benchMode) {
	p := &f.plan
	p.Size, p.Batch = 128, 1
	if m.mode == bench.Idle {
		return
	}
	flags.IntVar(&p.Size, "size", p.Size, fmt.Sprintf("bytes of a payload, %d at least", bench.MinSize))
	flags.Float64Var(&p.Rate, "rate", 0, "how many are sent each second by all together; 0 for the next as soon as there is room")
	flags.IntVar(&p.InFlight, "in-flight", p.InFlight, "how many of one sender may be unanswered; of a service, its calls at a time")
	if m.window {
		flags.IntVar(&p.Window, "window", 256, "how many a sender may be ahead of the slowest client")
	}
	switch m.mode {
	case bench.Push:
		flags.IntVar(&p.Batch, "batch", 1, "targets of a call")
	case bench.Request:
		flags.StringVar(&p.Action, "action", "echo", "action that is asked for")
	case bench.Fanout, bench.Rooms:
		flags.BoolVar(&p.Envelopes, "envelopes", false, "take messages in envelopes, as the SDK does")
		flags.BoolVar(&p.Stored, "stored", false, "a message without a place in its room is an error")
	}
	if m.mode == bench.Push || m.mode == bench.Broadcast {
		flags.StringVar(&p.Gateway, "gateway", "127.0.0.1:8082", "gateway gRPC address, where the service calls")
		flags.BoolVar(&f.serviceTLS, "gateway-tls", false, "over quic, the service connects with TLS too; over the others it does if clients do")
	}
}

// complete makes the plan of the flags.
func (f *benchFlags) complete(ctx context.Context, notes io.Writer) (p bench.Plan, err error) {
	p = f.plan
	p.Transport, p.Protocol = bench.Transport(f.transport), bench.Protocol(f.protocol)
	if p.Addr == "" {
		p.Addr = benchAddrs[p.Transport]
	} else if err := checkAddress(p.Addr); err != nil {
		return p, err
	}
	if p.Gateway != "" {
		if _, port, err := net.SplitHostPort(p.Gateway); err != nil || port == "" {
			return p, usagef("--gateway %q is not an address; host:port is allowed, for example 127.0.0.1:8082", p.Gateway)
		}
	}
	if p.TLS, err = f.secured(); err != nil {
		return p, err
	}
	if p.Transport != bench.QUIC || f.serviceTLS { // QUIC has it always, and the others need not
		p.ServiceTLS = p.TLS
	}
	if p.Transport == bench.QUIC && p.TLS == nil {
		return p, usagef("quic needs TLS; give --ca FILE, --tls to trust the authorities of the system, or --skip-verify to trust any certificate")
	}
	if err := p.Check(); err != nil {
		return p, usagef("%v", err)
	}
	p.Server, err = f.meter(ctx, p.TLS, notes)
	return p, err
}

func (f *benchFlags) secured() (*tls.Config, error) {
	c, err := f.tls.config()
	if err == nil && f.anyCertificate {
		if c == nil {
			c = &tls.Config{MinVersion: tls.VersionTLS12}
		}
		c.InsecureSkipVerify = true //nolint:gosec // asked for
	}
	return c, err
}

// meter finds what reads the node's process. What was asked for has to work; what is a default may be
// missing.
func (f *benchFlags) meter(ctx context.Context, secured *tls.Config, notes io.Writer) (bench.Meter, error) {
	if f.pid != 0 {
		if _, err := bench.Process(f.pid).Read(ctx); err != nil {
			return nil, usagef("--pid %d: %v", f.pid, err)
		}
		return bench.Process(f.pid), nil
	}
	asked := f.given("ops")
	if f.ops == "" || !asked && f.given("addr") {
		return nil, nil //nolint:nilnil // no meter is an answer
	}
	m := bench.Metrics{URL: f.opsURL() + "/metrics", Client: &http.Client{Transport: &http.Transport{TLSClientConfig: secured}}}
	_, err := m.Read(ctx)
	switch {
	case err == nil:
		return m, nil
	case asked:
		return nil, fmt.Errorf("--ops: %w", err)
	}
	fmt.Fprintf(notes, "what the node's process uses is not known: %v\n", err)
	return nil, nil //nolint:nilnil // as above
}

func (f *benchFlags) opsURL() string {
	if strings.Contains(f.ops, "://") {
		return strings.TrimSuffix(f.ops, "/")
	}
	return "http://" + f.ops
}

// describeLoad puts what kept a load from beginning in words that help.
func describeLoad(ctx context.Context, err error, p *bench.Plan) error {
	if ctx.Err() != nil {
		return errors.New("interrupted before anything was measured")
	}
	absent := []error{syscall.ECONNREFUSED, os.ErrDeadlineExceeded, context.DeadlineExceeded}
	if slices.ContainsFunc(absent, func(e error) bool { return errors.Is(err, e) }) {
		return fmt.Errorf("no node answers at %s over %s; is one running there, and does it serve that? (%w)", p.Addr, p.Transport, err)
	}
	return describe(err, p.Addr)
}
