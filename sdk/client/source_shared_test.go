package client

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// lend returns a connection to the peer that is not the client's own.
func (p *peer) lend(t *testing.T) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///peer",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return p.listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// connectOver is connect over a lent connection.
func (p *peer) connectOver(t *testing.T, conn *grpc.ClientConn, cfg *Config) (*Client, *peerStream) {
	t.Helper()
	c, err := NewClientWithGRPCAndConfig(imv1.NewIMServiceClient(conn), cfg)
	if err != nil {
		t.Fatal(err)
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

func TestSharedConnectionStaysOpen(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	conn := p.lend(t)
	cfg, ev := p.config()
	cfg.Services = nil
	one, first := p.connectOver(t, conn, cfg)
	other, _ := p.config()
	other.UserID = "bob"
	two, second := p.connectOver(t, conn, other)
	wait(t, ev.connects, "OnConnect")

	p.disconnect(t, one)
	<-first.closed
	if err := wait(t, ev.disconnects, "OnDisconnect"); err != ErrDisconnected {
		t.Errorf("OnDisconnect(%v)", err)
	}
	if one.IsConnected() || !two.IsConnected() || conn.GetState() != connectivity.Ready {
		t.Errorf("one connected %v, two connected %v, the connection %v", one.IsConnected(), two.IsConnected(), conn.GetState())
	}
	out := sendText(t.Context(), two, "a", "still here")
	second.send(t, ackOf(second.recv(t), 1, 1))
	if got := wait(t, out, "Send"); got.err != nil {
		t.Error(got.err)
	}
}

// A stream that breaks is opened again on the same stub, more often than the default of clients
// that own their connections, and callbacks and IsConnected tell the truth.
func TestSharedConnectionReconnects(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	conn := p.lend(t)
	cfg, ev := p.config()
	c, ps := p.connectOver(t, conn, cfg)
	wait(t, ev.connects, "OnConnect")
	ps.end(errLost)
	if err := wait(t, ev.disconnects, "OnDisconnect"); !strings.Contains(err.Error(), errLost.Error()) {
		t.Errorf("OnDisconnect(%v), want the cause", err)
	}
	for range 3 * defaultMaxRetries {
		p.next(t).end(errLost)
		if c.IsConnected() {
			t.Error("connected without a stream")
		}
	}
	ps = p.next(t)
	if first(ps.md, keySessionID) != "s1" {
		t.Error("the session is not resumed")
	}
	ps.accept(t, "s1", true)
	wait(t, ev.connects, "OnConnect")
	if !c.IsConnected() || conn.GetState() != connectivity.Ready {
		t.Errorf("connected %v, the connection is %v", c.IsConnected(), conn.GetState())
	}
}

// follows lends a client a connection, and returns what it is about once its first session has begun.
func follows(t *testing.T) (p *peer, ev *events, c *Client, ps *peerStream) {
	t.Helper()
	p = newPeer(t)
	conn := p.lend(t)
	cfg, ev := p.config()
	cfg.RoomService = imv1.NewRoomServiceClient(conn)
	c, ps = p.connectOver(t, conn, cfg)
	wait(t, ev.connects, "OnConnect")
	return p, ev, c, ps
}

// holds has the peer answer calls of a kind only once answer is closed, and tells of each.
func holds[Request proto.Message](p *peer, resp proto.Message) (asked, answer chan struct{}) {
	asked, answer = make(chan struct{}, 1), make(chan struct{})
	p.onCall(func(_ string, req proto.Message) (proto.Message, error) {
		if _, ok := req.(Request); !ok {
			return nil, nil //nolint:nilnil // the peer answers
		}
		asked <- struct{}{}
		<-answer
		return resp, nil
	})
	return asked, answer
}

func (r *rooms) isBusy(roomID string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.busy[roomID] != nil
}

// TestRoomsCreatedDuringAReconnectAreFollowed: the call goes on when the stream beside it breaks, and may be answered after the next
// session has joined the rooms that were known by then.
func TestRoomsCreatedDuringAReconnectAreFollowed(t *testing.T) {
	t.Parallel()
	p, ev, c, ps := follows(t)
	asked, answer := holds[*imv1.CreateRoomRequest](p, &imv1.CreateRoomResponse{RoomInfo: &imv1.RoomInfo{RoomId: "hall"}})
	created := make(chan error, 1)
	go func() {
		_, err := c.CreateRoom(t.Context(), NewRoom{ID: "hall", Nickname: "Al"})
		created <- err
	}()
	wait(t, asked, "CreateRoom")
	ps.end(errLost)
	p.next(t).accept(t, "s2", false)
	wait(t, ev.connects, "OnConnect") // comes after the rooms were joined
	close(answer)
	if err := wait(t, created, "the room"); err != nil {
		t.Fatal(err)
	}
	if join := wait(t, p.joins, "a join"); join.GetRoomId() != "hall" || join.GetMetadata()["nickname"] != "Al" {
		t.Errorf("joined %v", join)
	}
}

// TestRoomsDeletedDuringAReconnectStayDeleted: to join them would make them anew.
func TestRoomsDeletedDuringAReconnectStayDeleted(t *testing.T) {
	t.Parallel()
	p, ev, c, ps := follows(t)
	c.joined.add("hall", nil)
	asked, answer := holds[*imv1.DeleteRoomRequest](p, &imv1.DeleteRoomResponse{})
	deleted := make(chan error, 1)
	go func() { deleted <- c.DeleteRoom(t.Context(), "hall") }()
	wait(t, asked, "DeleteRoom")
	ps.end(errLost)
	p.next(t).accept(t, "s2", false)
	eventually(t, func() bool { // the rooms are being joined: this one is, or OnConnect waits behind one that may not be
		return len(p.joins) > 0 || c.joined.isBusy("hall") && c.queue.length() > 0
	})
	close(answer)
	if err := wait(t, deleted, "DeleteRoom"); err != nil {
		t.Fatal(err)
	}
	wait(t, ev.connects, "OnConnect") // comes after the rooms were joined
	if len(p.joins) > 0 {
		t.Errorf("joined %v", <-p.joins)
	}
}

func TestSharedConnectionHonoursMaxRetries(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, ev := p.config()
	cfg.MaxRetries = 1
	c, ps := p.connectOver(t, p.lend(t), cfg)
	ps.end(errLost)
	p.next(t).end(errLost)
	wait(t, ev.errors, "the loss")
	wait(t, ev.errors, "the attempt")
	if err := wait(t, ev.errors, "giving up"); !errors.Is(err, ErrGaveUp) || c.alive() {
		t.Errorf("OnError(%v)", err)
	}
}

// What the owner does to his connection is told as any other loss.
func TestSharedConnectionClosedByItsOwner(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	conn := p.lend(t)
	cfg, ev := p.config()
	c, _ := p.connectOver(t, conn, cfg)
	conn.Close()
	if err := wait(t, ev.disconnects, "OnDisconnect"); status.Convert(err).Message() == "" {
		t.Errorf("OnDisconnect(%v)", err)
	}
	p.disconnect(t, c)
}

func TestSharedConnectionNeedsStubAndUser(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	stub := imv1.NewIMServiceClient(p.lend(t))
	if _, err := NewClientWithGRPC(nil, "alice"); err == nil || !strings.Contains(err.Error(), "IMServiceClient") {
		t.Errorf("no stub: %v", err)
	}
	if _, err := NewClientWithGRPC(stub, ""); err == nil || !strings.Contains(err.Error(), "UserID") {
		t.Errorf("no user: %v", err)
	}
	if _, err := NewClientWithGRPCAndConfig(stub, nil); err == nil || !strings.Contains(err.Error(), "Config") {
		t.Errorf("no Config: %v", err)
	}
	c, err := NewClientWithGRPC(stub, "alice")
	if err != nil {
		t.Fatal(err)
	}
	c.SetServices(instances(1)) // is no way to take a client off its connection
	connected := make(chan error, 1)
	go func() { connected <- c.Connect() }()
	ps := p.next(t).accept(t, "s1", false)
	if err := wait(t, connected, "Connect"); err != nil || first(ps.md, keyUserID) != "alice" {
		t.Errorf("Connect: %v, metadata %v", err, ps.md)
	}
	p.disconnect(t, c)
}

// A call that is under way when Disconnect is called ends at once, although nobody closes the
// connection that it runs on.
func TestDisconnectEndsCalls(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, _ := p.config()
	c, _ := p.connectOver(t, p.lend(t), cfg)
	called := make(chan error, 1)
	go func() {
		_, err := c.JoinRoom("slow", nil)
		called <- err
	}()
	wait(t, p.joins, "the call")
	p.disconnect(t, c)
	if err := wait(t, called, "JoinRoom"); !errors.Is(err, ErrDisconnected) {
		t.Errorf("JoinRoom: %v", err)
	}
}

// A call that its connection takes with it says so, and why.
func TestCallsSayThatTheConnectionWasLost(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, _ := p.config()
	c, ps := p.connect(t, cfg)
	called := make(chan error, 1)
	go func() {
		_, err := c.JoinRoom("slow", nil)
		called <- err
	}()
	wait(t, p.joins, "the call")
	ps.end(nil, keyDisconnectCode, "3001", keyDisconnectReason, "shutdown")
	err := wait(t, called, "JoinRoom")
	if closed, ok := errors.AsType[*DisconnectError](err); !ok || closed.Reason != "shutdown" {
		t.Errorf("JoinRoom: %v", err)
	}
	p.next(t).accept(t, "s1", true)
}

func TestContextsEndWhatTheyAreGivenTo(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, _ := p.config()
	c, err := NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	connected := make(chan error, 2)
	go func() { connected <- c.ConnectContext(ctx) }()
	p.next(t) // and no answer
	late, done := context.WithTimeout(t.Context(), time.Millisecond)
	defer done()
	if err := c.ConnectContext(late); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a second ConnectContext: %v", err)
	}
	cancel()
	if err := wait(t, connected, "ConnectContext"); !errors.Is(err, context.Canceled) {
		t.Errorf("ConnectContext: %v", err)
	}

	ctx, cancel = context.WithCancel(t.Context())
	go func() { connected <- c.ConnectContext(ctx) }()
	ps := p.next(t).accept(t, "s1", false)
	if err := wait(t, connected, "ConnectContext"); err != nil {
		t.Fatal(err)
	}
	cancel() // has no effect on the session
	out := sendText(t.Context(), c, "a", "x")
	ps.send(t, ackOf(ps.recv(t), 1, 1))
	if got := wait(t, out, "Send"); got.err != nil {
		t.Error(got.err)
	}
	slow, done := context.WithTimeout(t.Context(), time.Second) // in which the call arrives
	defer done()
	if _, err := c.JoinRoomContext(slow, "slow", nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("JoinRoomContext: %v", err)
	}
	wait(t, p.joins, "the call")
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.LeaveRoomContext(canceled, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("LeaveRoomContext: %v", err)
	}
	if _, err := c.GetRoomInfoContext(canceled, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("GetRoomInfoContext: %v", err)
	}
	if err := c.SendTextMessageContext(canceled, "a", "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("SendTextMessageContext: %v", err)
	}
	p.disconnect(t, c)
}
