package protocol

import (
	"strconv"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/realtime/overload"
)

// ReasonOverloaded is the reason of refusals by Overloaded.
const ReasonOverloaded = "OVERLOADED"

// Overloaded is what callers are told whom the node refuses since it has reached a limit.
func Overloaded(r *overload.Refusal) *biz.Error {
	return biz.Errorf(biz.KindUnavailable, ReasonOverloaded, "%s", r.Text).After(r.Retry)
}

// HeaderRetry carries the advice of a refusal in headers and metadata of frames, in milliseconds.
const HeaderRetry = "retry-after-ms"

// Milliseconds is how HeaderRetry is written.
func Milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }
