package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"time"

	"github.com/go-kratos/kratos/v2/middleware/recovery"
	kgrpc "github.com/go-kratos/kratos/v2/transport/grpc"
	"google.golang.org/grpc"
	channelzpb "google.golang.org/grpc/channelz/grpc_channelz_v1"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/auth"
	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/protocol/gateway"
	"github.com/game-im/hermod/internal/protocol/im"
	"github.com/game-im/hermod/internal/realtime/overload"
	"github.com/game-im/hermod/internal/realtime/transport/grpcstream"
	"github.com/game-im/hermod/internal/service"
)

// Names of the services on the wire.
var (
	imService       = imv1.IMService_ServiceDesc.ServiceName
	roomService     = imv1.RoomService_ServiceDesc.ServiceName
	sessionService  = gatewayv1.SessionService_ServiceDesc.ServiceName
	webhookService  = gatewayv1.WebhookService_ServiceDesc.ServiceName
	gatewayServices = []string{gatewayv1.GatewayService_ServiceDesc.ServiceName, "gatesvr.proto.GatewayService"}
	channelzService = channelzpb.Channelz_ServiceDesc.ServiceName
)

const (
	// unaryTimeout bounds calls whose callers set no deadline of their own.
	unaryTimeout = 30 * time.Second
	// handshakeTimeout is how long whatever connects may take to speak HTTP/2.
	handshakeTimeout = 10 * time.Second
	// frameOverhead is what a message may have beside its content and metadata: ids, tags, times.
	frameOverhead = 64 << 10
	// The write buffer of a connection takes what several batches of frames make; gRPC shares them,
	// so that a connection at rest has none. The read buffer is a connection's own.
	writeBuffer = 64 << 10
	readBuffer  = 2 << 10
	// The windows are what a client may have on its way that nobody has read yet, on one stream and on
	// its connection. Left to itself gRPC raises them to 16 MiB for whoever sends fast, such as an
	// upload to a slow disk; these let one stream bring 10 MiB/s over 50 ms.
	streamWindow = 512 << 10
	connWindow   = 1 << 20
	// minPing lets clients with a keepalive of their own ping this often.
	minPing = 5 * time.Second
)

// IM is the listener that clients connect to.
type IM struct{ listener }

// Gateway is the listener of business services.
type Gateway struct{ listener }

// listener is a Kratos server for which being stopped before it began to serve is no failure: a node
// may be told to stop in that moment, and which ends the streams of bystanders when it stops.
type listener struct {
	*kgrpc.Server
	addr net.Addr
	by   *bystanders
}

// Addr is where it listens.
func (l listener) Addr() net.Addr { return l.addr }

// Start implements transport.Server.
func (l listener) Start(ctx context.Context) error {
	if err := l.Server.Start(ctx); !errors.Is(err, grpc.ErrServerStopped) {
		return err
	}
	return nil
}

// Stop implements transport.Server.
func (l listener) Stop(ctx context.Context) error {
	l.by.leave()
	return l.Server.Stop(ctx)
}

// Callers tells who may call, what stands around their calls, and what the node proves itself to them with.
type Callers struct {
	Clients      *auth.Verifier
	Services     *auth.ServiceGuard
	Certificates *Certificates
	Around       Around
}

// Streams are what serves sessions, by protocol, and what bounds them.
type Streams struct {
	IM      *im.Handler
	Gateway *gateway.Handler
	Load    *overload.Guard
}

// startTimeout is how long a client may take to say who it is, or what it speaks. It may change while the node runs.
func (s Streams) startTimeout() time.Duration { return s.Gateway.StartTimeout() }

// IMAPI is what clients call, beside their streams.
type IMAPI struct {
	IM    *service.IM
	Rooms *service.Rooms
}

// NewIM opens the listener of clients: IMService, RoomService, and ClientService with the gateway protocol. The
// cleanup closes it if it was never served.
func NewIM(c *conf.Config, api IMAPI, h Streams, by Callers, ready *Readiness, m *Metrics, log *slog.Logger) (*IM, func(), error) {
	lis, cleanup, err := listen("im", c.GetServer().GetIm().GetAddr(), m, h.Load)
	if err != nil {
		return nil, nil, err
	}
	limit := c.GetMessage().GetMaxContentBytes() + c.GetMessage().GetMaxMetadataBytes() + frameOverhead
	others := newBystanders()
	srv := kgrpc.NewServer(
		kgrpc.Listener(lis), kgrpc.Address(lis.Addr().String()),
		kgrpc.TLSConfig(by.Certificates.config("im")),
		kgrpc.Timeout(unaryTimeout),
		kgrpc.CustomHealth(),
		kgrpc.Middleware(m.unary(), recovery.Recovery(), nobody(channelzService), identify(imService, by.Clients, log), identify(roomService, by.Clients, log)),
		kgrpc.Options(append(connection(c, limit),
			grpc.InitialWindowSize(streamWindow),
			grpc.InitialConnWindowSize(connWindow),
			grpc.StreamInterceptor(sessionStreams(gate{by.Clients, ready, h.Load}, others, m, log)),
		)...),
	)
	by.Around.on(srv, imService, roomService)
	malformed := refuseMalformed(m, log)
	srv.RegisterService(strict(imv1.IMService_ServiceDesc, imService, malformed), &imServer{IM: api.IM, handler: h.IM, log: log})
	srv.RegisterService(strict(imv1.RoomService_ServiceDesc, roomService, malformed), api.Rooms)
	srv.RegisterService(&gatewayv1.ClientService_ServiceDesc, &clientServer{handler: h.Gateway, log: log})
	healthpb.RegisterHealthServer(srv, ready.health)
	return &IM{listener{srv, lis.Addr(), others}}, cleanup, nil
}

// maxPushRequest is what a request of the push API may have: a batch names its targets beside the push.
func maxPushRequest(c *conf.Config) int64 {
	return c.GetPush().GetMaxBytes() + int64(c.GetPush().GetMaxTargets())*512 + frameOverhead
}

// NewGateway opens the listener of GatewayService, which is served under both of its names, and of
// SessionService and WebhookService. The cleanup closes it if it was never served.
func NewGateway(c *conf.Config, api PushAPI, by Callers, ready *Readiness, m *Metrics, log *slog.Logger) (*Gateway, func(), error) {
	lis, cleanup, err := listen("gateway", c.GetServer().GetGateway().GetAddr(), m, nil)
	if err != nil {
		return nil, nil, err
	}
	others := newBystanders()
	srv := kgrpc.NewServer(
		kgrpc.Listener(lis), kgrpc.Address(lis.Addr().String()),
		kgrpc.TLSConfig(by.Certificates.config("gateway")),
		kgrpc.Timeout(unaryTimeout),
		kgrpc.CustomHealth(),
		kgrpc.Middleware(m.unary(), recovery.Recovery(), nobody(channelzService), guard(by.Services, gatewayServices[0], log), guard(by.Services, sessionService, log), guard(by.Services, webhookService, log)),
		kgrpc.Options(append(connection(c, maxPushRequest(c)), grpc.StreamInterceptor(serviceStreams(by.Services, others, m, log)))...),
	)
	by.Around.on(srv, append([]string{sessionService, webhookService}, gatewayServices...)...)
	malformed := refuseMalformed(m, log)
	for _, name := range gatewayServices {
		srv.RegisterService(strict(gatewayv1.GatewayService_ServiceDesc, name, malformed), api.Gateway)
	}
	srv.RegisterService(strict(gatewayv1.SessionService_ServiceDesc, sessionService, malformed), api.Sessions)
	srv.RegisterService(strict(gatewayv1.WebhookService_ServiceDesc, webhookService, malformed), api.Webhooks)
	healthpb.RegisterHealthServer(srv, ready.health)
	return &Gateway{listener{srv, lis.Addr(), others}}, cleanup, nil
}

// refuseMalformed answers requests that cannot be decoded, which no middleware gets to see.
func refuseMalformed(m *Metrics, log *slog.Logger) func(error) error {
	return func(err error) error {
		err = service.Error(log, malformedRequest(err))
		m.refused(err)
		return err
	}
}

// connection returns the options that both listeners share.
func connection(c *conf.Config, maxMessage int64) []grpc.ServerOption {
	ka := c.GetServer().GetKeepalive()
	return []grpc.ServerOption{
		grpc.ForceServerCodecV2(strictCodec()),
		grpc.InTapHandle(grpcstream.Tap),
		grpc.MaxRecvMsgSize(int(maxMessage)),
		// As over HTTP. A stream keeps its headers as long as it is open, and gRPC would take 16 MiB of them.
		grpc.MaxHeaderListSize(maxHeader),
		grpc.ConnectionTimeout(handshakeTimeout),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			Time:    ka.GetTime().AsDuration(),
			Timeout: ka.GetTimeout().AsDuration(),
		}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: minPing, PermitWithoutStream: true}),
		grpc.WriteBufferSize(writeBuffer),
		grpc.ReadBufferSize(readBuffer),
	}
}
