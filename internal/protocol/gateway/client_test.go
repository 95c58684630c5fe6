package gateway_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/protocol/gateway"
	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/node"
	"github.com/game-im/hermod/internal/realtime/presence"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/realtime/transport"
)

// bench is a handler on a node in a synctest bubble.
type bench struct {
	t       *testing.T
	node    *node.Node
	pushes  *biz.Pushes
	inbox   *inbox
	handler *gateway.Handler
}

// inbox keeps pushes in memory.
type inbox struct {
	mu    sync.Mutex
	kept  []*biz.Push
	acked int64
}

func (i *inbox) Store(_ context.Context, _ biz.UserID, p *biz.Push, _ time.Time, _ biz.InboxLimits) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	p.InboxSeq = int64(len(i.kept) + 1)
	i.kept = append(i.kept, p)
	return nil
}

func (i *inbox) Page(_ context.Context, _ biz.UserID, after int64, _ int) ([]*biz.Push, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append([]*biz.Push(nil), i.kept[min(max(after, i.acked), int64(len(i.kept))):]...), nil
}

func (i *inbox) Ack(_ biz.UserID, seq int64) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.acked = max(i.acked, seq)
}

func (i *inbox) Missed(biz.UserID, int64) {}

func (i *inbox) State(context.Context, biz.UserID) (biz.InboxState, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return biz.InboxState{Last: int64(len(i.kept))}, nil
}

// proofs believes everybody but those who bring the token "bad".
type proofs struct{}

func (proofs) Prove(_ context.Context, token string, user biz.UserID, device biz.DeviceID) (biz.Identity, error) {
	if token == "bad" {
		return biz.Identity{}, biz.Errorf(biz.KindUnauthenticated, "UNAUTHENTICATED", "a bad token")
	}
	return biz.Identity{User: user, Device: device, Trusted: true}, nil
}

func (proofs) Refresh(_ context.Context, held biz.Identity, token string) (biz.Identity, error) {
	if token != "good" {
		return biz.Identity{}, biz.Errorf(biz.KindUnauthenticated, "UNAUTHENTICATED", "a bad token")
	}
	held.Expiry = time.Now().Add(time.Hour)
	return held, nil
}

var config = gateway.Config{
	Heartbeat: 30 * time.Second, StartTimeout: time.Minute, RequestTimeout: time.Minute,
	MaxRequests: 3, SendBurst: 100, Devices: gateway.Replace, MaxDevices: 2,
}

func run(t *testing.T, cfg gateway.Config, up biz.Upstream, test func(t *testing.T, b *bench)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		quiet := slog.New(slog.DiscardHandler)
		core := session.NewCore(session.Config{
			QueueBytes: 1 << 20, ResumeWindow: time.Minute, StallTimeout: time.Hour, ExpiryGrace: 30 * time.Second,
			AckTimeout: 15 * time.Second, MaxResends: 2, BoundFor: config.RequestTimeout,
		}, quiet)
		b := &bench{t: t, inbox: &inbox{}, node: node.New(core, broker.NewMemory(), presence.New(0))}
		b.pushes = biz.NewPushes(protocol.NewPusher(b.node), b.inbox, nil,
			biz.PushRules{MaxBytes: 1000, MaxTargets: 9, InboxTTL: time.Hour, Inbox: biz.InboxLimits{Pushes: 9, Bytes: 1 << 20}})
		b.handler = gateway.NewHandler(b.node, b.pushes, up, nil, proofs{}, cfg, quiet)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- b.node.Run(ctx) }()
		test(t, b)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

var errLost = errors.New("the network is gone")

// client is a connection in memory with the program at its other end. It acknowledges when told to.
type client struct {
	t      *testing.T
	json   bool
	in     chan []byte
	gone   chan struct{}
	goOnce sync.Once
	result chan error // of Serve
	msgID  uint32
	seq    uint64

	mu  sync.Mutex
	got []*gatewayv1.ServerPush
	why *transport.Disconnect
}

func (c *client) Read() ([]byte, error) {
	select {
	case data, ok := <-c.in:
		if !ok {
			return nil, io.EOF
		}
		return data, nil
	case <-c.gone:
		return nil, errLost
	}
}

// Write implements transport.Conn: every frame must be a ServerPush of the connection's format.
func (c *client) Write(out []transport.Outgoing) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.why != nil {
		return errLost
	}
	for _, o := range out {
		push := &gatewayv1.ServerPush{}
		var err error
		if c.json {
			err = protojson.Unmarshal(append(gateway.JSON.Number(nil, o.Link), o.Frame.Body()...), push)
		} else {
			err = proto.Unmarshal(append(gateway.Proto.Number(nil, o.Link), o.Frame.Body()...), push)
		}
		if err != nil || push.GetSeqId() != o.Link {
			c.t.Errorf("frame %d is %v, %v", o.Link, push, err)
		}
		c.got = append(c.got, push)
	}
	return nil
}

func (c *client) Close(why transport.Disconnect) {
	c.mu.Lock()
	if c.why == nil {
		c.why = &why
	}
	c.mu.Unlock()
	c.lose()
}

func (c *client) lose() { c.goOnce.Do(func() { close(c.gone) }) }

// drop loses the connection and waits until the node has noticed.
func (c *client) drop() {
	c.Close(transport.ConnLost)
	synctest.Wait()
}

func (c *client) closed() uint32 {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.why == nil {
		return 0
	}
	return c.why.Code
}

// take returns what was written since the last time.
func (c *client) take() []*gatewayv1.ServerPush {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	got := c.got
	c.got = nil
	return got
}

// one returns the one frame that was written since the last time.
func (c *client) one() *gatewayv1.ServerPush {
	c.t.Helper()
	got := c.take()
	if len(got) != 1 {
		c.t.Fatalf("got %d frames, want one: %v", len(got), got)
	}
	return got[0]
}

func (b *bench) dial(f *frame.Format) *client {
	c := &client{t: b.t, json: f == gateway.JSON, in: make(chan []byte), gone: make(chan struct{}), result: make(chan error, 1)}
	go func() {
		c.result <- b.handler.Serve(b.t.Context(), c, gateway.Opening{Format: f, Transport: "test"})
	}()
	return c
}

func (c *client) marshal(m proto.Message) []byte {
	data, err := proto.Marshal(m)
	if c.json {
		data, err = protojson.Marshal(m)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	return data
}

func (c *client) raw(data []byte) {
	select {
	case c.in <- data:
	case <-c.gone:
	}
}

func (c *client) send(kind gatewayv1.RequestType, seq uint64, payload proto.Message) {
	id := uint32(0)
	if kind != gatewayv1.RequestType_REQUEST_ACK {
		c.msgID++
		id = c.msgID
	}
	c.raw(c.marshal(&gatewayv1.ClientRequest{MsgId: id, SeqId: seq, Type: kind, Payload: c.marshal(payload)}))
}

func (c *client) start(r *gatewayv1.StartRequest) { c.send(gatewayv1.RequestType_REQUEST_START, 0, r) }

func (c *client) ack(seq uint64) {
	c.send(gatewayv1.RequestType_REQUEST_ACK, 0, &gatewayv1.ClientAck{AckedSeqId: seq})
	synctest.Wait()
}

// ask sends a business request with the next number.
func (c *client) ask(action string, data string, params ...string) {
	c.seq++
	ask := &gatewayv1.BusinessRequest{Action: action, Data: []byte(data), Params: map[string]string{}}
	for i := 0; i < len(params); i += 2 {
		ask.Params[params[i]] = params[i+1]
	}
	c.send(gatewayv1.RequestType_REQUEST_BUSINESS, c.seq, ask)
}

func body[T proto.Message](c *client, p *gatewayv1.ServerPush, into T) T {
	c.t.Helper()
	err := proto.Unmarshal(p.GetPayload(), into)
	if c.json {
		err = protojson.Unmarshal(p.GetPayload(), into)
	}
	if err != nil {
		c.t.Fatalf("the payload of %v: %v", p, err)
	}
	return into
}

// show puts a frame in a few words: its number, what it is and what it says.
func (c *client) show(p *gatewayv1.ServerPush) string {
	c.t.Helper()
	head := fmt.Sprintf("%d ", p.GetSeqId())
	switch p.GetType() {
	case gatewayv1.PushType_PUSH_START_RESP:
		if r := body(c, p, &gatewayv1.StartResponse{}); !r.GetSuccess() {
			return head + fmt.Sprintf("refused %d %s", r.GetError().GetErrorCode(), r.GetError().GetDetail())
		}
		return head + "started"
	case gatewayv1.PushType_PUSH_HEARTBEAT_RESP:
		return head + fmt.Sprintf("heartbeat %d", body(c, p, &gatewayv1.HeartbeatResponse{}).GetClientTimestamp())
	case gatewayv1.PushType_PUSH_BUSINESS_DATA:
		r := body(c, p, &gatewayv1.BusinessResponse{})
		return head + fmt.Sprintf("%d %s|%s", r.GetCode(), r.GetMessage(), r.GetData())
	case gatewayv1.PushType_PUSH_ERROR:
		e := body(c, p, &gatewayv1.ErrorMessage{})
		return head + fmt.Sprintf("error %d %s", e.GetErrorCode(), e.GetDetail())
	}
	return head + "unknown"
}

// want compares what was written since the last time.
func (c *client) want(texts ...string) {
	c.t.Helper()
	got := []string{}
	for _, p := range c.take() {
		got = append(got, c.show(p))
	}
	if fmt.Sprint(got) != fmt.Sprint(texts) {
		c.t.Fatalf("got  %q\nwant %q", got, texts)
	}
}

// started starts a session and returns what the client has to know of it.
func (c *client) started(r *gatewayv1.StartRequest) (id, ticket string, headers map[string]string) {
	c.t.Helper()
	c.start(r)
	p := c.one()
	resp := body(c, p, &gatewayv1.StartResponse{})
	if !resp.GetSuccess() {
		c.t.Fatalf("refused: %v", resp)
	}
	return resp.GetConnectionId(), p.GetHeaders()["resume-ticket"], p.GetHeaders()
}

// login is started and hello, both acknowledged.
func (c *client) login(r *gatewayv1.StartRequest) (id, ticket string) {
	c.t.Helper()
	id, ticket, _ = c.started(r)
	c.ask("hello", "")
	if p := c.one(); c.show(p) != "2 200 welcome, "+r.GetOpenid()+"|" {
		c.t.Fatalf("hello: %s", c.show(p))
	}
	c.ack(2)
	return id, ticket
}

func (b *bench) push(kind, id, title string) biz.PushResult {
	b.t.Helper()
	return b.pushes.Push(b.t.Context(), biz.Target{Type: kind, ID: id}, &biz.Push{MsgType: "m", Title: title, Data: []byte("d"), Content: "c"}, biz.PushOptions{})
}
