package server_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/realtime/transport"
)

// The tests' advice: three seconds, and what is random about it.
var retryAfter = conf.Override{Path: "overload.retry_after", Value: "3s"}

func wantAdvice(t *testing.T, what string, retry time.Duration) {
	t.Helper()
	if retry < 1500*time.Millisecond || retry > 4500*time.Millisecond {
		t.Errorf("%s: advised to wait %v", what, retry)
	}
}

// wantRetryInfo checks that gRPC's own detail has the advice.
func wantRetryInfo(t *testing.T, err error) {
	t.Helper()
	for _, d := range status.Convert(err).Details() {
		if info, ok := d.(*errdetails.RetryInfo); ok {
			wantAdvice(t, "gRPC", info.GetRetryDelay().AsDuration())
			return
		}
	}
	t.Errorf("%v has no RetryInfo", err)
}

// wantBusyPage checks the answer to a WebSocket's request.
func wantBusyPage(t *testing.T, b *bench, path string) {
	t.Helper()
	_, resp, err := dialSocket(t, b, path, nil) //nolint:bodyclose // the library has closed it
	if err == nil || resp == nil {
		t.Fatalf("%s: got %v, %v", path, resp, err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	if resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(string(body), "OVERLOADED") || err != nil {
		t.Errorf("%s: %d %v %s", path, resp.StatusCode, resp.Header, body)
	}
	if seconds < 2 || seconds > 5 { // rounded up
		t.Errorf("%s: Retry-After %d", path, seconds)
	}
}

// TestStreamsOfNobodyTakePlaces: those that need no token and have no end count as others do.
func TestStreamsOfNobodyTakePlaces(t *testing.T) {
	t.Parallel()
	b := start(t, retryAfter, conf.Override{Path: "overload.max_connections", Value: "1"})
	b.ready.SetServing(true)
	watch := func() (healthpb.Health_WatchClient, context.CancelFunc) {
		ctx, cancel := context.WithCancel(as(t, ""))
		stream, err := healthpb.NewHealthClient(b.im).Watch(ctx, &healthpb.HealthCheckRequest{})
		if err != nil {
			t.Fatal(err)
		}
		return stream, cancel
	}
	first, leave := watch()
	if _, err := first.Recv(); err != nil {
		t.Fatal(err)
	}
	second, cancel := watch()
	defer cancel()
	_, err := second.Recv()
	wantRefused(t, err, codes.Unavailable, "OVERLOADED")
	wantRetryInfo(t, err)
	leave()
	await(t, "room when it has left", func() bool {
		third, cancel := watch()
		defer cancel()
		_, err := third.Recv()
		return err == nil
	})
}

// TestOneConnectionTooMany: whoever is refused for the number of connections is told so in the way of
// his transport, with a code that invites him back and advice when; and there is room again when
// somebody leaves.
func TestOneConnectionTooMany(t *testing.T) {
	t.Parallel()
	b := start(t, retryAfter, conf.Override{Path: "overload.max_connections", Value: "1"})
	b.ready.SetServing(true)
	first := open(t, b, "alice")
	exchange(t, first)

	_, err := open(t, b, "bob").Recv()
	wantRefused(t, err, codes.Unavailable, "OVERLOADED")
	wantRetryInfo(t, err)
	stream, err := gatewayv1.NewClientServiceClient(b.im).Connect(as(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	_, err = stream.Recv()
	wantRefused(t, err, codes.Unavailable, "OVERLOADED")
	wantRetryInfo(t, err)
	wantBusyPage(t, b, "/im?user-id=bob")
	wantBusyPage(t, b, "/ws")
	why := dialQUIC(t, b, "gatesvr").closed()
	if why.Code != 503 || why.Reason != "server overloaded" {
		t.Errorf("QUIC: told %+v", why)
	}
	wantAdvice(t, "QUIC", why.Retry)
	why = dialQUIC(t, b, "im.v1").closed()
	if why.Code != transport.Overloaded.Code || !why.Reconnect() {
		t.Errorf("QUIC: told %+v", why)
	}
	wantAdvice(t, "QUIC", why.Retry)
	exchange(t, first) // who is in, notices nothing

	if n := b.metric(t, "hermod_overload_refusals_total", "connections"); n != 6 {
		t.Errorf("%v refusals counted, want 6", n)
	}
	if n := strings.Count(b.log.String(), "level=WARN"); n != 1 {
		t.Errorf("logged %d times:\n%s", n, b.log)
	}
	if err := first.CloseSend(); err != nil {
		t.Fatal(err)
	}
	await(t, "the place is free", func() bool { return b.metric(t, "hermod_overload_connections") == 0 })
	socket := mustDial(t, b, "/im?user-id=carol", []string{"im.v1.proto"})
	wantBusyPage(t, b, "/im?user-id=dave")
	_ = socket.conn.CloseNow() // it is not the close that is tried
	await(t, "the place is free", func() bool { return b.metric(t, "hermod_overload_connections") == 0 })
	dialQUIC(t, b, "gatesvr").start("erin")
}

// TestRefusedClientsTakeNoPlace: whatever it is for which somebody is turned away, the place is free again.
func TestRefusedClientsTakeNoPlace(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.ready.SetServing(true)
	for range 3 {
		_, err := open(t, b, "refused").Recv()
		wantRefused(t, err, codes.Unauthenticated, "UNAUTHENTICATED")
		if _, err := open(t, b, "panic").Recv(); err == nil {
			t.Error("a panic is no refusal")
		}
		for _, path := range []string{"/im?user-id=refused", "/im?user-id=panic", "/im?user-id=alice&last-link-seq=x"} {
			if _, _, err := dialSocket(t, b, path, nil); err == nil { //nolint:bodyclose // the library has closed it
				t.Errorf("%s is let in", path)
			}
		}
		if _, _, err := dialSocket(t, b, "/im?user-id=alice", []string{"mqtt"}); err == nil { //nolint:bodyclose // the library has closed it
			t.Error("another protocol is let in")
		}
		d := dialQUIC(t, b, "im.v1")
		d.send(&imv1.MessageRequest{Type: imv1.MessageType_MESSAGE_TYPE_HEARTBEAT, Metadata: map[string]string{"user-id": "refused"}})
		d.closed()
	}
	await(t, "all places are free", func() bool { return b.metric(t, "hermod_overload_connections") == 0 })
}

func TestOneQUICConnectionTooMany(t *testing.T) {
	t.Parallel()
	b := start(t, retryAfter, conf.Override{Path: "server.quic.max_connections", Value: "1"})
	b.ready.SetServing(true)
	first := dialQUIC(t, b, "gatesvr")
	first.start("alice")
	if why := dialQUIC(t, b, "gatesvr").closed(); why.Code != 503 {
		t.Errorf("told %+v", why)
	}
	exchange(t, open(t, b, "bob")) // of another listener
	_ = first.conn.CloseWithError(0, "")
	await(t, "the place is free", func() bool { return b.metric(t, "hermod_connections", "quic") == 0 })
	dialQUIC(t, b, "gatesvr").start("carol")
}

func TestOneConnectionTooManyOfAnAddress(t *testing.T) {
	t.Parallel()
	b := start(t, retryAfter, conf.Override{Path: "overload.max_connections_per_address", Value: "2"})
	b.ready.SetServing(true)
	exchange(t, open(t, b, "alice"))
	mustDial(t, b, "/im?user-id=bob", []string{"im.v1.proto"})
	if why := dialQUIC(t, b, "gatesvr").closed(); why.Code != 503 {
		t.Errorf("told %+v", why)
	}
	if n := b.metric(t, "hermod_overload_refusals_total", "connections_per_address"); n != 1 {
		t.Errorf("%v refusals counted, want 1", n)
	}
}

// TestSocketsAreBounded: connections that say nothing do not use up the files of the process.
func TestSocketsAreBounded(t *testing.T) {
	t.Parallel()
	b := start(t, conf.Override{Path: "overload.max_connections", Value: "8"})
	b.ready.SetServing(true)
	const room = 8 + 1 + 256
	var idle []net.Conn
	for range room {
		conn, err := net.Dial("tcp", b.imAddr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() }) // may be closed already
		idle = append(idle, conn)
	}
	await(t, "all are accepted", func() bool { return b.metric(t, "hermod_connections", "im") == room })
	conn, err := net.Dial("tcp", b.imAddr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if n, err := conn.Read(make([]byte, 1)); err == nil || errors.Is(err, net.ErrClosed) || isTimeout(err) {
		t.Errorf("one too many reads %d, %v", n, err)
	}
	if n := b.metric(t, "hermod_overload_refusals_total", "sockets"); n != 1 {
		t.Errorf("%v refusals counted, want 1", n)
	}
	_ = idle[0].Close()
	await(t, "there is room again", func() bool { return b.metric(t, "hermod_connections", "im") < room })
	exchange(t, open(t, b, "alice"))
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}

// TestOneRequestTooMany: sessions that open, business requests and messages are refused beyond the node's
// rate in the way of their protocol, and heartbeats are not.
func TestOneRequestTooMany(t *testing.T) {
	t.Parallel()
	b := start(t, retryAfter, conf.Override{Path: "overload.requests_per_second", Value: "1"}, conf.Override{Path: "overload.request_burst", Value: "2"})
	b.ready.SetServing(true)
	stream := open(t, b, "alice", "room-id", "r", "capabilities", "ack")
	exchange(t, stream)
	d := dialQUIC(t, b, "gatesvr")
	if push := d.start("10001"); push.GetType() != gatewayv1.PushType_PUSH_START_RESP || len(push.GetHeaders()) == 0 {
		t.Fatalf("START: %v", push)
	}
	// One more comes in a second, which nobody waits for: one of several is refused.
	refusals := func(ask func() (refused bool, advice string)) {
		t.Helper()
		refused := false
		for range 10 {
			no, advice := ask()
			if !no {
				continue
			}
			refused = true
			ms, err := strconv.Atoi(advice)
			if err != nil {
				t.Errorf("the advice is %q", advice)
			}
			wantAdvice(t, "a frame", time.Duration(ms)*time.Millisecond)
			break
		}
		if !refused {
			t.Error("ten requests were taken at once")
		}
	}
	t.Run("a message", func(*testing.T) {
		refusals(func() (bool, string) {
			if err := stream.Send(&imv1.MessageRequest{MessageId: "1", RoomId: "r", UserId: "alice", Type: imv1.MessageType_MESSAGE_TYPE_TEXT, Content: []byte("x")}); err != nil {
				t.Fatal(err)
			}
			m, err := stream.Recv()
			if err != nil {
				t.Fatal(err)
			}
			return m.GetMetadata()["reason"] == "OVERLOADED", m.GetMetadata()["retry-after-ms"]
		})
	})
	t.Run("a business request", func(*testing.T) {
		var seq uint64
		refusals(func() (bool, string) {
			seq++
			payload, err := proto.Marshal(&gatewayv1.BusinessRequest{Action: "hello"})
			if err != nil {
				t.Fatal(err)
			}
			d.send(&gatewayv1.ClientRequest{MsgId: 7, SeqId: seq, Type: gatewayv1.RequestType_REQUEST_BUSINESS, Payload: payload})
			push, wrong := &gatewayv1.ServerPush{}, &gatewayv1.ErrorMessage{}
			d.read(push)
			if push.GetType() != gatewayv1.PushType_PUSH_ERROR {
				return false, ""
			}
			if err := proto.Unmarshal(push.GetPayload(), wrong); err != nil || wrong.GetErrorCode() != 503 || wrong.GetDetail() != "OVERLOADED" {
				t.Errorf("ERROR %v, %v", wrong, err)
			}
			return true, push.GetHeaders()["retry-after-ms"]
		})
	})
	t.Run("a START", func(*testing.T) {
		refusals(func() (bool, string) {
			push, resp := dialQUIC(t, b, "gatesvr").start("10002"), &gatewayv1.StartResponse{}
			if err := proto.Unmarshal(push.GetPayload(), resp); err != nil {
				t.Fatal(err)
			}
			if !resp.GetSuccess() && resp.GetError().GetErrorCode() != 503 {
				t.Errorf("START_RESP %v", resp)
			}
			return !resp.GetSuccess(), push.GetHeaders()["retry-after-ms"]
		})
	})
	t.Run("a stream", func(t *testing.T) {
		var errs []error
		for range 10 {
			s := open(t, b, "bob")
			if _, err := s.Header(); err != nil {
				errs = append(errs, err)
			} else if err := s.CloseSend(); err != nil {
				t.Fatal(err)
			} else if _, err := s.Recv(); !errors.Is(err, io.EOF) {
				errs = append(errs, err)
			}
		}
		if len(errs) == 0 {
			t.Fatal("ten sessions were opened at once")
		}
		wantRefused(t, errs[0], codes.Unavailable, "OVERLOADED")
		wantRetryInfo(t, errs[0])
	})
	for range 20 {
		exchange(t, stream)
	}
	if n := b.metric(t, "hermod_overload_refusals_total", "requests"); n < 4 {
		t.Errorf("%v refusals counted", n)
	}
	reasons := []string{}
	for _, line := range strings.Split(b.log.String(), "\n") {
		if strings.Contains(line, "level=ERROR") {
			reasons = append(reasons, line)
		}
	}
	if len(reasons) > 0 {
		t.Errorf("refusals are logged as faults: %q", reasons)
	}
}
