package plugin

import (
	"fmt"
	"time"
)

// Kind says what a refusal means for the client.
type Kind uint8

// The kinds of refusal.
const (
	// KindUnauthenticated: who is calling is not known. Other credentials may help.
	KindUnauthenticated Kind = iota
	// KindPermissionDenied: who is calling is known, and may not do or be what he claims.
	KindPermissionDenied
	// KindUnavailable: it cannot be told or done now. The same question may do later.
	KindUnavailable
	// KindRefused: it will not be done, however often it is asked for.
	KindRefused
)

// Error is a refusal. Reason is a sentence for the client: it says what is wrong and holds no part
// of a token or key. Cause, if any, is for the node's log alone.
type Error struct {
	Kind   Kind
	Reason string
	Cause  error
	// RetryAfter is how long to wait at least before asking again, with KindUnavailable; 0 when that
	// is not known. A node that tries again by itself heeds it, up to an hour.
	RetryAfter time.Duration
}

func (e *Error) Error() string {
	if e.Cause != nil {
		return e.Reason + ": " + e.Cause.Error()
	}
	return e.Reason
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Unauthenticated refuses credentials, with a formatted reason.
func Unauthenticated(format string, args ...any) error {
	return &Error{Kind: KindUnauthenticated, Reason: fmt.Sprintf(format, args...)}
}

// PermissionDenied refuses a claim, with a formatted reason.
func PermissionDenied(format string, args ...any) error {
	return &Error{Kind: KindPermissionDenied, Reason: fmt.Sprintf(format, args...)}
}

// Unavailable says that something that is needed cannot be reached, with a reason for the client
// and the cause for the log.
func Unavailable(reason string, cause error) error {
	return &Error{Kind: KindUnavailable, Reason: reason, Cause: cause}
}

// Refused says that what was asked for cannot be done, now or later, with a formatted reason.
func Refused(format string, args ...any) error {
	return &Error{Kind: KindRefused, Reason: fmt.Sprintf(format, args...)}
}
