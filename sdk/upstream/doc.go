// Package upstream is for business services: what gateways call on them, and what they call on gateways.
//
// # Answering requests
//
// A Mux finds the Handler of a client's request by its action. Register has a gRPC server, Kratos' or a
// plain one, serve it as UpstreamService, under its present name and the published one. A Registrar
// makes the service known to gateways and keeps it known.
//
//	mux := &upstream.Mux{}
//	mux.Handle("echo", func(ctx context.Context, r *upstream.Request) (*upstream.Response, error) {
//		return &upstream.Response{Data: r.Data}, nil
//	})
//	mux.Register(server)
//	registrar, err := upstream.NewRegistrar(upstream.At("127.0.0.1:8082"), upstream.Registration{Address: "127.0.0.1:9000", Name: "echo"})
//	app := kratos.New(kratos.Server(server), kratos.AfterStart(registrar.Start), kratos.BeforeStop(registrar.Stop))
//
// What a handler returns as an error comes to the client like this:
//
//   - An *Error, wrapped or not, is an answer with its code and message.
//   - So is a gRPC status or Kratos error, returned as it is, that finds fault with the request: codes
//     from 400 on, and the gRPC codes that stand for them.
//   - Unavailable, ResourceExhausted and DeadlineExceeded, also when they are wrapped, tell the gateway that
//     there is no answer now: the client gets 503 and may try again.
//   - Any other says that there is no answer: the client gets 500.
//
// A gRPC status or Kratos error that a handler returns as it is keeps its text. The text of all other
// errors is for the service's own log, and so is what panics: the gateway is told that something failed,
// the client no more than that, and the service goes on.
//
// # Pushing
//
// A UnicastClient pushes to connected clients. It has two faces. PushToOpenID, BatchPushToClients and
// the other methods with long argument lists are those of the client that services have used before;
// a program written for it compiles. Push, PushBatch and Broadcast say the same with values, and take
// options: IdempotencyKey, WaitForAck, StoreOffline, TTL; and, while a request is being answered, Before
// and After. PaceBroadcast spreads a broadcast over time; Sessions and CloseSession are for those who look
// after a node.
//
//	c := upstream.NewUnicastClient("127.0.0.1:8082")
//	if err := c.Connect(); err != nil { … }
//	defer c.Close()
//	outcome, err := c.Push(ctx, upstream.OpenID("alice"),
//		upstream.Notification{MsgType: "mail", Title: "You have mail"},
//		upstream.IdempotencyKey(mail.ID), upstream.StoreOffline())
//
// What the gateway refused is a *PushError, with the gateway's code: errors.Is(err, ErrTargetOffline)
// tests for one. Any other failed call wraps the gRPC error, whose status tells whether the gateway
// was reached; what became of the push is then not known. A call with an IdempotencyKey is repeated
// by itself while the gateway is unavailable, and may be repeated by its caller: it takes effect once.
//
// # Concurrency
//
// All methods of a UnicastClient and of a Mux may be called from any goroutine. The calls of a client
// share one connection, which gRPC opens when it is needed and opens again when it is lost. Handlers run
// on the goroutines of the server. A Registrar has one for each gateway, and one connection, from Start
// until Stop.
package upstream
