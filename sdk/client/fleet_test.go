package client

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/discovery"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// fleet is many small servers on the loopback that are found by a discovery: enough of a node to
// connect to, send to and drain, for tests with more nodes and clients than could be real.
type fleet struct {
	*discovery.StaticDiscovery
	t     *testing.T
	nodes map[string]*smallNode
}

func newFleet(t *testing.T, nodes int) *fleet {
	t.Helper()
	d, err := discovery.NewStaticDiscovery()
	if err != nil {
		t.Fatal(err)
	}
	f := &fleet{StaticDiscovery: d, t: t, nodes: map[string]*smallNode{}}
	for i := range nodes {
		f.start(fmt.Sprint("node", i))
	}
	return f
}

// start starts a node and registers it.
func (f *fleet) start(id string) *smallNode {
	f.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		f.t.Fatal(err)
	}
	n := &smallNode{
		id: id, port: listener.Addr().(*net.TCPAddr).Port, server: grpc.NewServer(),
		draining: make(chan struct{}), online: map[string]int{}, stored: map[string]bool{},
	}
	imv1.RegisterIMServiceServer(n.server, n)
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = n.server.Serve(listener) // it ends with Stop
	}()
	f.t.Cleanup(func() {
		n.server.Stop()
		<-served
	})
	f.nodes[id] = n
	f.register(n, discovery.HealthHealthy)
	return n
}

func (f *fleet) register(n *smallNode, health string) {
	f.t.Helper()
	err := f.Register(f.t.Context(), &discovery.ServiceInfo{ID: n.id, Name: "im-service", Address: "127.0.0.1", Port: n.port, Health: health})
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *fleet) deregister(n *smallNode) {
	f.t.Helper()
	if err := f.Deregister(f.t.Context(), n.id); err != nil {
		f.t.Fatal(err)
	}
}

func (f *fleet) services() []*discovery.ServiceInfo {
	f.t.Helper()
	list, err := f.Discover(f.t.Context(), "im-service")
	if err != nil {
		f.t.Fatal(err)
	}
	return list
}

// connect returns a connected client, and what it tells.
func (f *fleet) connect(user string, change ...func(*Config)) (*Client, *events) {
	f.t.Helper()
	ev := &events{connects: make(chan struct{}, 64), disconnects: make(chan error, 64), errors: make(chan error, 64)}
	cfg := &Config{
		UserID: user, Discovery: f, MoveWithin: 100 * time.Millisecond,
		Backoff:      func(int) time.Duration { return 20 * time.Millisecond },
		OnConnect:    func() { ev.connects <- struct{}{} },
		OnDisconnect: func(err error) { ev.disconnects <- err },
		OnError:      func(err error) { ev.errors <- err },
	}
	for _, c := range change {
		c(cfg)
	}
	c, err := NewClient(cfg)
	if err != nil {
		f.t.Fatal(err)
	}
	if err := c.Connect(); err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { c.Disconnect() })
	return c, ev
}

// where is the node that the client is connected to.
func (f *fleet) where(c *Client) string {
	if cn := c.current(); cn != nil {
		return cn.ep.service.ID
	}
	return ""
}

type smallNode struct {
	imv1.UnimplementedIMServiceServer
	id       string
	port     int
	server   *grpc.Server
	draining chan struct{}
	hangs    bool // it does not end its side of a stream; set before the stream is opened

	mu     sync.Mutex
	online map[string]int
	stored map[string]bool // by message_id
	opened int
}

func (n *smallNode) StreamMessages(stream imv1.IMService_StreamMessagesServer) error {
	md, _ := metadata.FromIncomingContext(stream.Context())
	user := first(md, keyUserID)
	n.count(user, 1)
	defer n.count(user, -1)
	n.mu.Lock()
	n.opened++
	session := n.id + "-" + strconv.Itoa(n.opened)
	n.mu.Unlock()
	if err := stream.SendHeader(metadata.Pairs(keySessionID, session, keyResumeTicket, "t", keyResumed, "false")); err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		n.serve(stream)
	}()
	select {
	case <-ended:
		if n.hangs {
			<-stream.Context().Done()
		}
		return nil
	case <-n.draining:
		stream.SetTrailer(metadata.Pairs(keyDisconnectCode, "3000", keyDisconnectReason, "shutdown"))
		return status.Error(codes.Canceled, "shutdown")
	}
}

func (n *smallNode) serve(stream imv1.IMService_StreamMessagesServer) {
	for link := uint64(1); ; link++ {
		req, err := stream.Recv()
		if err != nil {
			return
		}
		answer := &imv1.MessageResponse{Type: req.GetType(), Content: req.GetContent()}
		if req.GetType() == imv1.MessageType_MESSAGE_TYPE_ACK {
			link--
			continue
		}
		if req.GetType() == imv1.MessageType_MESSAGE_TYPE_TEXT {
			n.mu.Lock()
			n.stored[req.GetMessageId()] = true
			n.mu.Unlock()
			answer = ackOf(req, 0, 0)
			answer.MessageId = n.id
		}
		answer.LinkSeq = link
		if err := stream.Send(answer); err != nil {
			return
		}
	}
}

// JoinRoom takes as long as a move does.
func (n *smallNode) JoinRoom(ctx context.Context, req *imv1.JoinRoomRequest) (*imv1.JoinRoomResponse, error) {
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return &imv1.JoinRoomResponse{Status: &imv1.ResponseStatus{}, RoomInfo: &imv1.RoomInfo{RoomId: req.GetRoomId()}}, nil
}

func (n *smallNode) count(user string, by int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.online[user] += by
	if n.online[user] == 0 {
		delete(n.online, user)
	}
}

func (n *smallNode) users() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.online)
}

func (n *smallNode) has(messageID string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.stored[messageID]
}
