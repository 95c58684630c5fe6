package plugin

import "context"

// Authorizer is the capability to decide who may join a room, speak in it, and push.
type Authorizer interface {
	// Authorize returns nil if a may happen. It is asked once everything else allows it, so that it takes
	// away and never gives: the room is not full and the user not banned from it, the sender is a member
	// who is not muted, the service may push. What the node itself does is not asked about, nor is who is
	// in a room already, or leaves it.
	//
	// It is called by as many goroutines at once as the plugin's concurrency says, for each message, so
	// what it has to fetch it should keep. Of a message it is asked before any interceptor is.
	//
	// ctx ends at the plugin's deadline, or when the node gives up on the call; Authorize then returns
	// soon. One that does not keeps its place among those that may run at once.
	//
	// An error by PermissionDenied or Refused is told with its Reason, of at most 1 KiB of UTF-8 without
	// NUL. Everything else is a failure, of which on_failure decides: any other error, a panic, a call
	// that is not back in time.
	Authorize(ctx context.Context, a Access) error
}

// AccessKind says what somebody is about to do.
type AccessKind uint8

// What an Authorizer is asked about. There may be more one day: an implementation allows, or refuses, a
// kind that it does not know as a whole.
const (
	Join AccessKind = iota + 1 // become a member of RoomID, whoever asked for it
	Send                       // say something in RoomID, or edit what was said
	Push                       // push to Target, or to everybody
)

func (k AccessKind) String() string {
	switch k {
	case Join:
		return "join"
	case Send:
		return "send"
	case Push:
		return "push"
	}
	return "unknown"
}

// Access is what somebody is about to do.
type Access struct {
	Kind AccessKind
	// By is the account that asks: with Join it may be another one than joins, such as a service or
	// whoever adds a member. Empty: a service that acts for itself.
	By      string
	Subject string   // the name of the service whose credentials these are; empty for users
	Roles   []string // that the credentials give; not to be changed
	RoomID  string   // with Join and Send
	UserID  string   // with Join and Send: who joins or speaks
	Role    string   // with Send: the member's role in the room
	Target  Target   // with Push
}

// Target is whom a push is for.
type Target struct {
	Kind TargetKind
	ID   string // the session's or the user's, or the group's as a decimal number; empty: everybody
}

// TargetKind says whom a push is for.
type TargetKind uint8

// The targets of pushes.
const (
	Everybody TargetKind = iota + 1
	Session
	User
	Group
)
