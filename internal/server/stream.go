package server

import (
	"context"
	"errors"
	"log/slog"
	"runtime/debug"
	"strings"

	kerrors "github.com/go-kratos/kratos/v2/errors"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/auth"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/protocol/im"
	"github.com/game-im/hermod/internal/realtime/overload"
	"github.com/game-im/hermod/internal/realtime/transport/grpcstream"
	"github.com/game-im/hermod/internal/service"
)

// imServer is IMService: the unary calls, and the stream.
type imServer struct {
	*service.IM
	handler *im.Handler
	log     *slog.Logger
}

// StreamMessages implements imv1.IMServiceServer.
func (s *imServer) StreamMessages(stream grpc.BidiStreamingServer[imv1.MessageRequest, imv1.MessageResponse]) error {
	ctx := stream.Context()
	opening, err := im.ReadOpening(biz.IdentityFrom(ctx), headerOf(ctx))
	if err != nil {
		return service.Error(s.log, err)
	}
	conn, err := grpcstream.New(stream, im.Proto, opening.Batch)
	if err != nil {
		return service.Error(s.log, err)
	}
	defer func() { _ = conn.Finish(nil) }() // after a panic; its status is the interceptor's business
	err = s.handler.Serve(ctx, conn, opening, func(w im.Welcome) error {
		return stream.SendHeader(metadata.New(w.Headers()))
	})
	var refused *biz.Error
	if errors.As(err, &refused) {
		err = service.Error(s.log, refused)
	}
	return conn.Finish(err)
}

// sessionStreams stands before every stream. For those of clients it finds out who is calling and
// then goes straight to the service: Kratos' own stream interceptor, further in, would give each
// stream one more goroutine and each message two look-ups, for middleware that a session's frames
// do not use. All other streams, such as reflection, go their usual way, and take a place like them.
func sessionStreams(g gate, others *bystanders, m *Metrics, log *slog.Logger) grpc.StreamServerInterceptor {
	return func(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) (err error) {
		defer func() {
			if r := recover(); r != nil {
				log.Error("a stream panicked", "method", info.FullMethod, "panic", r, "stack", string(debug.Stack()))
				err = service.Error(log, biz.Errorf(biz.KindInternal, "PANIC", "internal error"))
			}
		}()
		serve, ours := streams[info.FullMethod]
		ctx := ss.Context()
		if !ours { // open to everybody, for as long as he likes, also while the node does not serve
			place, refused := g.load.Enter(remote(ctx))
			if refused != nil {
				err = service.Error(log, protocol.Overloaded(refused))
				m.refused(err)
				return err
			}
			defer place.Leave()
			return others.serve(srv, ss, handler)
		}
		place, id, err := admit(ctx, g, info.FullMethod)
		if err != nil {
			err = service.Error(log, err)
			m.refused(err)
			return err
		}
		defer place.Leave()
		err = serve(srv, &identified{ServerStream: ss, ctx: biz.WithIdentity(ctx, id)})
		if kerrors.Reason(err) != "" { // refused, and not just over
			m.refused(err)
		}
		return err
	}
}

// serviceStreams stands before every stream of the gateway listener, and lets only business services open
// those of GatewayService.
func serviceStreams(g *auth.ServiceGuard, others *bystanders, m *Metrics, log *slog.Logger) grpc.StreamServerInterceptor {
	return func(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) (err error) {
		defer func() {
			if r := recover(); r != nil {
				log.Error("a stream panicked", "method", info.FullMethod, "panic", r, "stack", string(debug.Stack()))
				err = service.Error(log, biz.Errorf(biz.KindInternal, "PANIC", "internal error"))
			}
			m.refused(err)
		}()
		if !ofGateway(info.FullMethod) {
			return others.serve(srv, ss, handler)
		}
		ctx := ss.Context()
		id, err := g.Check(ctx, auth.Proof{Authorization: headerOf(ctx)(keyAuthorization), Certified: certified(ctx)})
		if err != nil {
			return service.Error(log, err)
		}
		return handler(srv, &strictStream{identified{ServerStream: ss, ctx: biz.WithIdentity(ctx, id)}, log})
	}
}

// strictStream does for a stream what strict does for unary calls.
type strictStream struct {
	identified
	log *slog.Logger
}

// RecvMsg implements grpc.ServerStream.
func (s *strictStream) RecvMsg(m any) error {
	attempt := &decoding{into: m}
	if err := s.identified.RecvMsg(attempt); err != nil {
		return err
	}
	if attempt.err != nil {
		return service.Error(s.log, malformedRequest(attempt.err))
	}
	return nil
}

func ofGateway(method string) bool {
	for _, name := range gatewayServices {
		if strings.HasPrefix(method, "/"+name+"/") {
			return true
		}
	}
	return false
}

// streams are those of clients.
var streams = map[string]func(any, grpc.ServerStream) error{
	imv1.IMService_StreamMessages_FullMethodName: func(s any, ss grpc.ServerStream) error {
		return s.(imv1.IMServiceServer).StreamMessages(&grpc.GenericServerStream[imv1.MessageRequest, imv1.MessageResponse]{ServerStream: ss})
	},
	imv1.IMService_UploadAudio_FullMethodName: func(s any, ss grpc.ServerStream) error {
		return s.(imv1.IMServiceServer).UploadAudio(&grpc.GenericServerStream[imv1.UploadAudioRequest, imv1.UploadAudioResponse]{ServerStream: ss})
	},
	gatewayv1.ClientService_Connect_FullMethodName: func(s any, ss grpc.ServerStream) error {
		return s.(gatewayv1.ClientServiceServer).Connect(&grpc.GenericServerStream[gatewayv1.ClientRequest, gatewayv1.ServerPush]{ServerStream: ss})
	},
}

// admit takes a stream in and finds out who opens it. One of the gateway protocol may leave it to its
// START to say that. An upload has limits of its own and takes no place of a session.
func admit(ctx context.Context, g gate, method string) (place overload.Place, id biz.Identity, err error) {
	if method == imv1.IMService_UploadAudio_FullMethodName {
		err = g.open()
	} else {
		place, err = g.enter(remote(ctx))
	}
	if err != nil {
		return place, id, err
	}
	in := false
	defer func() { // after a panic as well
		if !in {
			place.Leave()
		}
	}()
	header := headerOf(ctx)
	if method == gatewayv1.ClientService_Connect_FullMethodName && header(keyAuthorization) == "" && header(keyUser) == "" {
		in = true
		return place, id, nil
	}
	id, err = g.identify(ctx, header)
	in = err == nil
	return place, id, err
}

// identified is a stream whose context says who opened it.
type identified struct {
	grpc.ServerStream
	ctx context.Context
}

// Context implements grpc.ServerStream.
func (s *identified) Context() context.Context { return s.ctx }
