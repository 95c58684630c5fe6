package e2e

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/quic-go/quic-go"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
)

// line is one connection of the gateway protocol, over any transport. One goroutine reads.
type line struct {
	json  bool
	mu    sync.Mutex // of write
	write func(data []byte) error
	read  func() ([]byte, error)
	cut   func()
}

// transports are the ways to carry the gateway protocol.
var transports = []string{"WebSocket", "WebSocket JSON", "QUIC", "gRPC"}

// line opens a connection. The node was started with -quic quicAddr.
func (n *Node) line(t *testing.T, transport, quicAddr string) (*line, error) {
	t.Helper()
	switch transport {
	case "WebSocket":
		return n.webSocketLine(t, false)
	case "WebSocket JSON":
		return n.webSocketLine(t, true)
	case "QUIC":
		return quicLine(t, quicAddr)
	case "gRPC":
		return n.grpcLine(t)
	}
	return nil, fmt.Errorf("no transport is called %s", transport)
}

func (n *Node) webSocketLine(t *testing.T, json bool) (*line, error) {
	t.Helper()
	protocol, kind := "gateway.v1.proto", websocket.MessageBinary
	if json {
		protocol, kind = "gateway.v1.json", websocket.MessageText
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, "ws://"+n.HTTP+"/ws", &websocket.DialOptions{Subprotocols: []string{protocol}}) //nolint:bodyclose // the library has closed it
	if err != nil {
		return nil, err
	}
	conn.SetReadLimit(1 << 20)
	l := &line{json: json, cut: func() { _ = conn.CloseNow() }} // that is the point
	l.write = func(data []byte) error { return conn.Write(t.Context(), kind, data) }
	l.read = func() ([]byte, error) {
		_, data, err := conn.Read(t.Context())
		return data, err
	}
	return l, nil
}

func quicLine(t *testing.T, addr string) (*line, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, err := quic.DialAddr(ctx, addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"gatesvr"}}, &quic.Config{MaxIdleTimeout: 30 * time.Second})
	if err != nil {
		return nil, err
	}
	stream, err := conn.OpenStreamSync(ctx)
	if err != nil {
		return nil, err
	}
	l := &line{cut: func() { _ = conn.CloseWithError(1, "cut") }} // that is the point
	l.write = func(data []byte) error {
		_, err := stream.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(data))), data...))
		return err
	}
	l.read = func() ([]byte, error) {
		var head [4]byte
		if _, err := io.ReadFull(stream, head[:]); err != nil {
			return nil, err
		}
		data := make([]byte, binary.BigEndian.Uint32(head[:]))
		_, err := io.ReadFull(stream, data)
		return data, err
	}
	return l, nil
}

func (n *Node) grpcLine(t *testing.T) (*line, error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	raw, err := gatewayv1.NewClientServiceClient(Dial(t, n.IM)).Connect(ctx, grpc.WaitForReady(true))
	if err != nil {
		cancel()
		return nil, err
	}
	l := &line{cut: cancel}
	l.write = func(data []byte) error {
		req := &gatewayv1.ClientRequest{}
		if err := proto.Unmarshal(data, req); err != nil {
			return err
		}
		return raw.Send(req)
	}
	l.read = func() ([]byte, error) {
		push, err := raw.Recv()
		if err != nil {
			return nil, err
		}
		return proto.Marshal(push)
	}
	return l, nil
}

func (l *line) marshal(m proto.Message) ([]byte, error) {
	if l.json {
		return protojson.Marshal(m)
	}
	return proto.Marshal(m)
}

func (l *line) unmarshal(data []byte, into proto.Message) error {
	if l.json {
		return protojson.Unmarshal(data, into)
	}
	return proto.Unmarshal(data, into)
}

// send writes a request whose payload is in the notation of the line.
func (l *line) send(req *gatewayv1.ClientRequest, payload proto.Message) error {
	var err error
	if req.Payload, err = l.marshal(payload); err != nil {
		return err
	}
	data, err := l.marshal(req)
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.write(data)
}

// next reads a frame.
func (l *line) next() (*gatewayv1.ServerPush, error) {
	data, err := l.read()
	if err != nil {
		return nil, err
	}
	push := &gatewayv1.ServerPush{}
	return push, l.unmarshal(data, push)
}
