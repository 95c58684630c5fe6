// Package kratosplugin has the capabilities of plugins that are spoken of in the terms of Kratos. It stands
// apart from the package plugin, which needs the standard library alone.
package kratosplugin

import (
	"context"

	"github.com/go-kratos/kratos/v2/middleware"

	"github.com/game-im/hermod/plugin"
)

// UnaryMiddleware is the capability to stand around the calls of unary methods: of IMService and
// RoomService for clients, of GatewayService, SessionService and WebhookService for business services, by gRPC and,
// as far as these are served there, by REST. A plugin is used if the configuration names it in its list of plugins.
type UnaryMiddleware interface {
	// Middleware returns the middleware. It is called once, when the keys of the plugin are set and before
	// it starts; what it returns is called by many goroutines at once, from when the node serves on.
	//
	// Those of several plugins stand around each other in the order of the list, the first one outermost, and
	// all of them within what the node has itself: metrics, recovery from panics, the deadline of the
	// call and the check of who is calling. So they see no call whose caller was refused, and can let
	// nobody in. Caller tells who it is; transport.FromServerContext what is called, how, and with what
	// header. What they change of a request is checked as if it had come like that.
	//
	// An error that is Kratos' own is told to the caller as it is, and any other as an unknown one, with its
	// text. A middleware has no guard: nothing but the deadline of the call bounds how long it takes, and of
	// the keys of its entry in the list only config concerns it.
	//
	// Calls within a stream or a session are no unary calls; an interceptor sees messages however they come.
	Middleware() middleware.Middleware
}

type callerKey struct{}

// WithCaller returns a context that carries who is calling; nodes and tests make it.
func WithCaller(ctx context.Context, id plugin.Identity) context.Context {
	return context.WithValue(ctx, callerKey{}, id)
}

// Caller returns who is calling, from the context of a call. It is false for what anybody may call, such as
// IMService's HealthCheck.
func Caller(ctx context.Context) (plugin.Identity, bool) {
	id, ok := ctx.Value(callerKey{}).(plugin.Identity)
	return id, ok
}
