package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

var (
	// ErrNotConnected is returned by methods that need a connection when there is none.
	ErrNotConnected = errors.New("client: not connected")
	// ErrDisconnected is what ended when Disconnect was called.
	ErrDisconnected = errors.New("client: disconnected by Disconnect")
	// ErrMoved is what OnDisconnect gets when the client has left an instance for another one by
	// itself, because the instances have changed. OnConnect follows at once.
	ErrMoved = errors.New("client: moved to another instance")
	// ErrGaveUp is what OnError gets last when the client stops trying by itself: the attempts
	// are used up, or another one is pointless. The error wraps the cause as well.
	ErrGaveUp = errors.New("client: not reconnecting any more")
	// ErrUnsupported is returned by calls that the server is too old for. The error wraps the server's
	// own, a status of Unimplemented.
	ErrUnsupported = errors.New("client: the server does not know this call; it is too old for it")
	// ErrNoRoomService is returned by calls about rooms and their members over somebody else's connection
	// that came without Config.RoomService.
	ErrNoRoomService = errors.New("client: the connection is lent without Config.RoomService, which this call needs")
	// ErrTooLarge is returned for a message, or a list of users, that no server accepts.
	ErrTooLarge = errors.New("client: message too large")
	// ErrDuplicateID is returned when a message_id is sent while it is being sent already.
	ErrDuplicateID = errors.New("client: a message with this message_id is being sent already")

	errStreamEnded = fmt.Errorf("client: the server ended the stream: %w", io.EOF)
	errSilent      = status.Error(codes.Unavailable, "client: no answer to the heartbeat")
	errGap         = errors.New("client: frames are missing in the stream")
)

// codeShutdown is the Code of a node that is going out of service.
const codeShutdown = 3000

// DisconnectError is how the server closed a session.
type DisconnectError struct {
	Code   int // 3000-3999: the client may come back, and does; 4000-4999: it must not
	Reason string
	// RetryAfter is how long the server advised to wait before coming back, which the client does; 0:
	// it advised nothing.
	RetryAfter time.Duration
	cause      error
}

func (e *DisconnectError) Error() string {
	return fmt.Sprintf("client: closed by the server: %s (%d)", e.Reason, e.Code)
}

// Unwrap returns the gRPC error of the stream, if there is one.
func (e *DisconnectError) Unwrap() error { return e.cause }

// Final tells whether the server asked the client not to come back.
func (e *DisconnectError) Final() bool { return e.Code >= 4000 && e.Code < 5000 }

// disconnectError returns what the stream's trailer says of its end; cause is its status. False:
// the trailer says nothing.
func disconnectError(trailer metadata.MD, cause error) (*DisconnectError, bool) {
	code, err := strconv.Atoi(first(trailer, keyDisconnectCode))
	if err != nil {
		return nil, false
	}
	reason := cmp.Or(first(trailer, keyDisconnectText), first(trailer, keyDisconnectReason))
	closed := &DisconnectError{Code: code, Reason: reason, cause: cause}
	if ms, err := strconv.ParseUint(first(trailer, keyDisconnectRetry), 10, 31); err == nil {
		closed.RetryAfter = time.Duration(ms) * time.Millisecond
	}
	return closed, true
}

// RefusedError is the server's refusal of a request that it understood.
type RefusedError struct {
	Reason    string // for programs, such as NOT_A_MEMBER; may be empty
	Message   string // for people
	RoomID    string
	MessageID string // the client's id of a refused send, else empty
}

func (e *RefusedError) Error() string {
	if e.Reason == "" {
		return "client: refused: " + e.Message
	}
	return fmt.Sprintf("client: refused: %s (%s)", e.Message, e.Reason)
}

// InvalidMessageError is what OnError gets when Config.Validate refused a message.
type InvalidMessageError struct {
	Message *imv1.MessageResponse
	Err     error // what Validate returned
}

func (e *InvalidMessageError) Error() string {
	return fmt.Sprintf("client: message %s of %s in room %s is not valid: %v",
		e.Message.GetMessageId(), e.Message.GetFromUserId(), e.Message.GetRoomId(), e.Err)
}

// Unwrap returns what Validate returned.
func (e *InvalidMessageError) Unwrap() error { return e.Err }

// Reason returns the server's machine-readable reason for err, such as NOT_A_MEMBER, from a
// *RefusedError or the details of a gRPC status; empty when there is none.
func Reason(err error) string {
	if refused, ok := errors.AsType[*RefusedError](err); ok {
		return refused.Reason
	}
	st, ok := status.FromError(err)
	if !ok {
		return ""
	}
	for _, detail := range st.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return info.GetReason()
		}
	}
	return ""
}

// RetryAfter returns how long the server advised to wait before the next attempt, from a
// *DisconnectError or the details of a gRPC status; 0 when it advised nothing. The client heeds it when
// it connects again; what a program repeats by itself, such as a call, had better wait as long.
func RetryAfter(err error) time.Duration {
	if closed, ok := errors.AsType[*DisconnectError](err); ok {
		return closed.RetryAfter
	}
	st, ok := status.FromError(err)
	if !ok {
		return 0
	}
	for _, detail := range st.Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			return max(0, info.GetRetryDelay().AsDuration())
		}
	}
	return 0
}

// final tells whether err says that trying again is pointless. Unavailable never does: a server
// that is overloaded may refuse a session before it knows better what to say. With a source of
// tokens the next attempt brings another one, also if the source itself has failed, with whatever status.
func (c *Client) final(err error) bool {
	if status.Code(err) == codes.Unavailable {
		return false
	}
	if _, ours := errors.AsType[*tokenError](err); ours {
		return false
	}
	if closed, ok := errors.AsType[*DisconnectError](err); ok {
		return closed.Final()
	}
	switch status.Code(err) {
	case codes.PermissionDenied, codes.InvalidArgument:
		return true
	case codes.Unauthenticated:
		return c.cfg.TokenSource == nil
	}
	return false
}

// streamError says why a stream ended: by the server's word, by what this side found wrong, or
// by the transport.
func streamError(ctx context.Context, trailer metadata.MD, err error) error {
	if closed, ok := disconnectError(trailer, err); ok {
		return closed
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if errors.Is(err, io.EOF) {
		return errStreamEnded
	}
	return err
}
