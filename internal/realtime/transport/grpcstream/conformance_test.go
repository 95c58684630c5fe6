package grpcstream_test

import (
	"context"
	"errors"
	"net"
	"strconv"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/game-im/hermod/internal/realtime/transport"
	"github.com/game-im/hermod/internal/realtime/transport/grpcstream"
	"github.com/game-im/hermod/internal/realtime/transport/transporttest"
)

const (
	maxFrame  = 100_000
	pingEvery = time.Second // the least that grpc-go takes
)

func TestConformance(t *testing.T) {
	t.Parallel()
	transporttest.Run(t, transporttest.Transport{
		Serve:     serveOverTCP,
		MaxFrame:  maxFrame,
		DeadAfter: 2 * pingEvery,
	})
}

func serveOverTCP(t *testing.T, handle transporttest.Handler) func(t *testing.T) transporttest.Peer {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := lis.Addr().String()
	links := make(chan *transporttest.Link, 1)
	dialer := func(string) (net.Conn, error) {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return nil, err
		}
		link := transporttest.NewLink(t, conn)
		links <- link
		return link, nil
	}
	client := func() *grpc.ClientConn { // one connection for each peer, so that one of them can be lost
		t.Helper()
		return newClient(t, dialer)
	}
	serveOn(t, lis, false, func(c *grpcstream.Conn) error { return handle(c) },
		grpc.ForceServerCodecV2(grpcstream.Codec()), grpc.InTapHandle(grpcstream.Tap), grpc.MaxRecvMsgSize(maxFrame),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: pingEvery, Timeout: pingEvery}))
	return func(t *testing.T) transporttest.Peer {
		t.Helper()
		conn := client()
		stream := openFor(t, conn, time.Minute)
		return &peer{conn: conn, stream: stream, link: <-links}
	}
}

// openFor opens a stream that lives no longer than the given time.
func openFor(t *testing.T, client *grpc.ClientConn, life time.Duration) grpc.ClientStream {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), life)
	t.Cleanup(cancel)
	stream, err := client.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, method)
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

// peer is a client of the suite.
type peer struct {
	conn   *grpc.ClientConn
	stream grpc.ClientStream
	link   *transporttest.Link
}

func (p *peer) Send(data string) error { return p.stream.SendMsg([]byte(data)) }

func (p *peer) Recv() (string, error) {
	var got []byte
	err := p.stream.RecvMsg(&got)
	if err == nil {
		return string(got), nil
	}
	md := p.stream.Trailer()
	if code := md.Get(grpcstream.TrailerCode); len(code) == 1 {
		n, parseErr := strconv.ParseUint(code[0], 10, 32)
		if parseErr != nil {
			return "", parseErr
		}
		why := transport.Disconnect{Code: uint32(n), Reason: md.Get(grpcstream.TrailerReason)[0]}
		if text := md.Get(grpcstream.TrailerReasonText); len(text) == 1 {
			why.Reason = text[0]
		}
		if retry := md.Get(grpcstream.TrailerRetry); len(retry) == 1 {
			ms, parseErr := strconv.Atoi(retry[0])
			return "", errors.Join(why.After(time.Duration(ms)*time.Millisecond), parseErr)
		}
		return "", why
	}
	return "", err
}

func (p *peer) Finish() error { return p.stream.CloseSend() }

func (p *peer) Cut() { _ = p.conn.Close() } // may be closed already

func (p *peer) Vanish() { p.link.Freeze() }
