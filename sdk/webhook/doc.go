// Package webhook is for programs that take webhooks of Hermod: it tells whether a request is one that a node has
// made, unchanged and lately.
//
// A request is signed as the specification Standard Webhooks says, so that a receiver in another language finds a
// library for it: the header webhook-id names the delivery, webhook-timestamp has the second in which it was sent,
// since 1970 UTC, and webhook-signature has signatures, with spaces between them, each "v1," and the base64 of
// HMAC-SHA256 over id, timestamp and body with dots between them. There is one for each secret of the node, so that
// secrets can be exchanged one after another.
//
// What a node tried twice has the same id both times. A receiver that has done something with a delivery and did not
// live to answer hears of it again, and knows it by that, or by room_id and seq of the messages.
//
// All functions may be called by many goroutines at once.
package webhook
