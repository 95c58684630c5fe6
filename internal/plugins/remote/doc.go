// Package remote has plugins that run outside of the node, as processes that it starts and supervises, or
// as services. To the host each is a plugin like those that are linked in: what it can do is told by its
// process when it is connected to.
//
// A plugin has one life after another: a process, if the node runs it, and a connection to it, of which
// none goes on without the other. Whatever a life ends by, its calls fail at once and those that come
// before the next one as well, so that the host's policies decide without waiting.
//
// A Plugin owns the goroutines of its lives, until Stop. Locks are leaf locks.
package remote
