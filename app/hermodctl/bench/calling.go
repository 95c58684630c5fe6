package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"google.golang.org/grpc"

	upstreamv1 "github.com/game-im/hermod/api/upstream/v1"
)

// calling is requests to a business service without a gateway between: what the gateway adds is the
// difference.
type calling struct {
	load    *load
	conns   []*grpc.ClientConn
	callers []*caller
}

func newCalling(l *load) (*calling, error) {
	c := &calling{load: l}
	for range l.plan.Connections {
		conn, err := dialGRPC(l.plan.Addr, l.plan.TLS)
		if err != nil {
			return nil, errors.Join(err, c.close())
		}
		c.conns = append(c.conns, conn)
	}
	for i := range l.plan.Connections * l.plan.InFlight {
		c.callers = append(c.callers, &caller{lane: newLane(l, 1), index: i})
	}
	return c, nil
}

// prepare makes one call on each connection, so that a service that is not there is told of before
// anything is measured.
func (c *calling) prepare(ctx context.Context) error {
	for i := range c.conns {
		if err := c.call(ctx, i, 0, 0); err != nil {
			return fmt.Errorf("connection %d of %d: %w", i+1, len(c.conns), err)
		}
	}
	return nil
}

func (c *calling) drive(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for i, s := range schedules(c.load.plan.Rate, len(c.callers)) {
		wg.Go(func() {
			c.callers[i].drive(ctx, s, nil, func(ctx context.Context, number uint64, due int64) error {
				return c.call(ctx, i%len(c.conns), number, due)
			})
		})
	}
}

func (c *calling) call(ctx context.Context, conn int, number uint64, due int64) error {
	p := c.load.plan
	user := fmt.Sprintf("bench-%x-%d", c.load.run, conn)
	resp := &upstreamv1.UpstreamResponse{}
	err := c.conns[conn].Invoke(ctx, "/gatesvr.proto.UpstreamService/ProcessRequest", &upstreamv1.UpstreamRequest{
		SessionId: user, Openid: user, Action: p.Action, ClientSeqId: number + 1,
		Data: stamp{run: c.load.run, number: number, due: due}.payload(p.Size),
	}, resp)
	if err == nil && resp.GetCode() != codeOK {
		c.load.tally.add(fmt.Sprintf("answered with code %d", resp.GetCode()), 1, resp.GetMessage())
	}
	return err
}

func (c *calling) settled() bool { return true } // a call is over when its caller is

func (c *calling) counts() (n Counts) {
	for _, p := range c.callers {
		n.addLane(p.lane)
	}
	return n
}

func (c *calling) account(*Counts)     {}
func (c *calling) services() []*caller { return c.callers }

func (c *calling) close() error {
	var errs []error
	for _, conn := range c.conns {
		errs = append(errs, conn.Close())
	}
	return errors.Join(errs...)
}
