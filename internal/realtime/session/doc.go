// Package session is one client's life on a node: it outlives its connection within the resume
// window, owns the queue of frames on their way to the client, and knows how far the client has
// received each channel that it follows.
//
//	session.go       identity, state, attach and detach
//	queue.go         frames on their way: waiting, and written but not acknowledged
//	deliver.go       what happens to a publication or a push
//	subscription.go  the place in one channel
//	ack.go           what the client has received
//	resume.go        coming back with a ticket
//	catchup.go       reading the log until the live edge is reached
//	writer.go        the goroutines that write
//	write.go         one write of a session
//
// All methods of Session are safe for concurrent use. A session at rest costs no goroutine, timer
// or write buffer of this package: a Writer and a Catcher serve all of a node's sessions.
package session
