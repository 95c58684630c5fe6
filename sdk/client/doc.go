// Package client is the Go client of the IM service.
//
// A Client is one user's session: it opens a stream, receives what the user's rooms say, sends,
// and comes back by itself when the connection is lost. What was received but not handled then
// arrives again, sends that had no answer yet are repeated under the same message_id, which the
// server stores once, and rooms joined through the client are joined again.
//
// # Concurrency
//
// All methods of a Client may be called from any goroutine, also from its callbacks. Callbacks
// run one after another, never two at once and never under a lock. A slow OnMessage delays the
// next callbacks and, when much is waiting, makes the client stop reading; it never delays
// heartbeats or the answers to sends.
//
// A connected Client owns one goroutine that reads, and a second one while callbacks are due.
// Both are gone when Disconnect has returned.
//
// # Delivery
//
// A message is acknowledged to the server after OnMessage returned, so a program that dies before
// that gets it again. Within one Client no durable message is handed to OnMessage twice, and the
// messages of a room arrive in their order. Messages of rooms that are not persistent have no
// sequence number; they are told apart only as long as the session can be resumed.
package client
