package frames

import (
	"errors"
	"fmt"
	"strings"
	"time"

	pluginv1 "github.com/game-im/hermod/api/plugin/v1"
	"github.com/game-im/hermod/plugin"
)

var kinds = map[plugin.Kind]pluginv1.Kind{
	plugin.KindRefused:          pluginv1.Kind_KIND_REFUSED,
	plugin.KindPermissionDenied: pluginv1.Kind_KIND_PERMISSION_DENIED,
	plugin.KindUnauthenticated:  pluginv1.Kind_KIND_UNAUTHENTICATED,
	plugin.KindUnavailable:      pluginv1.Kind_KIND_UNAVAILABLE,
}

// FromError returns err for the wire, nil if it is nil. Causes stay behind, but for what they say of a
// failure.
func FromError(err error) *pluginv1.Error {
	if err == nil {
		return nil
	}
	var refused *plugin.Error
	if !errors.As(err, &refused) {
		return &pluginv1.Error{Reason: short(err.Error())}
	}
	// A refusal is told word for word, or cannot be: what is no UTF-8 has no place in a frame.
	to := &pluginv1.Error{Kind: kinds[refused.Kind], Reason: refused.Reason, RetryAfterMs: millis(refused.RetryAfter)}
	if len(to.Reason) > MaxReason || strings.ToValidUTF8(to.Reason, "") != to.Reason {
		return &pluginv1.Error{Reason: fmt.Sprintf("its reason of %d bytes cannot be told: 1 to %d bytes of UTF-8 can", len(to.Reason), MaxReason)}
	}
	return to
}

// ToError is the inverse of FromError.
func ToError(e *pluginv1.Error) error {
	if e == nil {
		return nil
	}
	for kind, wire := range kinds {
		if wire == e.GetKind() {
			return &plugin.Error{Kind: kind, Reason: e.GetReason(), RetryAfter: time.Duration(e.GetRetryAfterMs()) * time.Millisecond}
		}
	}
	return fmt.Errorf("it says: %s", short(e.GetReason()))
}

func short(text string) string {
	return strings.ToValidUTF8(text[:min(len(text), MaxReason)], "?")
}
