// Package upstream is for business services: what they call on the gateway.
//
// A UnicastClient pushes to connected clients. It has two faces. PushToOpenID, BatchPushToClients and
// the other methods with long argument lists are those of the client that services have used before;
// a program written for it compiles. Push, PushBatch and Broadcast say the same with values, and take
// options: IdempotencyKey, WaitForAck, StoreOffline.
//
//	c := upstream.NewUnicastClient("127.0.0.1:8082")
//	if err := c.Connect(); err != nil { … }
//	defer c.Close()
//	outcome, err := c.Push(ctx, upstream.OpenID("alice"),
//		upstream.Notification{MsgType: "mail", Title: "You have mail"},
//		upstream.IdempotencyKey(mail.ID), upstream.StoreOffline())
//
// # Errors
//
// What the gateway refused is a *PushError, with the gateway's code: errors.Is(err, ErrTargetOffline)
// tests for one. Any other failed call wraps the gRPC error, whose status tells whether the gateway
// was reached; what became of the push is then not known. A call with an IdempotencyKey is repeated
// by itself while the gateway is unavailable, and may be repeated by its caller: it takes effect once.
//
// # Concurrency
//
// All methods of a UnicastClient may be called from any goroutine. They share one connection, which
// gRPC opens when it is needed and opens again when it is lost.
package upstream
