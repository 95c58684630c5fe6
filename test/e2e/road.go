package e2e

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/quic-go/quic-go"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
)

// road is a connection of the gateway protocol, over any transport.
type road interface {
	send(*gatewayv1.ClientRequest) error
	// recv waits for a frame. Once it has failed the connection is of no use.
	recv(ctx context.Context) (*gatewayv1.ServerPush, error)
	close()
}

// roads lead to one node.
type roads struct {
	http, quic string
	opening    chan struct{}      // a place for each connection that is being opened: a machine that is busy opens few in time
	conns      []*grpc.ClientConn // for many streams each
}

func newRoads(t *testing.T, n *Node, quicAddr string) *roads {
	t.Helper()
	r := &roads{http: n.HTTP, quic: quicAddr, opening: make(chan struct{}, 20)}
	for range 8 {
		r.conns = append(r.conns, Dial(t, n.IM))
	}
	return r
}

// open takes any of the roads. QUIC is taken less often: its handshakes are what costs most.
func (r *roads) open(ctx context.Context) (road, error) {
	r.opening <- struct{}{}
	defer func() { <-r.opening }()
	switch p := rand.N(10); {
	case p < 5:
		return openStream(r.conns[rand.N(len(r.conns))])
	case p < 9:
		return openWeb(ctx, r.http)
	}
	return openQUIC(ctx, r.quic)
}

type streamRoad struct {
	raw    grpc.BidiStreamingClient[gatewayv1.ClientRequest, gatewayv1.ServerPush]
	cancel context.CancelFunc
	frames chan *gatewayv1.ServerPush // closed at the end
	err    error                      // valid then
}

func openStream(conn *grpc.ClientConn) (road, error) {
	ctx, cancel := context.WithCancel(context.Background())
	raw, err := gatewayv1.NewClientServiceClient(conn).Connect(ctx)
	if err != nil {
		cancel()
		return nil, err
	}
	s := &streamRoad{raw: raw, cancel: cancel, frames: make(chan *gatewayv1.ServerPush)}
	go func() {
		defer close(s.frames)
		for {
			push, err := raw.Recv()
			if err != nil {
				s.err = err
				return
			}
			select {
			case s.frames <- push:
			case <-ctx.Done():
				s.err = ctx.Err()
				return
			}
		}
	}()
	return s, nil
}

func (s *streamRoad) send(r *gatewayv1.ClientRequest) error { return s.raw.Send(r) }

func (s *streamRoad) recv(ctx context.Context) (*gatewayv1.ServerPush, error) {
	select {
	case push, ok := <-s.frames:
		if !ok {
			return nil, s.err
		}
		return push, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (s *streamRoad) close() { s.cancel() }

type webRoad struct{ conn *websocket.Conn }

func openWeb(ctx context.Context, addr string) (road, error) {
	conn, _, err := websocket.Dial(ctx, "ws://"+addr+"/ws", &websocket.DialOptions{Subprotocols: []string{"gateway.v1.proto"}}) //nolint:bodyclose // the library has closed it
	if err != nil {
		return nil, err
	}
	conn.SetReadLimit(8 << 20)
	return webRoad{conn}, nil
}

func (w webRoad) send(r *gatewayv1.ClientRequest) error {
	data, err := proto.Marshal(r)
	if err != nil {
		return err
	}
	return w.conn.Write(context.Background(), websocket.MessageBinary, data)
}

func (w webRoad) recv(ctx context.Context) (*gatewayv1.ServerPush, error) {
	_, data, err := w.conn.Read(ctx)
	if err != nil {
		return nil, errors.Join(ctx.Err(), err)
	}
	push := &gatewayv1.ServerPush{}
	return push, proto.Unmarshal(data, push)
}

func (w webRoad) close() { _ = w.conn.CloseNow() } // may be closed already

type quicRoad struct {
	conn   *quic.Conn
	stream *quic.Stream
}

func openQUIC(ctx context.Context, addr string) (road, error) {
	conn, err := quic.DialAddr(ctx, addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"gatesvr"}},
		&quic.Config{HandshakeIdleTimeout: patience, MaxIdleTimeout: patience})
	if err != nil {
		return nil, err
	}
	stream, err := conn.OpenStreamSync(ctx)
	if err != nil {
		return nil, errors.Join(err, conn.CloseWithError(0, ""))
	}
	return quicRoad{conn, stream}, nil
}

func (q quicRoad) send(r *gatewayv1.ClientRequest) error {
	body, err := proto.Marshal(r)
	if err != nil {
		return err
	}
	_, err = q.stream.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...))
	return err
}

func (q quicRoad) recv(ctx context.Context) (*gatewayv1.ServerPush, error) {
	defer context.AfterFunc(ctx, func() { _ = q.stream.SetReadDeadline(time.Now()) })() // fails on a stream that has ended
	var head [4]byte
	if _, err := io.ReadFull(q.stream, head[:]); err != nil {
		return nil, errors.Join(ctx.Err(), err)
	}
	body := make([]byte, binary.BigEndian.Uint32(head[:]))
	if _, err := io.ReadFull(q.stream, body); err != nil {
		return nil, errors.Join(ctx.Err(), err)
	}
	push := &gatewayv1.ServerPush{}
	return push, proto.Unmarshal(body, push)
}

func (q quicRoad) close() { _ = q.conn.CloseWithError(0, "") } // may be closed already
