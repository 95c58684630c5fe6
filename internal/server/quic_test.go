package server_test

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"github.com/quic-go/quic-go"
	"google.golang.org/protobuf/proto"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/protocol/gateway"
	"github.com/game-im/hermod/internal/realtime/transport"
	"github.com/game-im/hermod/internal/server"
)

// datagrams is a QUIC client that somebody else's library makes.
type datagrams struct {
	t      *testing.T
	conn   *quic.Conn
	stream *quic.Stream
}

// dialQUIC connects, and opens the stream unless the node has hung up by then.
func dialQUIC(t *testing.T, b *bench, protocol string) *datagrams {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, err := quic.DialAddr(ctx, b.quicAddr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{protocol}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseWithError(0, "") }) // it may be closed
	stream, err := conn.OpenStreamSync(ctx)
	if closed, ok := errors.AsType[*quic.ApplicationError](err); err != nil && (!ok || !closed.Remote) {
		t.Fatal(err)
	}
	return &datagrams{t, conn, stream}
}

func (d *datagrams) send(m proto.Message) {
	d.t.Helper()
	body, err := proto.Marshal(m)
	if err != nil {
		d.t.Fatal(err)
	}
	if _, err := d.stream.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...)); err != nil {
		d.t.Fatal(err)
	}
}

// start sends a START and reads the answer.
func (d *datagrams) start(user string) *gatewayv1.ServerPush {
	d.t.Helper()
	payload, err := proto.Marshal(&gatewayv1.StartRequest{Openid: user})
	if err != nil {
		d.t.Fatal(err)
	}
	d.send(&gatewayv1.ClientRequest{MsgId: 1, Type: gatewayv1.RequestType_REQUEST_START, Payload: payload})
	push := &gatewayv1.ServerPush{}
	d.read(push)
	return push
}

func (d *datagrams) read(m proto.Message) {
	d.t.Helper()
	if err := d.stream.SetReadDeadline(time.Now().Add(patience)); err != nil {
		d.t.Fatal(err)
	}
	var head [4]byte
	if _, err := io.ReadFull(d.stream, head[:]); err != nil {
		d.t.Fatal(err)
	}
	body := make([]byte, binary.BigEndian.Uint32(head[:]))
	if _, err := io.ReadFull(d.stream, body); err != nil {
		d.t.Fatal(err)
	}
	if err := proto.Unmarshal(body, m); err != nil {
		d.t.Fatal(err)
	}
}

// closed waits for the end and returns what the node said.
func (d *datagrams) closed() transport.Disconnect {
	d.t.Helper()
	select {
	case <-d.conn.Context().Done():
	case <-time.After(patience):
		d.t.Fatalf("the connection goes on after %v", patience)
	}
	said, ok := errors.AsType[*quic.ApplicationError](context.Cause(d.conn.Context()))
	if !ok || !said.Remote {
		d.t.Fatalf("the node said nothing: %v", context.Cause(d.conn.Context()))
	}
	return transport.ReadWords(uint32(said.ErrorCode), said.ErrorMessage)
}

func TestQUICEndpoint(t *testing.T) {
	t.Parallel()
	b := start(t)
	if u, err := b.quic.Endpoint(); err != nil || u.Scheme != "quic" || u.Host != b.quicAddr || strings.HasSuffix(u.Host, ":0") {
		t.Errorf("the endpoint is %v, %v", u, err)
	}
}

// TestQUICIsOffWithoutAnAddress: as a Kratos server it starts and stops all the same.
func TestQUICIsOffWithoutAnAddress(t *testing.T) {
	t.Parallel()
	b := start(t, conf.Override{Path: "server.quic.addr", Value: ""})
	if u, err := b.quic.Endpoint(); err != nil || u.Host != "" {
		t.Errorf("the endpoint is %v, %v", u, err)
	}
}

func TestAUsedUDPPortIsNamed(t *testing.T) {
	t.Parallel()
	b := start(t)
	c := config(t, conf.Override{Path: "server.quic.addr", Value: b.quicAddr})
	_, _, err := server.NewQUIC(c, server.Streams{}, server.Callers{}, b.ready, server.NewMetrics(), nil)
	if err == nil || !strings.Contains(err.Error(), "server.quic.addr") {
		t.Errorf("got %v", err)
	}
}

// TestQUICWithoutServing: a node that is starting or stopping takes nobody in, and says when to come back.
func TestQUICWithoutServing(t *testing.T) {
	t.Parallel()
	b := start(t)
	for _, protocol := range []string{"gatesvr", "im.v1"} {
		why := dialQUIC(t, b, protocol).closed()
		if why.Code != transport.Shutdown.Code || why.Retry <= 0 {
			t.Errorf("%s: told %+v", protocol, why)
		}
	}
	if n := b.metric(t, "hermod_rpc_refusals_total", "NOT_SERVING"); n != 2 {
		t.Errorf("%v refusals counted, want 2", n)
	}
}

// TestQUICProtocols: who names none that is spoken does not connect.
func TestQUICProtocols(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.ready.SetServing(true)
	_, err := quic.DialAddr(as(t, ""), b.quicAddr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h3"}}, nil)
	if err == nil || !strings.Contains(err.Error(), "no application protocol") {
		t.Errorf("a client of HTTP/3: %v", err)
	}
}

func TestQUICClientsThatSayNothing(t *testing.T) {
	t.Parallel()
	b := start(t, conf.Override{Path: "session.start_timeout", Value: "1s"})
	b.ready.SetServing(true)
	for _, protocol := range []string{"gatesvr", "im.v1"} {
		d := dialQUIC(t, b, protocol) // opens a stream of which the node hears nothing
		if why := d.closed(); why != transport.NotStarted {
			t.Errorf("%s: told %+v", protocol, why)
		}
	}
	await(t, "no connection is counted any more", func() bool { return b.metric(t, "hermod_connections", "quic") == 0 })
}

// TestANewTimeToStartHoldsAtOnce: for whoever connects from then on, whatever he connects by.
func TestANewTimeToStartHoldsAtOnce(t *testing.T) {
	t.Parallel()
	b := start(t, conf.Override{Path: "session.start_timeout", Value: "1h"})
	b.ready.SetServing(true)
	b.gateways.SetConfig(gateway.Config{StartTimeout: 100 * time.Millisecond})
	if why := dialQUIC(t, b, "gatesvr").closed(); why != transport.NotStarted {
		t.Errorf("over QUIC: told %+v", why)
	}
	s := mustDial(t, b, "/im?user-id=alice", nil) // what it speaks its first message tells
	if _, err := s.read(); websocket.CloseStatus(err) != websocket.StatusCode(transport.NotStarted.Code) {
		t.Errorf("over WebSocket: %v", err)
	}
}

// TestQUICRefusals: a client of im.v1 that is not let in is told why.
func TestQUICRefusals(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.ready.SetServing(true)
	hello := imv1.MessageType_MESSAGE_TYPE_HEARTBEAT
	for name, test := range map[string]struct {
		first *imv1.MessageRequest
		code  uint32
		words string
	}{
		"not proven":       {&imv1.MessageRequest{Type: hello, Metadata: map[string]string{"user-id": "refused"}}, 4002, "UNAUTHENTICATED"},
		"no hello":         {&imv1.MessageRequest{Type: imv1.MessageType_MESSAGE_TYPE_TEXT, UserId: "alice"}, 4002, "NOT_STARTED"},
		"a bad number":     {&imv1.MessageRequest{Type: hello, Metadata: map[string]string{"user-id": "alice", "last-link-seq": "x"}}, 4002, "INVALID_ARGUMENT"},
		"a room too many":  {&imv1.MessageRequest{Type: hello, Metadata: map[string]string{"user-id": "alice", "room-id": strings.Repeat("x", 256)}}, 4002, "INVALID_ARGUMENT"},
		"the node panics":  {&imv1.MessageRequest{Type: hello, Metadata: map[string]string{"user-id": "panic"}}, 3004, "internal error"},
		"an empty message": {&imv1.MessageRequest{}, 4002, "NOT_STARTED"},
	} {
		d := dialQUIC(t, b, "im.v1")
		d.send(test.first)
		if why := d.closed(); why.Code != test.code || !strings.Contains(why.Reason, test.words) || strings.Contains(why.Reason, "secret") {
			t.Errorf("%s: told %+v, want %d %s", name, why, test.code, test.words)
		}
	}
	if !strings.Contains(b.log.String(), "a QUIC connection panicked") {
		t.Error("the panic is not in the log")
	}
}

// TestQUICPanics: what panics in a handler ends one connection, and the node serves on.
func TestQUICPanics(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.ready.SetServing(true)
	d := dialQUIC(t, b, "gatesvr")
	payload, err := proto.Marshal(&gatewayv1.StartRequest{Openid: "panic"})
	if err != nil {
		t.Fatal(err)
	}
	d.send(&gatewayv1.ClientRequest{MsgId: 1, Type: gatewayv1.RequestType_REQUEST_START, Payload: payload})
	if why := d.closed(); why.Code != transport.InternalError.Code || strings.Contains(why.Reason, "secret") {
		t.Errorf("told %+v", why)
	}
	if push := dialQUIC(t, b, "gatesvr").start("alice"); push.GetType() != gatewayv1.PushType_PUSH_START_RESP {
		t.Errorf("the next client gets %v", push)
	}
	await(t, "the panic is in the log", func() bool { return strings.Contains(b.log.String(), "a QUIC connection panicked") })
}

// TestQUICDrains: sessions are closed first, as a stop does; the listener then ends and leaves nothing.
func TestQUICDrains(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.ready.SetServing(true)
	var open []*datagrams
	for _, user := range []string{"alice", "bob", "carol"} {
		d := dialQUIC(t, b, "gatesvr")
		d.start(user)
		open = append(open, d)
	}
	if n := b.metric(t, "hermod_connections", "quic"); n != 3 {
		t.Errorf("%v connections are counted", n)
	}
	b.ready.SetServing(false)
	b.node.Drain(t.Context(), 100*time.Millisecond)
	for _, d := range open {
		if why := d.closed(); why.Code != transport.Shutdown.Code || why.Retry <= 0 {
			t.Errorf("told %+v", why)
		}
	}
	if err := b.quic.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if n := b.metric(t, "hermod_connections", "quic"); n != 0 {
		t.Errorf("%v connections are left", n)
	}
	if strings.Contains(b.log.String(), "did not end in time") {
		t.Error("connections whose sessions were closed had to be cut")
	}
}

// TestQUICIsCut: a connection that nobody closes does not keep a node from stopping.
func TestQUICIsCut(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.ready.SetServing(true)
	d := dialQUIC(t, b, "gatesvr")
	d.start("alice")
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // at the deadline of the stop
	if err := b.quic.Stop(ctx); err != nil {
		t.Error(err)
	}
	if why := d.closed(); why != transport.Shutdown {
		t.Errorf("told %+v", why)
	}
}
