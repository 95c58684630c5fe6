package plugin

import "context"

// ActionHandler is the capability to answer business actions of gateway sessions within the node, as a
// business service does from outside.
type ActionHandler interface {
	// Actions returns the actions that it answers, word for word. It is asked once, before the node
	// serves. No two handlers of a node have one action; routes to services do not see these actions.
	// A login is a service's to answer, or the node's: hello, login, auth and signin cannot be handled.
	Actions() []string
	// HandleAction answers a request. It is called for one request of a session at a time, by as many
	// goroutines at once as the plugin's concurrency says.
	//
	// ctx ends at the plugin's deadline, when the client's patience is over, or when it is gone.
	// HandleAction then returns soon; one that does not keeps its place among those that may run.
	//
	// An error by Refused, PermissionDenied or Unauthenticated is told to the client with its Reason, as
	// an answer with the code 400, 403 or 401. Everything else is a failure, and the client may try
	// again: any other error, a panic, a call that is not back in time.
	HandleAction(ctx context.Context, a Action) (Answer, error)
}

// Action is what a client asks for.
type Action struct {
	Name      string
	SessionID string
	UserID    string
	GID       int64  // 0: none
	Zone      string // that the login assigned; empty: none
	Params    map[string]string
	Data      []byte
	Headers   map[string]string
}

// Answer is what the client is told.
type Answer struct {
	Code    int32 // 0 stands for 200
	Message string
	Data    []byte
	Headers map[string]string
}
