package client

import (
	"context"
	"errors"
	"net"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/discovery"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// peer is the other end of the wire: it hands every opened stream to the test, which plays the
// server on it.
type peer struct {
	imv1.UnimplementedIMServiceServer
	imv1.UnimplementedRoomServiceServer
	listener *bufconn.Listener
	streams  chan *peerStream
	joins    chan *imv1.JoinRoomRequest

	upload     atomic.Pointer[uploadHandler]
	transcript atomic.Pointer[transcriptHandler]
	history    atomic.Pointer[historyHandler]
	sync       atomic.Pointer[syncHandler]
	read       atomic.Pointer[readHandler]
	calls      atomic.Pointer[callHandler] // any unary call
}

func newPeer(t *testing.T) *peer {
	t.Helper()
	p := &peer{
		listener: bufconn.Listen(1 << 20),
		streams:  make(chan *peerStream, 16),
		joins:    make(chan *imv1.JoinRoomRequest, 16),
	}
	server := grpc.NewServer(grpc.MaxRecvMsgSize(maxRequestBytes+1024), grpc.UnaryInterceptor(p.intercept))
	imv1.RegisterIMServiceServer(server, p)
	imv1.RegisterRoomServiceServer(server, p)
	served := make(chan struct{})
	go func() {
		defer close(served)
		if err := server.Serve(p.listener); err != nil {
			t.Errorf("peer: %v", err)
		}
	}()
	t.Cleanup(func() {
		server.Stop()
		<-served
	})
	return p
}

// callHandler answers a call in the place of the peer; nil: the peer does.
type callHandler func(method string, req proto.Message) (proto.Message, error)

func (p *peer) onCall(f callHandler) { p.calls.Store(&f) }

func (p *peer) intercept(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if f := p.calls.Load(); f != nil {
		if resp, err := (*f)(info.FullMethod, req.(proto.Message)); resp != nil || err != nil {
			return resp, err
		}
	}
	return next(ctx, req)
}

func (p *peer) JoinRoom(ctx context.Context, req *imv1.JoinRoomRequest) (*imv1.JoinRoomResponse, error) {
	p.joins <- req
	if req.GetRoomId() == "slow" {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if req.GetRoomId() == "full" {
		return &imv1.JoinRoomResponse{Status: &imv1.ResponseStatus{
			Code: 1, Message: "the room is full", Details: map[string]string{"reason": "ROOM_FULL"},
		}}, nil
	}
	return &imv1.JoinRoomResponse{Status: &imv1.ResponseStatus{}, RoomInfo: &imv1.RoomInfo{RoomId: req.GetRoomId()}}, nil
}

func (p *peer) LeaveRoom(context.Context, *imv1.LeaveRoomRequest) (*imv1.LeaveRoomResponse, error) {
	return &imv1.LeaveRoomResponse{Status: &imv1.ResponseStatus{}}, nil
}

// GetRoomInfo answers with what the call's metadata said.
func (p *peer) GetRoomInfo(ctx context.Context, _ *imv1.GetRoomInfoRequest) (*imv1.GetRoomInfoResponse, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	return &imv1.GetRoomInfoResponse{
		Status:   &imv1.ResponseStatus{},
		RoomInfo: &imv1.RoomInfo{Name: first(md, keyUserID), Description: first(md, keyAuthorization)},
	}, nil
}

func (p *peer) StreamMessages(stream imv1.IMService_StreamMessagesServer) error {
	md, _ := metadata.FromIncomingContext(stream.Context())
	ps := &peerStream{md: md, stream: stream, in: make(chan *imv1.MessageRequest, 1024), closed: make(chan struct{}), over: make(chan error, 1)}
	go func() {
		defer close(ps.closed)
		for {
			req, err := stream.Recv()
			if err != nil {
				ps.recvErr = err
				return
			}
			ps.in <- req
		}
	}()
	p.streams <- ps
	select {
	case err := <-ps.over:
		return err
	case <-ps.closed: // cleanly, unless the context says otherwise
		return stream.Context().Err()
	case <-stream.Context().Done():
		return stream.Context().Err()
	}
}

// peerStream is one stream as the server sees it.
type peerStream struct {
	md      metadata.MD
	stream  imv1.IMService_StreamMessagesServer
	in      chan *imv1.MessageRequest
	closed  chan struct{} // the client has ended its side
	recvErr error         // how; valid after closed
	over    chan error
}

// next returns the next stream that a client opens.
func (p *peer) next(t *testing.T) *peerStream {
	t.Helper()
	return wait(t, p.streams, "a stream")
}

// accept answers with the headers of a session.
func (ps *peerStream) accept(t *testing.T, session string, resumed bool) *peerStream {
	t.Helper()
	return ps.header(t, keySessionID, session, keyResumeTicket, "ticket-of-"+session, keyResumed, strconv.FormatBool(resumed))
}

func (ps *peerStream) header(t *testing.T, pairs ...string) *peerStream {
	t.Helper()
	if err := ps.stream.SendHeader(metadata.Pairs(pairs...)); err != nil {
		t.Errorf("SendHeader: %v", err)
	}
	return ps
}

func (ps *peerStream) send(t *testing.T, frames ...*imv1.MessageResponse) {
	t.Helper()
	for _, f := range frames {
		if err := ps.stream.Send(f); err != nil {
			t.Errorf("peer's Send: %v", err)
		}
	}
}

// recv returns the next frame from the client, other than heartbeats.
func (ps *peerStream) recv(t *testing.T) *imv1.MessageRequest {
	t.Helper()
	for {
		req := wait(t, ps.in, "a frame from the client")
		if req.GetType() != imv1.MessageType_MESSAGE_TYPE_HEARTBEAT {
			return req
		}
	}
}

// recvAck returns the link number of the next frame, which must be an acknowledgement.
func (ps *peerStream) recvAck(t *testing.T) uint64 {
	t.Helper()
	req := ps.recv(t)
	if req.GetType() != imv1.MessageType_MESSAGE_TYPE_ACK {
		t.Fatalf("got %v, want an ACK", req)
	}
	link, err := strconv.ParseUint(req.GetMetadata()[keyLinkSeq], 10, 64)
	if err != nil {
		t.Fatalf("ACK without a link number: %v", req)
	}
	return link
}

// end ends the stream as the server would, with trailer pairs.
func (ps *peerStream) end(err error, trailer ...string) {
	ps.stream.SetTrailer(metadata.Pairs(trailer...))
	ps.over <- err
}

var errLost = errors.New("the network is gone")

func text(room string, seq int64, link uint64) *imv1.MessageResponse {
	return &imv1.MessageResponse{
		MessageId: room + "-" + strconv.FormatInt(seq, 10),
		RoomId:    room,
		Type:      imv1.MessageType_MESSAGE_TYPE_TEXT,
		Content:   []byte("m" + strconv.FormatInt(seq, 10)),
		Seq:       seq,
		LinkSeq:   link,
	}
}

func ackOf(req *imv1.MessageRequest, seq int64, link uint64) *imv1.MessageResponse {
	content, err := proto.Marshal(&imv1.AckContent{OriginalMessageId: req.GetMessageId(), Success: true})
	if err != nil {
		panic(err)
	}
	return &imv1.MessageResponse{
		MessageId: "server-" + req.GetMessageId(),
		RoomId:    req.GetRoomId(),
		Type:      imv1.MessageType_MESSAGE_TYPE_ACK,
		Content:   content,
		Seq:       seq,
		LinkSeq:   link,
		Timestamp: timestamppb.New(time.Unix(1700000000, 0)),
	}
}

func refusalOf(req *imv1.MessageRequest, reason, message string) *imv1.MessageResponse {
	content, err := proto.Marshal(&imv1.AckContent{OriginalMessageId: req.GetMessageId(), ErrorMessage: message})
	if err != nil {
		panic(err)
	}
	return &imv1.MessageResponse{
		RoomId:   req.GetRoomId(),
		Type:     imv1.MessageType_MESSAGE_TYPE_ACK,
		Content:  content,
		Metadata: map[string]string{keyReason: reason},
	}
}

func wait[T any](t *testing.T, from <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

// config returns a Config for the peer whose callbacks write to the returned events.
func (p *peer) config() (*Config, *events) {
	ev := &events{
		messages:    make(chan *imv1.MessageResponse, 8192),
		connects:    make(chan struct{}, 16),
		disconnects: make(chan error, 16),
		errors:      make(chan error, 64),
	}
	return &Config{
		UserID:   "alice",
		Services: []*discovery.ServiceInfo{{Address: "passthrough:///peer"}},
		DialOptions: []grpc.DialOption{grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return p.listener.DialContext(ctx)
		})},
		Backoff:      func(int) time.Duration { return time.Millisecond },
		OnMessage:    func(m *imv1.MessageResponse) { ev.messages <- m },
		OnConnect:    func() { ev.connects <- struct{}{} },
		OnDisconnect: func(err error) { ev.disconnects <- err },
		OnError:      func(err error) { ev.errors <- err },
	}, ev
}

type events struct {
	messages    chan *imv1.MessageResponse
	connects    chan struct{}
	disconnects chan error
	errors      chan error
}

// next returns the content of the next message.
func (ev *events) next(t *testing.T) string {
	t.Helper()
	return string(wait(t, ev.messages, "a message").GetContent())
}

// none fails if another message has arrived.
func (ev *events) none(t *testing.T) {
	t.Helper()
	select {
	case m := <-ev.messages:
		t.Errorf("unexpected message %v", m)
	default:
	}
}

// connect returns a connected client and its stream, on session s1.
func (p *peer) connect(t *testing.T, cfg *Config) (*Client, *peerStream) {
	t.Helper()
	c, err := NewClient(cfg)
	if err != nil {
		t.Fatalf("NewClient: %v", err)
	}
	connected := make(chan error, 1)
	go func() { connected <- c.Connect() }()
	ps := p.next(t).accept(t, "s1", false)
	if err := wait(t, connected, "Connect"); err != nil {
		t.Fatalf("Connect: %v", err)
	}
	t.Cleanup(func() { p.disconnect(t, c) })
	return c, ps
}

func (p *peer) disconnect(t *testing.T, c *Client) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- c.Disconnect() }()
	if err := wait(t, done, "Disconnect"); err != nil {
		t.Errorf("Disconnect: %v", err)
	}
}
