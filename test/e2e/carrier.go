package e2e

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"time"

	"github.com/coder/websocket"
	"github.com/quic-go/quic-go"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/metadata"
)

// A carrier carries the frames of a protocol over one connection, as bytes. send and finish are called
// by one goroutine at a time, receive by one, hangUp by any; it makes the others return.
type carrier interface {
	send(frame []byte) error
	receive() ([]byte, error)
	// finish ends the client's side, in the orderly way of the transport.
	finish() error
	// hangUp closes the connection as a program does that dies: without a word of the protocol's.
	hangUp()
}

// ended is why a carrier has ended, when the node has said so.
type ended struct {
	code int
	text string
}

func (e ended) Error() string { return fmt.Sprintf("closed with %d: %s", e.code, e.text) }

// codeOf returns the disconnect code that an error of receive brings; 0: none.
func codeOf(err error) int {
	if e, ok := errors.AsType[ended](err); ok {
		return e.code
	}
	return 0
}

// doors are the addresses at which clients reach a node, its own or those of proxies.
type doors struct{ grpc, http, quic string }

// The carriers, as metrics name them.
const (
	overGRPC      = "grpc"
	overWebSocket = "websocket"
	overQUIC      = "quic"
)

var carriers = []string{overGRPC, overWebSocket, overQUIC}

// gateway opens a connection of the gateway protocol in protobuf.
func (d doors) gateway(ctx context.Context, transport string) (carrier, error) {
	switch transport {
	case overGRPC:
		return dialGRPC(ctx, d.grpc, "/hermod.gateway.v1.ClientService/Connect")
	case overWebSocket:
		c, _, err := dialWebSocket(ctx, "ws://"+d.http+"/ws", "gateway.v1.proto")
		return c, err
	}
	return dialQUIC(ctx, d.quic)
}

// im opens a connection of the im.v1 stream in protobuf and returns what it was greeted with.
func (d doors) im(ctx context.Context, transport string, h Hello) (carrier, func(string) string, error) {
	if transport == overWebSocket {
		c, header, err := dialWebSocket(ctx, "ws://"+d.http+"/im?"+h.query(), "im.v1.proto")
		if err != nil {
			return nil, nil, err
		}
		return c, header.Get, nil
	}
	c, err := dialGRPC(metadata.AppendToOutgoingContext(ctx, h.pairs()...), d.grpc, "/im.v1.IMService/StreamMessages")
	if err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, c.hangUp)
	header, err := c.stream.Header()
	if !stop() || err != nil || len(header.Get("session-id")) == 0 {
		c.hangUp()
		return nil, nil, fmt.Errorf("not greeted: %w", errors.Join(err, ctx.Err()))
	}
	return c, func(key string) string { return firstOf(header, key) }, nil
}

// query is what a client says that sets no headers.
func (h Hello) query() string {
	query := url.Values{}
	for pairs := h.pairs(); len(pairs) > 0; pairs = pairs[2:] {
		query.Set(pairs[0], pairs[1])
	}
	return query.Encode()
}

// asIs passes frames on as the bytes that they are.
type asIs struct{}

var _ encoding.Codec = asIs{}

func (asIs) Name() string { return "proto" }

func (asIs) Marshal(v any) ([]byte, error) { return *v.(*[]byte), nil }

func (asIs) Unmarshal(data []byte, v any) error {
	*v.(*[]byte) = append([]byte(nil), data...)
	return nil
}

// grpcCarrier is a stream on a connection of its own.
type grpcCarrier struct {
	conn   *grpc.ClientConn
	stream grpc.ClientStream
	cancel context.CancelFunc
}

// dialGRPC opens a stream; ctx is that of the attempt, and what it holds for the request is sent.
func dialGRPC(ctx context.Context, addr, method string, opts ...grpc.DialOption) (*grpcCarrier, error) {
	conn, err := grpc.NewClient("passthrough:///"+addr, append(opts, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	if err != nil {
		return nil, err
	}
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, cancel)
	desc := &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}
	stream, err := conn.NewStream(life, desc, method, grpc.ForceCodec(asIs{}), grpc.MaxCallRecvMsgSize(64<<20))
	c := &grpcCarrier{conn: conn, stream: stream, cancel: cancel}
	if !stop() || err != nil {
		c.hangUp()
		return nil, errors.Join(err, ctx.Err())
	}
	return c, nil
}

func (c *grpcCarrier) send(frame []byte) error { return c.stream.SendMsg(&frame) }

func (c *grpcCarrier) receive() (frame []byte, err error) {
	if err = c.stream.RecvMsg(&frame); err == nil {
		return frame, nil
	}
	if code, _ := strconv.Atoi(firstOf(c.stream.Trailer(), "disconnect-code")); code != 0 {
		return nil, ended{code, firstOf(c.stream.Trailer(), "disconnect-reason")}
	}
	return nil, err
}

func (c *grpcCarrier) finish() error { return c.stream.CloseSend() }

func (c *grpcCarrier) hangUp() {
	_ = c.conn.Close() // closing twice is its only error; before the stream, so that it is not told
	c.cancel()
}

// webSocketCarrier is a WebSocket connection.
type webSocketCarrier struct{ conn *websocket.Conn }

func dialWebSocket(ctx context.Context, url, subprotocol string, client ...*http.Client) (webSocketCarrier, http.Header, error) {
	opts := &websocket.DialOptions{Subprotocols: []string{subprotocol}}
	if len(client) > 0 {
		opts.HTTPClient = client[0]
	}
	conn, resp, err := websocket.Dial(ctx, url, opts) //nolint:bodyclose // the library has closed it
	if err != nil {
		return webSocketCarrier{}, nil, err
	}
	conn.SetReadLimit(64 << 20)
	return webSocketCarrier{conn}, resp.Header, nil
}

func (c webSocketCarrier) send(frame []byte) error {
	return c.conn.Write(context.Background(), websocket.MessageBinary, frame)
}

func (c webSocketCarrier) receive() ([]byte, error) {
	_, frame, err := c.conn.Read(context.Background())
	if closed, ok := errors.AsType[websocket.CloseError](err); ok {
		err = ended{int(closed.Code), closed.Reason}
	}
	return frame, err
}

func (c webSocketCarrier) finish() error { return c.conn.Close(websocket.StatusNormalClosure, "") }

func (c webSocketCarrier) hangUp() { _ = c.conn.CloseNow() } // it may be closed

// quicCarrier is the one stream of a QUIC connection.
type quicCarrier struct {
	conn   *quic.Conn
	stream *quic.Stream
}

// quicSilence is how long a client of these hears nothing before it gives its connection up.
const quicSilence = 5 * time.Second

func dialQUIC(ctx context.Context, addr string) (quicCarrier, error) {
	conn, err := quic.DialAddr(ctx, addr, anyCertificate(), &quic.Config{MaxIdleTimeout: quicSilence, KeepAlivePeriod: quicSilence / 4})
	if err != nil {
		return quicCarrier{}, err
	}
	stream, err := conn.OpenStreamSync(ctx)
	if err != nil {
		_ = conn.CloseWithError(0, "") // it never was open
		return quicCarrier{}, err
	}
	return quicCarrier{conn, stream}, nil
}

func (c quicCarrier) send(frame []byte) error {
	_, err := c.stream.Write(append(binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(frame)), uint32(len(frame))), frame...))
	return err
}

func (c quicCarrier) receive() ([]byte, error) {
	var head [4]byte
	_, err := io.ReadFull(c.stream, head[:])
	frame := make([]byte, binary.BigEndian.Uint32(head[:]))
	if err == nil {
		_, err = io.ReadFull(c.stream, frame)
	}
	if closed, ok := errors.AsType[*quic.ApplicationError](err); ok && closed.Remote {
		err = ended{int(closed.ErrorCode), closed.ErrorMessage}
	}
	return frame, err
}

func (c quicCarrier) finish() error { return c.stream.Close() }

func (c quicCarrier) hangUp() { _ = c.conn.CloseWithError(0, "client disconnect") } // it may be closed
