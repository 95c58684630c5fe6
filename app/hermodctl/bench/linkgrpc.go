package bench

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"strconv"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	imv1 "github.com/game-im/hermod/api/im/v1"
)

// grpcDialer opens streams, so many on each connection.
type grpcDialer struct {
	addr     string
	tls      *tls.Config
	protocol Protocol
	shared   int

	mu    sync.Mutex
	conns []*grpc.ClientConn
	left  int // streams that the last connection has room for
}

var streamDesc = &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}

func (d *grpcDialer) dial(ctx context.Context, who identity) (link, error) {
	conn, err := d.connection()
	if err != nil {
		return nil, err
	}
	method := gatewayv1.ClientService_Connect_FullMethodName
	md := metadata.MD{}
	if d.protocol == IM {
		method = imv1.IMService_StreamMessages_FullMethodName
		md = metadata.Pairs("user-id", who.user, "room-id", who.room, "device-id", "bench")
		if who.capabilities != "" {
			md.Set("capabilities", who.capabilities)
		}
	}
	if who.token != "" {
		md.Set("authorization", "Bearer "+who.token)
	}
	life, cancel := context.WithCancel(metadata.NewOutgoingContext(context.WithoutCancel(ctx), md))
	stop := context.AfterFunc(ctx, cancel) // while it is opened; afterwards the link closes it
	s, err := conn.NewStream(life, streamDesc, method)
	if stop() && err == nil {
		return &grpcLink{stream: s, cancel: cancel}, nil
	}
	cancel()
	return nil, errors.Join(err, ctx.Err())
}

// connection returns one that has room for a stream, with grpc-go's own settings, as a client would
// have it.
func (d *grpcDialer) connection() (*grpc.ClientConn, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.left == 0 {
		conn, err := dialGRPC(d.addr, d.tls, grpc.WithDefaultCallOptions(grpc.ForceCodecV2(Codec{})))
		if err != nil {
			return nil, err
		}
		d.conns, d.left = append(d.conns, conn), d.shared
	}
	d.left--
	return d.conns[len(d.conns)-1], nil
}

func dialGRPC(addr string, secured *tls.Config, options ...grpc.DialOption) (*grpc.ClientConn, error) {
	creds := insecure.NewCredentials()
	if secured != nil {
		creds = credentials.NewTLS(secured)
	}
	return grpc.NewClient("passthrough:///"+addr, append(options, grpc.WithTransportCredentials(creds))...)
}

func (d *grpcDialer) close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var errs []error
	for _, c := range d.conns {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// grpcLink is a stream.
type grpcLink struct {
	stream  grpc.ClientStream
	cancel  context.CancelFunc
	sending sync.Mutex
}

func (l *grpcLink) send(frame []byte) error {
	l.sending.Lock()
	defer l.sending.Unlock()
	return l.stream.SendMsg(frame)
}

func (l *grpcLink) receive(take taker) error {
	err := l.stream.RecvMsg(take)
	if err == nil {
		return nil
	}
	if closed := closedBy(l.stream.Trailer()); closed != nil {
		return closed
	}
	if errors.Is(err, io.EOF) {
		return &closedError{reason: "the stream has ended"}
	}
	return err
}

// closedBy is what a node has said in the trailer of a stream that it has closed; nil: nothing. The status of such
// a stream is Canceled, whatever the reason.
func closedBy(trailer metadata.MD) *closedError {
	code, reason := trailer.Get("disconnect-code"), trailer.Get("disconnect-reason")
	if len(code) == 0 || len(reason) == 0 {
		return nil
	}
	n, err := strconv.Atoi(code[0])
	if err != nil {
		return nil
	}
	return &closedError{code: n, reason: reason[0]}
}

func (l *grpcLink) close() { l.cancel() }
