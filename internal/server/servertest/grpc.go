package servertest

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"strconv"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/realtime/transport"
	"github.com/game-im/hermod/internal/realtime/transport/grpcstream"
	"github.com/game-im/hermod/internal/realtime/transport/transporttest"
)

// methods are the streams of the protocols.
var methods = map[string]string{
	"im":      imv1.IMService_StreamMessages_FullMethodName,
	"gateway": gatewayv1.ClientService_Connect_FullMethodName,
}

// plain passes bytes through, so that a client can send what is no message.
type plain struct{}

func (plain) Name() string { return "proto" }

func (plain) Marshal(v any) ([]byte, error) {
	b, ok := v.(string)
	if !ok {
		return nil, fmt.Errorf("a %T", v)
	}
	return []byte(b), nil
}

func (plain) Unmarshal(data []byte, v any) error {
	s, ok := v.(*string)
	if !ok {
		return fmt.Errorf("into a %T", v)
	}
	*s = string(data)
	return nil
}

// grpcLink is a stream on a connection of its own.
type grpcLink struct {
	conn   *grpc.ClientConn
	stream grpc.ClientStream
	net    *transporttest.Link
}

func dialGRPC(t *testing.T, n Node, protocol string, headers map[string]string) (link, error) {
	t.Helper()
	creds := insecure.NewCredentials()
	if n.Secured {
		creds = credentials.NewTLS(n.TLS)
	}
	links := make(chan *transporttest.Link, 1)
	conn, err := grpc.NewClient("passthrough:///"+n.IM,
		grpc.WithTransportCredentials(creds),
		grpc.WithDefaultCallOptions(grpc.ForceCodec(plain{}), grpc.MaxCallRecvMsgSize(64<<20)),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			nc, err := (&net.Dialer{}).DialContext(ctx, "tcp", n.IM)
			if err != nil {
				return nil, err
			}
			l := transporttest.NewLink(t, nc)
			select {
			case links <- l:
			default: // a second attempt, of a connection that nobody waits for
			}
			return l, nil
		}))
	if err != nil {
		return nil, err
	}
	t.Cleanup(func() { _ = conn.Close() }) // may be closed already
	ctx, cancel := context.WithTimeout(t.Context(), 10*patience)
	t.Cleanup(cancel)
	ctx = metadata.NewOutgoingContext(ctx, metadata.New(headers))
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, methods[protocol])
	if err != nil {
		return nil, err
	}
	return &grpcLink{conn: conn, stream: stream, net: <-links}, nil
}

func (l *grpcLink) Send(frame string) error { return l.stream.SendMsg(frame) }

func (l *grpcLink) Recv() (string, error) {
	var frame string
	err := l.stream.RecvMsg(&frame)
	if err == nil {
		return frame, nil
	}
	said := func(key string) string {
		if v := l.stream.Trailer().Get(key); len(v) == 1 {
			return v[0]
		}
		return ""
	}
	code, parseErr := strconv.ParseUint(said(grpcstream.TrailerCode), 10, 32)
	if parseErr != nil {
		return "", err
	}
	why := transport.Disconnect{Code: uint32(code), Reason: cmp.Or(said(grpcstream.TrailerReasonText), said(grpcstream.TrailerReason))}
	if ms, err := strconv.Atoi(said(grpcstream.TrailerRetry)); err == nil {
		why = why.After(time.Duration(ms) * time.Millisecond)
	}
	return "", why
}

func (l *grpcLink) Finish() error { return l.stream.CloseSend() }

func (l *grpcLink) Cut() { _ = l.conn.Close() } // may be closed already

func (l *grpcLink) Vanish() { l.net.Freeze() }
