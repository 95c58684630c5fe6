//go:build linux

package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	imv1 "github.com/game-im/hermod/api/im/v1"
)

// vitals are what a process has in use.
type vitals struct{ goroutines, files, heap, resident float64 }

func (v vitals) String() string {
	return fmt.Sprintf("%g goroutines, %g files, %.1f MiB of heap, %.1f MiB resident", v.goroutines, v.files, v.heap/(1<<20), v.resident/(1<<20))
}

// vitals returns what the node has in use once its garbage is gone; server.ops.pprof is on.
func (n *Node) vitals() vitals {
	n.t.Helper()
	for range 2 { // what pools hold is gone after the second time
		if status, body := n.Page("/debug/pprof/heap?gc=1"); status != http.StatusOK {
			n.t.Fatalf("heap: %d %s", status, body)
		}
	}
	return vitals{
		goroutines: n.Metric("go_goroutines"), files: n.Metric("process_open_fds"),
		heap: n.Metric("go_memstats_heap_alloc_bytes"), resident: n.Metric("process_resident_memory_bytes"),
	}
}

// cycle connects a client, has it served, and ends it: in the orderly way, or by hanging up.
type cycle func(ctx context.Context, d doors, user string, orderly bool) error

// cycles are all transports and protocols.
var cycles = map[string]cycle{
	"gateway over grpc":      gatewayCycle(overGRPC),
	"gateway over websocket": gatewayCycle(overWebSocket),
	"gateway over quic":      gatewayCycle(overQUIC),
	"im.v1 over grpc":        imCycle(overGRPC),
	"im.v1 over websocket":   imCycle(overWebSocket),
}

func gatewayCycle(transport string) cycle {
	return func(ctx context.Context, d doors, user string, orderly bool) error {
		c, err := d.gateway(ctx, transport)
		if err != nil {
			return err
		}
		defer c.hangUp()
		defer context.AfterFunc(ctx, c.hangUp)()
		requests := []struct {
			kind gatewayv1.RequestType
			seq  uint64
			body proto.Message
		}{
			{gatewayv1.RequestType_REQUEST_START, 0, &gatewayv1.StartRequest{Openid: user, AuthToken: "default-token"}},
			{gatewayv1.RequestType_REQUEST_BUSINESS, 1, &gatewayv1.BusinessRequest{Action: "hello"}},
			{gatewayv1.RequestType_REQUEST_STOP, 0, &gatewayv1.StopRequest{}},
		}
		for i, req := range requests {
			stop := i == len(requests)-1
			if stop && !orderly {
				return nil
			}
			payload, err := proto.Marshal(req.body)
			if err != nil {
				return err
			}
			frame, err := proto.Marshal(&gatewayv1.ClientRequest{MsgId: uint32(i + 1), SeqId: req.seq, Type: req.kind, Payload: payload})
			if err != nil {
				return err
			}
			if err := c.send(frame); err != nil {
				return err
			}
			switch _, err := c.receive(); {
			case stop && err == nil:
				return errors.New("STOP was answered")
			case !stop && err != nil:
				return err
			}
		}
		return nil
	}
}

func imCycle(transport string) cycle {
	return func(ctx context.Context, d doors, user string, orderly bool) error {
		c, greeted, err := d.im(ctx, transport, Hello{User: user, Room: "room " + user, Capabilities: "ack,resume"})
		if err != nil {
			return err
		}
		defer c.hangUp()
		defer context.AfterFunc(ctx, c.hangUp)()
		frame, err := proto.Marshal(&imv1.MessageRequest{MessageId: greeted("session-id"), Type: text, Content: []byte("hello")})
		if err != nil {
			return err
		}
		if err := c.send(frame); err != nil {
			return err
		}
		if _, err := c.receive(); err != nil { // the ACK
			return err
		}
		if !orderly {
			return nil
		}
		return c.finish()
	}
}

// through runs so many cycles of each kind, many at a time.
func through(t *testing.T, d doors, each int) {
	t.Helper()
	const atATime = 4
	var wg sync.WaitGroup
	for kind, name := range slices.Sorted(maps.Keys(cycles)) {
		run := cycles[name]
		var next atomic.Int64
		for worker := range atATime {
			user := strconv.Itoa(10_000 + kind*atATime + worker) // nobody else's: one takes the other's place
			wg.Go(func() {
				for i := int(next.Add(1)); i <= each && !t.Failed(); i = int(next.Add(1)) {
					ctx, cancel := context.WithTimeout(t.Context(), patience)
					if err := run(ctx, d, user, i%2 == 0); err != nil {
						t.Errorf("%s, cycle %d: %v", name, i, err)
					}
					cancel()
				}
			})
		}
	}
	wg.Wait()
}

// atRest waits until the node has neither sessions nor connections.
func (n *Node) atRest() {
	n.t.Helper()
	n.eventually("the node is at rest", func() bool {
		open := n.Metric("hermod_connections") - n.Metric("hermod_connections", `listener="ops"`)
		return n.Metric("hermod_sessions") == 0 && open == 0
	})
}

// TestConnectionsLeaveNothing: after 10,000 connections of all kinds, half of which end in an orderly
// way, the node has what it had before: goroutines, files and memory. So has this process.
func TestConnectionsLeaveNothing(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	total := 1000
	if _, long := soakTime(t); long {
		total = 10_000
	}
	quic := freeAddr(t)
	n := Start(t, "session: {resume_window: 100ms, presence_grace: 0s}\nserver: {ops: {pprof: true}}", "-quic", quic)
	d := doors{grpc: n.IM, http: n.HTTP, quic: quic}
	through(t, d, 100) // pools and caches fill
	n.atRest()
	start := n.vitals()
	began := time.Now()
	through(t, d, total/len(cycles))
	t.Logf("%d cycles in %v", total, time.Since(began).Round(time.Millisecond))
	n.atRest()
	var end vitals
	defer func() { t.Logf("at the start: %v; at the end: %v", start, end) }()
	n.eventually("goroutines, files and memory are as before", func() bool {
		end = n.vitals()
		// A few goroutines and buffers come and go by themselves; if a kind of cycle left a goroutine
		// behind, there would be hundreds, and of memory a MiB for 100 bytes in each of 10,000.
		return end.goroutines <= start.goroutines+10 && end.files <= start.files+5 && end.heap <= start.heap+2<<20+float64(total)*100
	})
	// What is resident has what the collector has not given back.
	if end.resident > start.resident+32<<20 {
		t.Errorf("%.1f MiB resident, were %.1f", end.resident/(1<<20), start.resident/(1<<20))
	}
	if got := n.Metric("hermod_gateway_starts_total", `result="new"`); got != float64((total/len(cycles)+100)*3) {
		t.Errorf("%g gateway sessions began", got)
	}
}
