package server

import (
	"context"
	"net/http"

	kerrors "github.com/go-kratos/kratos/v2/errors"
	"github.com/go-kratos/kratos/v2/middleware"
	"github.com/go-kratos/kratos/v2/transport"
	kgrpc "github.com/go-kratos/kratos/v2/transport/grpc"
	"google.golang.org/grpc"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/plugin"
	"github.com/game-im/hermod/plugin/kratosplugin"
)

// Around is the middleware of plugins, the outermost first.
type Around []middleware.Middleware

// on puts it around the unary calls of some services, within everything that a server has already.
func (a Around) on(srv *kgrpc.Server, services ...string) {
	if len(a) == 0 {
		return
	}
	for _, name := range services {
		srv.Use("/"+name+"/*", a.whole())
	}
}

// whole is all of it as one, which tells who is calling.
func (a Around) whole() middleware.Middleware {
	chain := middleware.Chain(a...)
	return func(next middleware.Handler) middleware.Handler {
		around := chain(next)
		return func(ctx context.Context, req any) (any, error) {
			if id, ok := biz.LookupIdentity(ctx); ok {
				ctx = kratosplugin.WithCaller(ctx, plugin.Identity{
					UserID: string(id.User), GID: id.GID, DeviceID: string(id.Device), Roles: id.Roles,
					Subject: id.Subject, Trusted: id.Trusted, Expiry: id.Expiry,
				})
			}
			return around(ctx, req)
		}
	}
}

// rest is what stands around the calls of REST, nil when nothing does.
func (a Around) rest() func(r *http.Request, path string, header http.Header) grpc.UnaryServerInterceptor {
	if len(a) == 0 {
		return nil
	}
	whole := a.whole()
	return func(r *http.Request, path string, header http.Header) grpc.UnaryServerInterceptor {
		return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			ctx = transport.NewServerContext(ctx, &restTransport{request: r, operation: info.FullMethod, path: path, reply: header})
			reply, err := whole(middleware.Handler(next))(ctx, req)
			if err != nil {
				return nil, kerrors.FromError(err) // whatever else it were would be taken for a request that cannot be read
			}
			return reply, nil
		}
	}
}

// restTransport tells Kratos' middleware of a request. It implements http.Transporter of Kratos.
type restTransport struct {
	request   *http.Request
	operation string
	path      string
	reply     http.Header
}

func (*restTransport) Kind() transport.Kind              { return transport.KindHTTP }
func (t *restTransport) Endpoint() string                { return "http://" + t.request.Host }
func (t *restTransport) Operation() string               { return t.operation }
func (t *restTransport) RequestHeader() transport.Header { return header(t.request.Header) }
func (t *restTransport) ReplyHeader() transport.Header   { return header(t.reply) }
func (t *restTransport) Request() *http.Request          { return t.request }
func (t *restTransport) PathTemplate() string            { return t.path }

// header is a transport.Header.
type header http.Header

func (h header) Get(key string) string      { return http.Header(h).Get(key) }
func (h header) Set(key, value string)      { http.Header(h).Set(key, value) }
func (h header) Add(key, value string)      { http.Header(h).Add(key, value) }
func (h header) Values(key string) []string { return http.Header(h).Values(key) }

func (h header) Keys() []string {
	keys := make([]string, 0, len(h))
	for key := range h {
		keys = append(keys, key)
	}
	return keys
}
