package server

import (
	"context"
	"log/slog"
	"strings"

	"github.com/go-kratos/kratos/v2/middleware"
	"github.com/go-kratos/kratos/v2/transport"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/auth"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/service"
	"github.com/game-im/hermod/plugin"
)

// Metadata keys that say who is calling.
const (
	keyAuthorization = "authorization"
	keyUser          = "user-id"
	keyGID           = "gid"
	keyDevice        = "device-id"
)

// identify puts who is calling into the context of unary calls of a service of clients.
func identify(serviceName string, v *auth.Verifier, log *slog.Logger) middleware.Middleware {
	return onService(serviceName, imv1.IMService_HealthCheck_FullMethodName,
		func(ctx context.Context, header func(string) string) (context.Context, error) {
			id, err := identity(ctx, v, header)
			if err != nil {
				return nil, service.Error(log, err)
			}
			return biz.WithIdentity(ctx, id), nil
		})
}

// guard lets only business services call the gateway service, and puts which one it is into the
// context.
func guard(g *auth.ServiceGuard, serviceName string, log *slog.Logger) middleware.Middleware {
	return onService(serviceName, "", func(ctx context.Context, header func(string) string) (context.Context, error) {
		id, err := g.Check(ctx, auth.Proof{Authorization: header(keyAuthorization), Certified: certified(ctx)})
		if err != nil {
			return nil, service.Error(log, err)
		}
		return biz.WithIdentity(ctx, id), nil
	})
}

// nobody keeps everybody from a service, as if it were not there. Kratos registers channelz with each server, and
// channelz tells of all connections of the process: from where clients are connected, and where the node itself is.
func nobody(serviceName string) middleware.Middleware {
	return onService(serviceName, "", func(context.Context, func(string) string) (context.Context, error) {
		return nil, status.Error(codes.Unimplemented, "unknown service "+serviceName)
	})
}

// certified tells whether the caller has shown a certificate. A listener that asks for one lets nobody
// connect whose certificate is not of its authorities.
func certified(ctx context.Context) bool {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return false
	}
	info, ok := p.AuthInfo.(credentials.TLSInfo)
	return ok && len(info.State.VerifiedChains) > 0
}

// onService runs check before the calls of one service, but for one method. Health and reflection
// are open to everybody who can connect.
func onService(name, except string, check func(context.Context, func(string) string) (context.Context, error)) middleware.Middleware {
	prefix := "/" + name + "/"
	return func(next middleware.Handler) middleware.Handler {
		return func(ctx context.Context, req any) (any, error) {
			tr, ok := transport.FromServerContext(ctx)
			if !ok || !strings.HasPrefix(tr.Operation(), prefix) || tr.Operation() == except {
				return next(ctx, req)
			}
			ctx, err := check(ctx, tr.RequestHeader().Get)
			if err != nil {
				return nil, err
			}
			return next(ctx, req)
		}
	}
}

func identity(ctx context.Context, v *auth.Verifier, header func(string) string) (biz.Identity, error) {
	token, _ := auth.Bearer(header(keyAuthorization)) // another scheme, or none: no token
	return v.Authenticate(ctx, plugin.Credentials{
		Token: token, UserID: header(keyUser), GID: header(keyGID), DeviceID: header(keyDevice),
	})
}

// headerOf reads the request metadata of a stream.
func headerOf(ctx context.Context) func(key string) string {
	md, _ := metadata.FromIncomingContext(ctx) // without metadata every key is empty
	return func(key string) string {
		if values := md.Get(key); len(values) > 0 {
			return values[0]
		}
		return ""
	}
}
