package gateway

import (
	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	"github.com/game-im/hermod/internal/biz"
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
