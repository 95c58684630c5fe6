package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

const (
	openLimit    = 60 * time.Second // for all streams of a measurement
	openParallel = 32
	quietFor     = 500 * time.Millisecond
	pollEvery    = time.Millisecond
)

// peer is one client stream.
type peer struct {
	ledger
	user, room   string
	capabilities string
	stream       stream
	lane         *lane // nil for those who do not answer ACKs with the next message
}

// newPeer is a peer in a room in which so many send.
func newPeer(user, room, capabilities string, senders int, durable bool) *peer {
	p := &peer{user: user, room: room, capabilities: capabilities}
	p.durable = durable
	p.next = make([]uint64, senders)
	return p
}

// fleet is all the streams of one measurement. Any of them failing ends them all.
type fleet struct {
	addr  string
	web   bool // over WebSocket, a connection for each peer
	ctx   context.Context
	fail  context.CancelCauseFunc
	peers []*peer
	conns []*grpc.ClientConn
	read  sync.WaitGroup
}

// webFleet is a fleet over WebSocket.
func webFleet(ctx context.Context, addr string) *fleet {
	f := newFleet(ctx, addr)
	f.web = true
	return f
}

func newFleet(ctx context.Context, addr string) *fleet {
	f := &fleet{addr: addr}
	f.ctx, f.fail = context.WithCancelCause(ctx)
	return f
}

// close ends all streams and waits for their readers.
func (f *fleet) close() error {
	f.fail(context.Canceled)
	var errs []error
	for _, c := range f.conns {
		errs = append(errs, c.Close())
	}
	f.read.Wait()
	return errors.Join(errs...)
}

// open gives each peer a stream, spreads them evenly over so many connections, and returns once
// the server has answered a heartbeat on every one of them.
func (f *fleet) open(peers []*peer, conns int) error {
	f.peers = append(f.peers, peers...)
	if f.web {
		conns = 1 // it is not used: grpc-go connects when there is a stream
	}
	fresh := make([]*grpc.ClientConn, conns)
	for i := range fresh {
		conn, err := f.dial()
		if err != nil {
			return err
		}
		fresh[i] = conn
	}
	var group errgroup.Group
	group.SetLimit(openParallel)
	for i, p := range peers {
		group.Go(func() error {
			if err := f.start(p, fresh[i%conns]); err != nil {
				return fmt.Errorf("stream of %s: %w", p.user, err)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return f.await(openLimit, "answers to the first heartbeat", func() bool {
		return least(peers, func(p *peer) int64 { return p.beats.Load() }) >= 1
	})
}

// dial makes a connection with grpc-go's own defaults, as a client would have them.
func (f *fleet) dial() (*grpc.ClientConn, error) {
	conn, err := grpc.NewClient("passthrough:///"+f.addr,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(rawCodec{})),
	)
	if err == nil {
		f.conns = append(f.conns, conn)
	}
	return conn, err
}

var streamDesc = &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}

func (f *fleet) start(p *peer, conn *grpc.ClientConn) error {
	s, err := f.connect(p, conn)
	if err != nil {
		return err
	}
	p.stream = s
	f.read.Go(func() { f.listen(p) })
	return s.SendMsg(heartbeatRequest())
}

func (f *fleet) connect(p *peer, conn *grpc.ClientConn) (stream, error) {
	if f.web {
		return dialWeb(f.ctx, f.addr, p)
	}
	md := metadata.Pairs("user-id", p.user, "room-id", p.room, "device-id", "bench")
	if p.capabilities != "" {
		md.Set("capabilities", p.capabilities)
	}
	ctx := metadata.NewOutgoingContext(f.ctx, md)
	return conn.NewStream(ctx, streamDesc, imv1.IMService_StreamMessages_FullMethodName)
}

// listen reads until the stream ends; unless the fleet was closed, that is a failure.
func (f *fleet) listen(p *peer) {
	for {
		if err := p.stream.RecvMsg(p); err != nil {
			f.fail(fmt.Errorf("%s: %w", p.user, err))
			return
		}
	}
}

// consume implements consumer.
func (p *peer) consume(b []byte) error {
	before := p.acked.Load()
	if err := scan(b, p.take); err != nil {
		return err
	}
	if p.lane == nil {
		return nil
	}
	return p.lane.answered(p, int(p.acked.Load()-before))
}

// why gives the reason for an error of a stream's SendMsg, which says EOF and leaves the reason to
// RecvMsg.
func (f *fleet) why(err error) error {
	if !errors.Is(err, io.EOF) && f.ctx.Err() == nil {
		return err
	}
	<-f.ctx.Done()
	return context.Cause(f.ctx)
}

// await polls until done, the limit, or the first failure of a peer.
func (f *fleet) await(limit time.Duration, what string, done func() bool) error {
	deadline := time.Now().Add(limit)
	for !done() {
		if err := f.pause(); err != nil {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("waited %v for %s", limit, what)
		}
	}
	return nil
}

// pause lets the others work for a moment, and tells of the first failure.
func (f *fleet) pause() error {
	select {
	case <-f.ctx.Done():
		return context.Cause(f.ctx)
	case <-time.After(pollEvery):
		return nil
	}
}

// quiet waits until nothing arrives any more: notices of people joining, for one.
func (f *fleet) quiet() error {
	last, since := int64(-1), time.Now()
	return f.await(openLimit, "silence", func() bool {
		if n := f.total(); n != last {
			last, since = n, time.Now()
		}
		return time.Since(since) > quietFor
	})
}

// total counts the frames that all peers have received.
func (f *fleet) total() int64 {
	n := int64(0)
	for _, p := range f.peers {
		n += p.frames.Load()
	}
	return n
}

// least is the smallest count among the peers.
func least(peers []*peer, count func(*peer) int64) int64 {
	low := count(peers[0])
	for _, p := range peers[1:] {
		low = min(low, count(p))
	}
	return low
}
