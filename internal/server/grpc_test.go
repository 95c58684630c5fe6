package server_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	kerrors "github.com/go-kratos/kratos/v2/errors"
	"google.golang.org/grpc"
	channelzpb "google.golang.org/grpc/channelz/grpc_channelz_v1"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/mem"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/server"
)

// rawCodec sends bytes as they are.
type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	return mem.BufferSlice{mem.SliceBuffer(v.([]byte))}, nil
}

func (rawCodec) Unmarshal(mem.BufferSlice, any) error { return nil }

const oldName = "gatesvr.proto.GatewayService"

// wantRefused fails unless err is of that code and reason.
func wantRefused(t *testing.T, err error, code codes.Code, reason string) {
	t.Helper()
	if status.Code(err) != code || kerrors.Reason(err) != reason {
		t.Errorf("got %v, want %v %s", err, code, reason)
	}
}

// TestUndecodableRequests sends each unary call what is no request: that is the caller's fault, and
// says so, and the node serves on.
func TestUndecodableRequests(t *testing.T) {
	t.Parallel()
	b := start(t)
	b.ready.SetServing(true)
	calls := map[string]*grpc.ClientConn{}
	for _, m := range imv1.IMService_ServiceDesc.Methods {
		calls["/im.v1.IMService/"+m.MethodName] = b.im
	}
	for _, m := range gatewayv1.GatewayService_ServiceDesc.Methods {
		calls["/hermod.gateway.v1.GatewayService/"+m.MethodName] = b.gateway
		calls["/"+oldName+"/"+m.MethodName] = b.gateway
	}
	for method, conn := range calls {
		for name, request := range map[string]string{"invalid UTF-8": "\x0a\x01\xff", "half a field": "\x0a\x05x", "garbage": "GET / HTTP/1.1"} {
			err := conn.Invoke(as(t, "alice"), method, []byte(request), nil, grpc.ForceCodecV2(rawCodec{}))
			if status.Code(err) != codes.InvalidArgument || kerrors.Reason(err) != "MALFORMED" {
				t.Errorf("%s, %s: %v", method, name, err)
			}
		}
	}
	if _, err := imv1.NewIMServiceClient(b.im).JoinRoom(as(t, "alice"), &imv1.JoinRoomRequest{RoomId: "r"}); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestRequestsThatAreTooLarge(t *testing.T) {
	t.Parallel()
	b := start(t, conf.Override{Path: "message.max_content_bytes", Value: "1KiB"})
	c := imv1.NewIMServiceClient(b.im)
	if _, err := c.JoinRoom(as(t, "alice"), &imv1.JoinRoomRequest{RoomId: "r"}); err != nil {
		t.Fatal(err)
	}
	req := &imv1.SendMessageRequest{RoomId: "r", Type: imv1.MessageType_MESSAGE_TYPE_TEXT, Content: make([]byte, 1025)}
	_, err := c.SendMessage(as(t, "alice"), req)
	wantRefused(t, err, codes.InvalidArgument, "CONTENT_TOO_LARGE")
	req.Content = make([]byte, 1<<20)
	if _, err := c.SendMessage(as(t, "alice"), req); status.Code(err) != codes.ResourceExhausted {
		t.Errorf("far too large: %v", err)
	}
	req.Content = make([]byte, 1024)
	if _, err := c.SendMessage(as(t, "alice"), req); err != nil {
		t.Errorf("at the limit: %v", err)
	}
}

// TestHeadersThatAreTooLarge: there is room for the largest token that is read, and not for whatever a stream would
// keep in memory.
func TestHeadersThatAreTooLarge(t *testing.T) {
	t.Parallel()
	b := start(t)
	for name, conn := range map[string]*grpc.ClientConn{"im": b.im, "gateway": b.gateway} {
		c := healthpb.NewHealthClient(conn)
		if _, err := c.Check(as(t, "", "authorization", "Bearer "+strings.Repeat("x", 16<<10)), &healthpb.HealthCheckRequest{}); err != nil {
			t.Errorf("%s: a long token: %v", name, err)
		}
		if _, err := c.Check(as(t, "", "large", strings.Repeat("x", 1<<20)), &healthpb.HealthCheckRequest{}); err == nil {
			t.Errorf("%s takes headers of 1 MiB", name)
		}
		if _, err := c.Check(as(t, ""), &healthpb.HealthCheckRequest{}); err != nil {
			t.Errorf("%s: afterwards: %v", name, err)
		}
	}
}

// TestGarbageOnThePort speaks something else than HTTP/2.
func TestGarbageOnThePort(t *testing.T) {
	t.Parallel()
	b := start(t)
	for _, garbage := range []string{"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n", "\x16\x03\x01\x02\x00" + strings.Repeat("\x01", 512), strings.Repeat("\x00", 4096)} {
		conn, err := net.Dial("tcp", b.imAddr)
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, garbage); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, conn); err != nil && strings.Contains(err.Error(), "timeout") {
			t.Errorf("%.10q keeps its connection", garbage)
		}
		conn.Close()
	}
	if _, err := imv1.NewIMServiceClient(b.im).HealthCheck(as(t, ""), &imv1.HealthCheckRequest{}); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestUnaryCallsActForTheirCaller(t *testing.T) {
	t.Parallel()
	b := start(t)
	c := imv1.NewIMServiceClient(b.im)
	if _, err := c.JoinRoom(as(t, "alice"), &imv1.JoinRoomRequest{RoomId: "r", UserId: "alice"}); err != nil {
		t.Error(err)
	}
	if _, err := c.JoinRoom(as(t, ""), &imv1.JoinRoomRequest{RoomId: "r", UserId: "bob"}); err != nil {
		t.Errorf("the published SDK sends no metadata with unary calls: %v", err)
	}
	_, err := c.JoinRoom(as(t, "alice"), &imv1.JoinRoomRequest{RoomId: "r", UserId: "bob"})
	wantRefused(t, err, codes.PermissionDenied, "FOREIGN_USER")
	_, err = c.JoinRoom(as(t, "refused"), &imv1.JoinRoomRequest{RoomId: "r"})
	wantRefused(t, err, codes.Unauthenticated, "UNAUTHENTICATED")
	if _, err := c.HealthCheck(as(t, "refused"), &imv1.HealthCheckRequest{}); err != nil {
		t.Errorf("health is open to everybody: %v", err)
	}
	if n := b.metric(t, "hermod_rpc_refusals_total", "FOREIGN_USER"); n != 1 {
		t.Errorf("%v refusals counted", n)
	}
	if n := b.metric(t, "hermod_rpc_seconds", "OK", "/im.v1.IMService/JoinRoom"); n != 2 {
		t.Errorf("%v calls observed, want the 2 that succeeded", n)
	}
}

// TestUndecodableRequestsAreCounted: who looks for the reason of refusals finds all of them.
func TestUndecodableRequestsAreCounted(t *testing.T) {
	t.Parallel()
	b := start(t)
	err := b.im.Invoke(as(t, "alice"), imv1.IMService_JoinRoom_FullMethodName, []byte("\x0a\x01\xff"), nil, grpc.ForceCodecV2(rawCodec{}))
	wantRefused(t, err, codes.InvalidArgument, "MALFORMED")
	if n := b.metric(t, "hermod_rpc_refusals_total", "MALFORMED"); n != 1 {
		t.Errorf("%v refusals counted, want 1", n)
	}
}

// TestTheGatewayIsForServices under both of its names.
func TestTheGatewayIsForServices(t *testing.T) {
	t.Parallel()
	const token = "0123456789abcdef"
	b := start(t, conf.Override{Path: "server.quic.addr", Value: ""}, conf.Override{Path: "auth.mode", Value: "trusted"}, conf.Override{Path: "auth.service_token", Value: token})
	for _, service := range []string{"hermod.gateway.v1.GatewayService", oldName} {
		push := func(pairs ...string) (*gatewayv1.UnicastPushResponse, error) {
			resp := &gatewayv1.UnicastPushResponse{}
			req := &gatewayv1.UnicastPushRequest{TargetType: "openid", TargetId: "alice"}
			return resp, b.gateway.Invoke(as(t, "", pairs...), "/"+service+"/PushToClient", req, resp)
		}
		for _, authorization := range []string{"", "Bearer wrong", "Basic " + token, token} {
			if _, err := push("authorization", authorization); status.Code(err) != codes.Unauthenticated {
				t.Errorf("%s with authorization %q: %v", service, authorization, err)
			}
		}
		resp, err := push("authorization", "Bearer "+token)
		if err != nil || resp.GetErrorCode() != "TARGET_OFFLINE" {
			t.Errorf("%s with the token: %v, %v", service, resp, err)
		}
	}
	if n := b.metric(t, "hermod_rpc_seconds", "OK", gatewayv1.GatewayService_PushToClient_FullMethodName); n != 2 {
		t.Errorf("%v calls observed under the new name, want those under both", n)
	}
	if _, err := healthpb.NewHealthClient(b.gateway).Check(as(t, ""), &healthpb.HealthCheckRequest{}); err != nil {
		t.Errorf("health is open to everybody: %v", err)
	}
}

func TestReflection(t *testing.T) {
	t.Parallel()
	b := start(t)
	stream, err := reflectionpb.NewServerReflectionClient(b.im).ServerReflectionInfo(as(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Send(&reflectionpb.ServerReflectionRequest{MessageRequest: &reflectionpb.ServerReflectionRequest_ListServices{}}); err != nil {
		t.Fatal(err)
	}
	resp, err := stream.Recv()
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(resp.GetListServicesResponse()); !strings.Contains(got, "im.v1.IMService") || !strings.Contains(got, "grpc.health.v1.Health") {
		t.Errorf("listed: %s", got)
	}
}

// TestNobodyIsToldOfConnections: who is connected from where is no business of clients, and of services by
// SessionService alone.
func TestNobodyIsToldOfConnections(t *testing.T) {
	t.Parallel()
	b := start(t)
	for name, conn := range map[string]*grpc.ClientConn{"im": b.im, "gateway": b.gateway} {
		c := channelzpb.NewChannelzClient(conn)
		if resp, err := c.GetServers(as(t, ""), &channelzpb.GetServersRequest{}); status.Code(err) != codes.Unimplemented {
			t.Errorf("%s: %v, %v", name, resp, err)
		}
		if resp, err := c.GetTopChannels(as(t, ""), &channelzpb.GetTopChannelsRequest{}); status.Code(err) != codes.Unimplemented {
			t.Errorf("%s: %v, %v", name, resp, err)
		}
	}
}

func TestAUsedPortIsNamed(t *testing.T) {
	t.Parallel()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer lis.Close()
	used := lis.Addr().String()
	m, ready := server.NewMetrics(), server.NewReadiness()
	for key, open := range map[string]func(c *conf.Config) error{
		"server.im.addr": func(c *conf.Config) error {
			_, _, err := server.NewIM(c, server.IMAPI{}, server.Streams{}, server.Callers{}, ready, m, nil)
			return err
		},
		"server.gateway.addr": func(c *conf.Config) error {
			_, _, err := server.NewGateway(c, server.PushAPI{}, server.Callers{}, ready, m, nil)
			return err
		},
		"server.http.addr": func(c *conf.Config) error {
			_, _, err := server.NewPublic(c, nil, nil, m)
			return err
		},
		"server.ops.addr": func(c *conf.Config) error {
			_, _, err := server.NewOps(c, server.OpsPages{}, nil, nil, nil, m, nil)
			return err
		},
	} {
		err := open(config(t, conf.Override{Path: key, Value: used}))
		if err == nil || !strings.HasPrefix(err.Error(), key+": ") || !strings.Contains(err.Error(), used) {
			t.Errorf("%s: %v", key, err)
		}
	}
}
