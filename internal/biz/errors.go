package biz

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Kind says what sort of failure an Error is, and so what the caller can do about it.
type Kind uint8

// The kinds of failure.
const (
	KindInternal         Kind = iota // a fault of ours
	KindInvalid                      // the request itself is wrong; do not repeat it
	KindUnauthenticated              // who is calling is not known
	KindPermissionDenied             // known, and not allowed
	KindNotFound
	KindConflict      // the same id with another payload
	KindResourceLimit // a limit was reached; later may succeed
	KindUnavailable   // the node or its store cannot do it now; repeat with backoff
	KindCanceled      // the caller went away or ran out of time
)

// Error is a failure with a reason that a program can test and a text that a person can read.
type Error struct {
	Kind   Kind
	Reason string // UPPER_SNAKE, stable: part of the API
	Text   string
	Retry  time.Duration // how long the caller had better wait before it tries again; 0: nothing is advised
	cause  error
}

func (e *Error) Error() string {
	if e.cause != nil {
		return e.Text + ": " + e.cause.Error()
	}
	return e.Text
}

// Unwrap returns the cause, if there is one.
func (e *Error) Unwrap() error { return e.cause }

// Errorf makes an Error with a formatted text.
func Errorf(kind Kind, reason, format string, args ...any) *Error {
	return &Error{Kind: kind, Reason: reason, Text: fmt.Sprintf(format, args...)}
}

// Because returns a copy of e with a cause. The cause is for logs: edges send Text alone, so that
// no detail of a database reaches a client.
func (e *Error) Because(cause error) *Error {
	c := *e
	c.cause = cause
	return &c
}

// After returns a copy of e that advises the caller when to try again.
func (e *Error) After(retry time.Duration) *Error {
	c := *e
	c.Retry = retry
	return &c
}

// AsError returns err as an *Error. What is not one yet becomes KindCanceled when it comes from a
// context, and KindInternal otherwise, with a text that gives nothing away.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, context.Canceled):
		return Errorf(KindCanceled, "CANCELED", "the call was canceled").Because(err)
	case errors.Is(err, context.DeadlineExceeded):
		return Errorf(KindUnavailable, "DEADLINE_EXCEEDED", "the call ran out of time; whether it took effect is not known").Because(err)
	}
	return Errorf(KindInternal, "INTERNAL", "internal error").Because(err)
}

// KindOf returns the kind of err, which must be an error: that of nil says nothing.
func KindOf(err error) Kind {
	if err == nil {
		return KindInternal
	}
	return AsError(err).Kind
}
