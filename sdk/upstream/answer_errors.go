package upstream

import (
	"cmp"
	"errors"
	"fmt"

	kerrors "github.com/go-kratos/kratos/v2/errors"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Error is an error that is the answer to a request: the client gets its code and message.
type Error struct {
	Code    int32 // as in HTTP, or one of the service's own; 0 is 500, for an error is never an answer that all is well
	Message string
}

// Errorf returns an *Error with that code and text.
func Errorf(code int32, format string, args ...any) error {
	return &Error{code, fmt.Sprintf(format, args...)}
}

func (e *Error) Error() string { return fmt.Sprintf("%s (code: %d)", e.Message, e.Code) }

// settle turns an error of a handler into the answer that it is, or into the gRPC error that tells the
// gateway that there is none, whose text the gateway may show.
func settle(err error) (answer *Response, failure error) {
	if e, ok := errors.AsType[*Error](err); ok {
		return &Response{Code: cmp.Or(e.Code, 500), Message: e.Message}, nil
	}
	if !chosen(err) {
		return nil, silent(err)
	}
	if e := kerrors.FromError(err); blamesCaller(e.Code) {
		return &Response{Code: e.Code, Message: e.Message}, nil
	}
	return nil, err
}

// chosen tells an error that is a gRPC status, or Kratos' for one, from an error that wraps one: what
// another service said to this one is not what this one says to its clients.
func chosen(err error) bool {
	st, ok := err.(interface{ GRPCStatus() *status.Status })
	return ok && st.GRPCStatus().Code() != codes.OK
}

// blamesCaller tells whether a code says that the request was wrong. Of the codes from 400 on, 429 asks
// to come again and 499 says that nobody waits any more: neither is an answer.
func blamesCaller(code int32) bool {
	return code >= 400 && code < 500 && code != 429 && code != 499
}

// silent returns a gRPC error that tells no more of err than whether to try again.
func silent(err error) error {
	code := status.FromContextError(err).Code()
	if code == codes.Unknown {
		code = status.Code(err) // of a status that err wraps
	}
	switch code {
	case codes.Unavailable, codes.ResourceExhausted, codes.DeadlineExceeded:
		return status.Error(code, "the service cannot answer now")
	case codes.Canceled:
		return status.Error(code, "the call was given up")
	}
	return errInternal
}

var errInternal = status.Error(codes.Internal, "internal error")
