package plugin

import (
	"context"
	"time"
)

// Authenticator is the capability to tell who a caller is. A node has one, the plugin whose name is
// auth.mode.
type Authenticator interface {
	// Authenticate returns who stands behind the credentials. It is called when a session opens,
	// when a live session shows a fresh token, and for each call outside of a session, so what it
	// has to fetch it should keep.
	//
	// ctx carries the caller's deadline, and never none: about ten seconds at most. When it is
	// done, Authenticate returns soon, with ctx.Err() or an error that wraps it.
	//
	// A refusal is an *Error, made by Unauthenticated, PermissionDenied or Unavailable; its text is
	// told to the client. Any other error is logged, and the client hears that authentication is
	// unavailable and may try again.
	Authenticate(ctx context.Context, c Credentials) (Identity, error)
}

// Credentials is what a client shows and says. Any of it may be empty, and all of it may be a lie.
type Credentials struct {
	Token    string // the bearer token, without the word Bearer
	UserID   string // who the client claims to be
	GID      string // the group that it claims, a decimal number
	DeviceID string // the installation that it claims to be
}

// Identity is who a caller turned out to be.
type Identity struct {
	// UserID names the account; empty when that is said later, in a message, which only a Trusted
	// identity or one with the role service may do. At most 255 bytes of UTF-8 without NUL, as are
	// DeviceID and every role.
	UserID   string
	GID      int64    // the group that pushes may address; 0: none
	DeviceID string   // empty: the device that all sessions without one share
	Roles    []string // "service" may act for every user
	// Subject names the service whose credentials these are; empty when it has no name of its own, and
	// for users. At most 255 bytes of UTF-8 without NUL.
	Subject string
	// Trusted says that whoever can connect is believed to be who he says he is.
	Trusted bool
	// Expiry is when the identity must have been proven again; zero: never. A session whose identity
	// has expired is closed after a grace period.
	Expiry time.Time
}
