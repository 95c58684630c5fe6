package gateway

import (
	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol"
)

// Codes of an ErrorMessage.
const (
	codeInvalid   = 400
	codeLogin     = 401
	codeForbidden = 403
	codeNotFound  = 404
	codeFailed    = 500
	codeBusy      = 503
)

// errorMessage puts a failure in the protocol's terms: a code, a text for people, and the reason that
// programs test as detail.
func errorMessage(err *biz.Error) *gatewayv1.ErrorMessage {
	return &gatewayv1.ErrorMessage{ErrorCode: codeOf(err.Kind), ErrorMessage: err.Text, Detail: err.Reason}
}

// advice is what the headers of a refusal say.
func advice(err *biz.Error) map[string]string {
	if err.Retry <= 0 {
		return nil
	}
	return map[string]string{protocol.HeaderRetry: protocol.Milliseconds(err.Retry)}
}

func codeOf(k biz.Kind) int32 {
	switch k {
	case biz.KindInvalid, biz.KindConflict:
		return codeInvalid
	case biz.KindUnauthenticated:
		return codeLogin
	case biz.KindPermissionDenied:
		return codeForbidden
	case biz.KindNotFound:
		return codeNotFound
	case biz.KindResourceLimit, biz.KindUnavailable, biz.KindCanceled:
		return codeBusy
	}
	return codeFailed
}
