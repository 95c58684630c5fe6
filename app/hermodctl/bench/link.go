package bench

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"time"

	"google.golang.org/grpc/status"
)

const (
	openLimit = 60 * time.Second // for one client to connect
	sendLimit = 30 * time.Second // for the node to take what a client sends
)

// link is one connection of a client. send is safe for concurrent use; one goroutine receives.
type link interface {
	// send sends an encoded frame.
	send(frame []byte) error
	// receive waits for a frame and gives it to take, whose error it returns.
	receive(take taker) error
	// close ends the connection, and with it a receive that waits.
	close()
}

// identity is what a link is opened with.
type identity struct {
	user, room   string
	capabilities string // of im.v1, a comma list
	token        string
}

// dialer opens links of one transport and protocol.
type dialer interface {
	dial(ctx context.Context, who identity) (link, error)
	close() error
}

func newDialer(p *Plan) dialer {
	if len(p.Others) == 0 {
		return newNodeDialer(p, p.Addr)
	}
	s := &spreadDialer{}
	for _, addr := range append([]string{p.Addr}, p.Others...) {
		s.nodes = append(s.nodes, newNodeDialer(p, addr))
	}
	return s
}

func newNodeDialer(p *Plan, addr string) dialer {
	switch p.Transport {
	case WebSocket:
		return &webDialer{addr: addr, tls: p.TLS, protocol: p.Protocol}
	case QUIC:
		return &quicDialer{addr: addr, tls: quicTLS(p.TLS, p.Protocol), protocol: p.Protocol}
	default:
		return &grpcDialer{addr: addr, tls: p.TLS, protocol: p.Protocol, shared: max(1, p.Shared)}
	}
}

func quicTLS(c *tls.Config, protocol Protocol) *tls.Config {
	c = c.Clone()
	c.NextProtos = []string{"gatesvr"}
	if protocol == IM {
		c.NextProtos = []string{"im.v1"}
	}
	return c
}

// closedError is a connection that the node has ended, with its code and reason.
type closedError struct {
	code   int
	reason string
}

func (e *closedError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("closed with %d: %s", e.code, e.reason))
}

// kindOf is what a failure is counted as.
func kindOf(err error) string {
	if e, ok := errors.AsType[*closedError](err); ok {
		reason, _, _ := strings.Cut(e.reason, " (retry after ") // which is another time for each client
		return strings.TrimSpace(fmt.Sprintf("closed %d %s", e.code, reason))
	}
	if e, ok := errors.AsType[interface {
		error
		GRPCStatus() *status.Status
	}](err); ok {
		return "status " + e.GRPCStatus().Code().String()
	}
	return "connection lost"
}
