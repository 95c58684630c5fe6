package e2e

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"io"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
	"google.golang.org/protobuf/proto"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
)

// gatesvr is a client as the published one of the old gateway is: QUIC with ALPN gatesvr, any
// certificate, frames with their length in front, and an ACK for each frame that comes.
type gatesvr struct {
	t      *testing.T
	conn   *quic.Conn
	stream *quic.Stream
	msgID  uint32
	seq    uint64 // of the last business request
	acked  uint64
}

func dialGatesvr(t *testing.T, addr string) *gatesvr {
	t.Helper()
	conn, err := quic.DialAddr(within(t), addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"gatesvr"}}, &quic.Config{MaxIdleTimeout: 30 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	stream, err := conn.OpenStreamSync(within(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseWithError(0, "") }) // it may be closed
	return &gatesvr{t: t, conn: conn, stream: stream}
}

func (g *gatesvr) write(r *gatewayv1.ClientRequest) {
	g.t.Helper()
	body, err := proto.Marshal(r)
	if err != nil {
		g.t.Fatal(err)
	}
	if _, err := g.stream.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)); err != nil {
		g.t.Fatal(err)
	}
}

func (g *gatesvr) read() *gatewayv1.ServerPush {
	g.t.Helper()
	if err := g.stream.SetReadDeadline(time.Now().Add(patience)); err != nil {
		g.t.Fatal(err)
	}
	var head [4]byte
	if _, err := io.ReadFull(g.stream, head[:]); err != nil {
		g.t.Fatal(err)
	}
	body := make([]byte, binary.BigEndian.Uint32(head[:]))
	if _, err := io.ReadFull(g.stream, body); err != nil {
		g.t.Fatal(err)
	}
	push := &gatewayv1.ServerPush{}
	if err := proto.Unmarshal(body, push); err != nil {
		g.t.Fatal(err)
	}
	return push
}

// next reads a frame, which must be the next one, and acknowledges it.
func (g *gatesvr) next() *gatewayv1.ServerPush {
	g.t.Helper()
	push := g.read()
	if push.GetSeqId() != g.acked+1 {
		g.t.Fatalf("frame %d after %d", push.GetSeqId(), g.acked)
	}
	g.acked = push.GetSeqId()
	g.request(gatewayv1.RequestType_REQUEST_ACK, 0, &gatewayv1.ClientAck{AckedSeqId: g.acked})
	return push
}

func (g *gatesvr) request(kind gatewayv1.RequestType, seq uint64, m proto.Message) uint32 {
	g.t.Helper()
	payload, err := proto.Marshal(m)
	if err != nil {
		g.t.Fatal(err)
	}
	id := uint32(0)
	if kind != gatewayv1.RequestType_REQUEST_ACK {
		g.msgID++
		id = g.msgID
	}
	g.write(&gatewayv1.ClientRequest{MsgId: id, SeqId: seq, Type: kind, Payload: payload})
	return id
}

func (g *gatesvr) start(openid string) {
	g.t.Helper()
	g.request(gatewayv1.RequestType_REQUEST_START, 0, &gatewayv1.StartRequest{Openid: openid, AuthToken: "default-token", LastAckedSeqId: g.acked})
}

func (g *gatesvr) business(action string, data string) uint32 {
	g.t.Helper()
	g.seq++
	return g.request(gatewayv1.RequestType_REQUEST_BUSINESS, g.seq, &gatewayv1.BusinessRequest{Action: action, Data: []byte(data)})
}

// answer is the next frame as a business response to a request; 0: a push.
func (g *gatesvr) answer(id uint32) *gatewayv1.BusinessResponse {
	g.t.Helper()
	push, resp := g.next(), &gatewayv1.BusinessResponse{}
	if push.GetMsgId() != id || push.GetType() != gatewayv1.PushType_PUSH_BUSINESS_DATA {
		g.t.Fatalf("%v is no answer to %d", push, id)
	}
	if err := proto.Unmarshal(push.GetPayload(), resp); err != nil {
		g.t.Fatal(err)
	}
	return resp
}

// TestGatesvrClient: the published client of the old gateway logs in, is answered, gets pushes, also one
// from before its login, and comes back without losing any.
func TestGatesvrClient(t *testing.T) {
	t.Parallel()
	addr := freeAddr(t)
	n := Start(t, "", "-quic", addr)
	g := dialGatesvr(t, addr)
	g.start("10001")
	started, resp := g.next(), &gatewayv1.StartResponse{}
	if err := proto.Unmarshal(started.GetPayload(), resp); err != nil || !resp.GetSuccess() || started.GetMsgId() != 1 {
		t.Fatalf("%v %v, %v", started, resp, err)
	}
	pushed := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_, err := n.Pushes().PushToClient(ctx, &gatewayv1.UnicastPushRequest{TargetType: "openid", TargetId: "10001", MsgType: "early", Data: []byte("early")})
		pushed <- err
	}()
	if err := <-pushed; err != nil {
		t.Fatal(err)
	}
	if r := g.answer(g.business("hello", "")); r.GetCode() != 200 {
		t.Errorf("hello: %v", r)
	}
	if r := g.answer(0); string(r.GetData()) != "early" {
		t.Errorf("the push from before the login: %v", r)
	}
	if r := g.answer(g.business("echo", "x")); string(r.GetData()) != "Echo: x" {
		t.Errorf("echo: %v", r)
	}
	g.request(gatewayv1.RequestType_REQUEST_HEARTBEAT, 0, &gatewayv1.HeartbeatRequest{ClientTimestamp: 1})
	if push := g.next(); push.GetType() != gatewayv1.PushType_PUSH_HEARTBEAT_RESP {
		t.Errorf("heartbeat: %v", push)
	}
	push := func(kind, id, text string) {
		t.Helper()
		r, err := n.Pushes().PushToClient(within(t), &gatewayv1.UnicastPushRequest{TargetType: kind, TargetId: id, MsgType: "mail", Data: []byte(text)})
		if err != nil || !r.GetSuccess() {
			t.Errorf("push to %s: %v, %v", kind, r, err)
		}
	}
	push("openid", "10001", "by openid")
	push("session", resp.GetConnectionId(), "by session")
	for _, want := range []string{"by openid", "by session"} {
		if r := g.answer(0); string(r.GetData()) != want {
			t.Errorf("got %v, want %s", r, want)
		}
	}

	// It goes away as it does, with code 0, and two pushes have no acknowledgment.
	_ = g.conn.CloseWithError(0, "client disconnect")
	push("openid", "10001", "away 1")
	push("openid", "10001", "away 2")
	back := dialGatesvr(t, addr)
	back.acked, back.seq, back.msgID = g.acked, g.seq, g.msgID
	back.start("10001")
	var got []string
	for len(got) < 2 {
		frame, r := back.next(), &gatewayv1.BusinessResponse{}
		if frame.GetMsgId() != 0 {
			continue // START_RESP
		}
		if err := proto.Unmarshal(frame.GetPayload(), r); err != nil {
			t.Fatal(err)
		}
		got = append(got, string(r.GetData()))
	}
	if got[0] != "away 1" || got[1] != "away 2" {
		t.Errorf("got %q", got)
	}
	back.request(gatewayv1.RequestType_REQUEST_STOP, 0, &gatewayv1.StopRequest{})
}
