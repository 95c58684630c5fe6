package bench

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
)

// pushing is a service that pushes or broadcasts to clients.
type pushing struct {
	load    *load
	all     []*client
	callers []*caller
	conn    *grpc.ClientConn
	service gatewayv1.GatewayServiceClient

	expected atomic.Int64 // pushes that the node says it has queued
}

func newPushing(l *load) (*pushing, error) {
	conn, err := dialGRPC(l.plan.Gateway, l.plan.ServiceTLS)
	if err != nil {
		return nil, err
	}
	p := &pushing{load: l, conn: conn, service: gatewayv1.NewGatewayServiceClient(conn)}
	for i := range l.plan.Connections {
		p.all = append(p.all, newClient(l, i, "", l.plan.InFlight))
	}
	for i := range l.plan.InFlight {
		p.callers = append(p.callers, &caller{lane: newLane(l, 1), index: i})
	}
	return p, nil
}

func (p *pushing) services() []*caller { return p.callers }

func (p *pushing) close() error { return p.conn.Close() }

func (p *pushing) drive(ctx context.Context) {
	call, ready := p.push, p.roomForPushes
	if p.load.plan.Mode == Broadcast {
		call, ready = p.broadcast, p.roomForBroadcast
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	for i, s := range schedules(p.load.plan.Rate, len(p.callers)) {
		c := p.callers[i]
		wg.Go(func() {
			c.drive(ctx, s, ready, func(ctx context.Context, number uint64, due int64) error { return call(ctx, c, number, due) })
		})
	}
}

// data is the payload of a caller's call.
func (p *pushing) data(c *caller, number uint64, due int64) []byte {
	return stamp{run: p.load.run, sender: uint32(c.index), number: number, due: due}.payload(p.load.plan.Size)
}

func (p *pushing) broadcast(ctx context.Context, c *caller, number uint64, due int64) error {
	resp, err := p.service.BroadcastToClients(ctx, &gatewayv1.BroadcastRequest{MsgType: "bench", Data: p.data(c, number, due)})
	if err != nil {
		return err
	}
	sent := min(int64(resp.GetSentCount()), int64(len(p.all))) // others may be connected as well
	p.expected.Add(sent)
	if passed := int64(len(p.all)) - sent; passed > 0 {
		p.load.tally.add("passed by a broadcast", passed, resp.GetMessage())
	}
	return nil
}

func (p *pushing) push(ctx context.Context, c *caller, number uint64, due int64) error {
	data, batch := p.data(c, number, due), p.load.plan.Batch
	first := (int(number)*len(p.callers) + c.index) * batch
	if batch == 1 {
		return p.pushOne(ctx, p.all[first%len(p.all)], data)
	}
	req := &gatewayv1.BatchUnicastPushRequest{MsgType: "bench", Data: data, Targets: make([]*gatewayv1.UnicastTarget, batch)}
	for i := range req.Targets {
		req.Targets[i] = &gatewayv1.UnicastTarget{TargetType: "openid", TargetId: p.all[(first+i)%len(p.all)].who.user}
	}
	resp, err := p.service.BatchPushToClients(ctx, req)
	if err != nil {
		return err
	}
	p.expected.Add(int64(resp.GetSuccessCount()))
	for _, r := range resp.GetResults() {
		if !r.GetSuccess() {
			p.load.tally.add("push "+r.GetErrorCode(), 1, r.GetErrorMessage())
		}
	}
	if n := len(resp.GetResults()); n != batch {
		p.load.tally.add("targets without an outcome", int64(batch-n), fmt.Sprintf("a call with %d targets had %d outcomes", batch, n))
	}
	return nil
}

func (p *pushing) pushOne(ctx context.Context, to *client, data []byte) error {
	resp, err := p.service.PushToClient(ctx, &gatewayv1.UnicastPushRequest{
		TargetType: "openid", TargetId: to.who.user, MsgType: "bench", Data: data,
	})
	switch {
	case err != nil:
		return err
	case resp.GetSuccess():
		p.expected.Add(1)
	default:
		p.load.tally.add("push "+resp.GetErrorCode(), 1, resp.GetMessage())
	}
	return nil
}

// roomForBroadcast holds the callers together at most a window ahead of the slowest client.
func (p *pushing) roomForBroadcast() bool {
	made := int64(0)
	for _, c := range p.callers {
		made += c.sent.Load() - c.refused.Load()
	}
	window := p.load.plan.window()
	for _, c := range p.all {
		if made-c.delivered.Load() >= window && !c.lost() {
			return false
		}
	}
	return true
}

// roomForPushes bounds what is on its way to all clients, and lets each caller have a call's worth and
// another one behind it.
func (p *pushing) roomForPushes() bool {
	window := max(p.load.plan.window(), 2*int64(len(p.callers)*p.load.plan.Batch))
	return p.expected.Load()-p.delivered() < window || p.anyLost()
}

func (p *pushing) anyLost() bool {
	for _, c := range p.all {
		if c.lost() {
			return true
		}
	}
	return false
}

func (p *pushing) delivered() (n int64) {
	for _, c := range p.all {
		n += c.delivered.Load()
	}
	return n
}

func (p *pushing) settled() bool { return p.delivered() >= p.expected.Load() || p.anyLost() }

func (p *pushing) counts() Counts {
	n := Counts{Delivered: p.delivered()}
	for _, c := range p.callers {
		n.addLane(c.lane)
	}
	return n
}

func (p *pushing) account(n *Counts) {
	n.Expected = p.expected.Load()
	n.Missing = max(0, n.Expected-n.Delivered)
	if n.Missing > 0 {
		p.load.tally.add("lost", n.Missing, fmt.Sprintf("%d pushes were taken for delivery and %d came", n.Expected, n.Delivered))
	}
}
