// Package chat is a chat in a terminal, or in a pipe, on sdk/client.
//
// A Chat is owned by the goroutine that calls Run; what the client's callbacks and the reader of
// the input bring is handed over to it. Screens may be printed to while somebody reads from them.
package chat
