// Package bench puts a running node under load as its clients and its business services do, and
// tells what it did: how much, how fast, what went wrong, and what that cost the node's process.
//
// A Plan says what to do and Run does it. Every client checks what it receives: each message of each
// sender at most once and in its order, and in stored rooms without a hole. What a message was counts
// as delivered by is the client that has decoded it; at the end what was accepted is held against
// what has arrived.
//
// Concurrency: a client's ledger belongs to the goroutine that reads its connection; others read its
// atomic counters, and the rest once that goroutine has ended. Run owns every goroutine that it
// starts, and returns when they have ended.
package bench
