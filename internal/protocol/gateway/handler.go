package gateway

import (
	"context"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/realtime/transport"
)

// Handler serves gateway sessions on connections of any transport.
type Handler struct{}

// Serve runs a client's connection until it ends and returns why: nil after a clean end by the
// client. It writes ServerPush frames of o.Format, each with its number, and reads one ClientRequest
// of that format from each frame that conn.Read returns. The caller closes the connection.
func (h *Handler) Serve(ctx context.Context, conn transport.Conn, o Opening) error {
	return biz.Errorf(biz.KindUnavailable, "NOT_SERVING", "the gateway protocol is not served yet")
}
