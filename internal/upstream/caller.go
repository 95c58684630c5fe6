package upstream

import (
	"context"
	"crypto/tls"
	"fmt"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	upstreamv1 "github.com/game-im/hermod/api/upstream/v1"
	"github.com/game-im/hermod/internal/biz"
)

// The two names of ProcessRequest.
const (
	processOld     = "/gatesvr.proto.UpstreamService/ProcessRequest"
	processCurrent = upstreamv1.UpstreamService_ProcessRequest_FullMethodName
)

const (
	// reconnectAtMost is the longest wait between two attempts to connect: how late a service that came
	// back may be noticed.
	reconnectAtMost = 3 * time.Second
	connectTimeout  = 5 * time.Second
	// silentCalls is how many calls in a row may time out on a connection before the next ones get another:
	// the machine at its other end may be gone without a word. Pings would find out sooner, but a gRPC
	// server that was not told to expect them takes them for an attack.
	silentCalls = 3
	// maxResponseBytes bounds an answer, as gRPC does by default.
	maxResponseBytes = 4 << 20
)

// Options say how services are connected to.
type Options struct {
	// TLS, unless it is nil, secures every connection.
	TLS *tls.Config
	// Found secures connections to instances that a registry says to speak TLS, where TLS is nil.
	Found *tls.Config
}

// Caller calls instances of business services, each over one connection that all calls share. Safe for
// concurrent use.
type Caller struct {
	opts Options

	mu     sync.Mutex
	links  map[place]*link
	closed bool
}

// place is what connections are told apart by.
type place struct {
	address string
	tls     bool
}

// link is a connection, and who uses it.
type link struct {
	conn   *grpc.ClientConn
	calls  int
	silent int  // calls in a row that timed out
	gone   bool // closed when the last call ends
}

// New returns a Caller without connections.
func New(o Options) *Caller { return &Caller{opts: o, links: map[place]*link{}} }

// Call implements biz.UpstreamCaller.
func (c *Caller) Call(ctx context.Context, e biz.Endpoint, r *biz.UpstreamRequest) (*biz.UpstreamResponse, error) {
	l, done, err := c.link(e)
	if err != nil {
		return nil, notConnected(err)
	}
	defer done()
	method := processOld
	if e.Current {
		method = processCurrent
	}
	var to peer.Peer
	resp := &upstreamv1.UpstreamResponse{}
	err = l.conn.Invoke(ctx, method, requestOf(r), resp, grpc.Peer(&to))
	c.heard(place{e.Address, e.TLS}, l, err)
	if err != nil {
		return nil, explained(ctx, err, to.Addr != nil)
	}
	return responseOf(resp), nil
}

// heard notes whether a call has timed out, and gives up a connection where too many have.
func (c *Caller) heard(p place, l *link, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if status.Code(err) != codes.DeadlineExceeded {
		l.silent = 0
		return
	}
	if l.silent++; l.silent >= silentCalls && c.links[p] == l {
		delete(c.links, p)
		l.retireLocked()
	}
}

// Reach implements biz.UpstreamCaller.
func (c *Caller) Reach(ctx context.Context, e biz.Endpoint) error {
	l, done, err := c.link(e)
	if err != nil {
		return err
	}
	defer done()
	for {
		state := l.conn.GetState()
		switch state {
		case connectivity.Ready:
			return nil
		case connectivity.Idle:
			l.conn.Connect()
		case connectivity.TransientFailure, connectivity.Shutdown:
			return fmt.Errorf("upstream: %s cannot be connected to", e.Address)
		}
		if !l.conn.WaitForStateChange(ctx, state) {
			return fmt.Errorf("upstream: %s: %w", e.Address, context.Cause(ctx))
		}
	}
}

// Keep implements biz.UpstreamCaller.
func (c *Caller) Keep(endpoints []biz.Endpoint) {
	wanted := make(map[place]bool, len(endpoints))
	for _, e := range endpoints {
		wanted[place{e.Address, e.TLS}] = true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for p, l := range c.links {
		if !wanted[p] {
			delete(c.links, p)
			l.retireLocked()
		}
	}
}

// Close closes every connection, once the calls there have ended. Further calls fail.
func (c *Caller) Close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	for p, l := range c.links {
		delete(c.links, p)
		l.retireLocked()
	}
}

// link returns the connection to an endpoint, made when it is first needed. Done gives it back.
func (c *Caller) link(e biz.Endpoint) (l *link, done func(), err error) {
	p := place{e.Address, e.TLS}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, nil, fmt.Errorf("upstream: the node stops")
	}
	l = c.links[p]
	if l == nil {
		conn, err := c.dial(p)
		if err != nil {
			return nil, nil, err
		}
		l = &link{conn: conn}
		c.links[p] = l
	}
	l.calls++
	return l, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		l.calls--
		if l.gone && l.calls == 0 {
			l.closeLocked()
		}
	}, nil
}

func (l *link) retireLocked() {
	l.gone = true
	if l.calls == 0 {
		l.closeLocked()
	}
}

func (l *link) closeLocked() {
	_ = l.conn.Close() // it fails when it is closed already
}

func (c *Caller) dial(p place) (*grpc.ClientConn, error) {
	secured := insecure.NewCredentials()
	switch {
	case c.opts.TLS != nil:
		secured = credentials.NewTLS(c.opts.TLS)
	case p.tls:
		secured = credentials.NewTLS(c.opts.Found)
	}
	wait := backoff.DefaultConfig
	wait.BaseDelay, wait.MaxDelay = 100*time.Millisecond, reconnectAtMost
	conn, err := grpc.NewClient("passthrough:///"+p.address,
		grpc.WithTransportCredentials(secured),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: wait, MinConnectTimeout: connectTimeout}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxResponseBytes)),
		grpc.WithNoProxy(), // instances are named by where they are
		grpc.WithDisableServiceConfig(),
		grpc.WithUserAgent("hermod"),
	)
	if err != nil {
		return nil, fmt.Errorf("upstream: %w", err)
	}
	return conn, nil
}
