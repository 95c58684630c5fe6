package transport

import (
	"fmt"
	"time"
)

// Disconnect says why a connection or session ended. Codes from 3000 to 3999 invite the client to
// come back; codes from 4000 on tell it not to: the same attempt would end the same way.
type Disconnect struct {
	Code   uint32
	Reason string
	// Retry is how long the client had better wait before it comes back, in whole milliseconds; 0: as
	// it likes. Each transport carries it in its own way, see Words.
	Retry time.Duration
}

// The reasons, for every transport. Codes are part of the API and never change their meaning.
var (
	Shutdown      = Disconnect{Code: 3000, Reason: "the node is shutting down; reconnect"}
	Slow          = Disconnect{Code: 3001, Reason: "the client took too long to read; reconnect"}
	TokenExpired  = Disconnect{Code: 3002, Reason: "the token has expired; reconnect with a new one"}
	StoreGone     = Disconnect{Code: 3003, Reason: "messages could not be read from the store; reconnect"}
	InternalError = Disconnect{Code: 3004, Reason: "internal error; reconnect"}
	NotStarted    = Disconnect{Code: 3005, Reason: "the client did not say who it is in time; reconnect"}
	ConnLost      = Disconnect{Code: 3006, Reason: "the connection was lost"}
	Overloaded    = Disconnect{Code: 3007, Reason: "the node is overloaded; reconnect later"}

	Replaced   = Disconnect{Code: 4000, Reason: "the session was resumed on another connection"}
	Kicked     = Disconnect{Code: 4001, Reason: "disconnected by the service"}
	BadRequest = Disconnect{Code: 4002, Reason: "the client broke the protocol"}
	Ended      = Disconnect{Code: 4003, Reason: "the client ended the session"}
	Superseded = Disconnect{Code: 4004, Reason: "another device of the user took the session's place"}
)

// Service ranges: what a service means by a code is its own business.
const (
	serviceReturn = 3500 // to 3999
	serviceStay   = 4500 // to 4999
)

// Class returns the code, or for one of a service's own the first of its range: there are too many of
// them to count each.
func (d Disconnect) Class() uint32 {
	switch {
	case d.Code >= serviceStay:
		return serviceStay
	case d.Code >= serviceReturn && d.Code < 4000:
		return serviceReturn
	}
	return d.Code
}

// Reconnect tells whether the client should come back.
func (d Disconnect) Reconnect() bool { return d.Code >= 3000 && d.Code < 4000 }

// Because returns d with a reason of its own.
func (d Disconnect) Because(format string, args ...any) Disconnect {
	d.Reason = fmt.Sprintf(format, args...)
	return d
}

func (d Disconnect) Error() string { return fmt.Sprintf("disconnected (%d): %s", d.Code, d.Reason) }
