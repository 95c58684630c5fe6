package upstream

import (
	"errors"
	"fmt"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
)

var (
	// ErrNotConnected is returned by calls before Connect.
	ErrNotConnected = errors.New("upstream: the client is not connected; call Connect first")
	// ErrClosed is returned by calls after Close. It is an ErrNotConnected too.
	ErrClosed = fmt.Errorf("%w (Close was called)", ErrNotConnected)
	// ErrNoToken is returned by calls that were not made, since the source of tokens failed; the error wraps its own.
	ErrNoToken = errors.New("upstream: no token for the call")
)

// Refusals to test for with errors.Is. The others have their code in PushError.Code; they are listed
// as PushErrorCode in gateway.proto.
var (
	ErrTargetNotFound      = refusal(gatewayv1.PushErrorCode_TARGET_NOT_FOUND)
	ErrTargetOffline       = refusal(gatewayv1.PushErrorCode_TARGET_OFFLINE)
	ErrInvalidTarget       = refusal(gatewayv1.PushErrorCode_INVALID_TARGET)
	ErrTargetSlow          = refusal(gatewayv1.PushErrorCode_TARGET_SLOW)
	ErrInvalidRequest      = refusal(gatewayv1.PushErrorCode_INVALID_REQUEST)
	ErrUnknown             = refusal(gatewayv1.PushErrorCode_UNKNOWN) // it may have arrived
	ErrExpired             = refusal(gatewayv1.PushErrorCode_EXPIRED)
	ErrIdempotencyConflict = refusal(gatewayv1.PushErrorCode_IDEMPOTENCY_CONFLICT)
	ErrNotAuthorized       = refusal(gatewayv1.PushErrorCode_NOT_AUTHORIZED)
	ErrPluginUnavailable   = refusal(gatewayv1.PushErrorCode_PLUGIN_UNAVAILABLE) // the same call may do later
)

func refusal(code gatewayv1.PushErrorCode) *PushError { return &PushError{Code: code.String()} }

// PushError is the gateway's refusal of a push, or of a whole call.
type PushError struct {
	Code    string // for programs, such as TARGET_OFFLINE
	Message string // for people
	Target  Target // zero when the whole call was refused
	cause   error
}

func (e *PushError) Error() string {
	if e.Target == (Target{}) {
		return fmt.Sprintf("push failed: %s (code: %s)", e.Message, e.Code)
	}
	return fmt.Sprintf("push to %s failed: %s (code: %s)", e.Target, e.Message, e.Code)
}

// Is tells whether target is a refusal with the same code that names nothing else.
func (e *PushError) Is(target error) bool {
	t, ok := target.(*PushError)
	return ok && t.Code == e.Code && t.Message == "" && t.Target == (Target{})
}

// Unwrap returns the gRPC error of a call that was refused as a whole.
func (e *PushError) Unwrap() error { return e.cause }

// callError tells a refusal of the gateway from a call that failed.
func callError(err error) error {
	if errors.Is(err, ErrNoToken) {
		return err // whatever the source's error looks like, it is no word of the gateway's
	}
	st, ok := status.FromError(err)
	if !ok || st.Code() == codes.Unavailable {
		return failed(err)
	}
	for _, detail := range st.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return &PushError{Code: info.GetReason(), Message: st.Message(), cause: err}
		}
	}
	return failed(err)
}

func failed(err error) error {
	if errors.Is(err, ErrNotConnected) {
		return err
	}
	return fmt.Errorf("upstream: gRPC call failed: %w", err)
}
