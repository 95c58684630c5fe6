package transport

import "fmt"

// Disconnect says why a connection or session ended. Codes from 3000 to 3999 invite the client to
// come back; codes from 4000 on tell it not to: the same attempt would end the same way.
type Disconnect struct {
	Code   uint32
	Reason string
}

// The reasons, for every transport. Codes are part of the API and never change their meaning.
var (
	Shutdown      = Disconnect{3000, "the node is shutting down; reconnect"}
	Slow          = Disconnect{3001, "the client took too long to read; reconnect"}
	TokenExpired  = Disconnect{3002, "the token has expired; reconnect with a new one"}
	StoreGone     = Disconnect{3003, "messages could not be read from the store; reconnect"}
	InternalError = Disconnect{3004, "internal error; reconnect"}
	NotStarted    = Disconnect{3005, "the client did not say who it is in time; reconnect"}
	ConnLost      = Disconnect{3006, "the connection was lost"}

	Replaced   = Disconnect{4000, "the session was resumed on another connection"}
	Kicked     = Disconnect{4001, "disconnected by the service"}
	BadRequest = Disconnect{4002, "the client broke the protocol"}
	Ended      = Disconnect{4003, "the client ended the session"}
	Superseded = Disconnect{4004, "another device of the user took the session's place"}
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
