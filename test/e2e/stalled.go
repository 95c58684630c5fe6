//go:build linux

package e2e

import (
	"context"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/quic-go/quic-go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
)

// smallWindow is what a client of these lets the network hold for it.
const smallWindow = 16 << 10

// narrow dials TCP as over a network that is no loopback: with segments of its usual size, so that the
// kernel at the other end holds tens of kilobytes for a client that does not read, and not megabytes.
func narrow(ctx context.Context, network, addr string) (net.Conn, error) {
	d := net.Dialer{Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		if outer := c.Control(func(fd uintptr) {
			err = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_MAXSEG, 1400)
			if err == nil {
				err = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, smallWindow)
			}
		}); outer != nil {
			return outer
		}
		return err
	}}
	return d.DialContext(ctx, network, addr)
}

// stall connects a client, has it log in or join its room, and then reads nothing more.
func (d doors) stall(ctx context.Context, kind, user, room string) (carrier, error) {
	if room != "" {
		return d.stallIM(ctx, kind, Hello{User: user, Room: room, Device: "stalled", Capabilities: "ack,resume"})
	}
	c, err := d.stallGateway(ctx, kind)
	if err != nil {
		return nil, err
	}
	for i, m := range []proto.Message{
		&gatewayv1.StartRequest{Openid: user, AuthToken: "default-token"},
		&gatewayv1.BusinessRequest{Action: "hello"},
	} {
		req := &gatewayv1.ClientRequest{MsgId: uint32(i + 1), Type: gatewayv1.RequestType_REQUEST_START}
		if i > 0 {
			req.Type, req.SeqId = gatewayv1.RequestType_REQUEST_BUSINESS, 1
		}
		if req.Payload, err = proto.Marshal(m); err != nil {
			return nil, err
		}
		frame, err := proto.Marshal(req)
		if err != nil {
			return nil, err
		}
		if err := c.send(frame); err != nil {
			return nil, err
		}
		if _, err := c.receive(); err != nil {
			return nil, err
		}
	}
	return c, nil
}

var narrowHTTP = &http.Client{Transport: &http.Transport{DialContext: narrow}}

func narrowGRPC() []grpc.DialOption {
	return []grpc.DialOption{
		grpc.WithContextDialer(func(ctx context.Context, addr string) (net.Conn, error) { return narrow(ctx, "tcp", addr) }),
		grpc.WithInitialWindowSize(64 << 10), // the least; it does not grow then
	}
}

func (d doors) stallGateway(ctx context.Context, kind string) (carrier, error) {
	switch kind {
	case overGRPC:
		return dialGRPC(ctx, d.grpc, "/hermod.gateway.v1.ClientService/Connect", narrowGRPC()...)
	case overWebSocket:
		c, _, err := dialWebSocket(ctx, "ws://"+d.http+"/ws", "gateway.v1.proto", narrowHTTP)
		return c, err
	}
	conn, err := quic.DialAddr(ctx, d.quic, anyCertificate(), &quic.Config{
		InitialStreamReceiveWindow: smallWindow, MaxStreamReceiveWindow: smallWindow,
		InitialConnectionReceiveWindow: smallWindow, MaxConnectionReceiveWindow: smallWindow,
		MaxIdleTimeout: time.Minute, KeepAlivePeriod: 10 * time.Second,
	})
	if err != nil {
		return nil, err
	}
	stream, err := conn.OpenStreamSync(ctx)
	return quicCarrier{conn, stream}, err
}

func (d doors) stallIM(ctx context.Context, kind string, h Hello) (carrier, error) {
	if kind == overWebSocket {
		c, _, err := dialWebSocket(ctx, "ws://"+d.http+"/im?"+h.query(), "im.v1.proto", narrowHTTP)
		return c, err
	}
	c, err := dialGRPC(metadata.AppendToOutgoingContext(ctx, h.pairs()...), d.grpc, "/im.v1.IMService/StreamMessages", narrowGRPC()...)
	if err != nil {
		return nil, err
	}
	_, err = c.stream.Header()
	return c, err
}
