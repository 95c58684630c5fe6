package im

import (
	"context"

	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/realtime/session"
)

// stream is what tells sessions of im.v1 from others.
type stream struct{}

// ProtocolName implements protocol.Spoken.
func (stream) ProtocolName() string { return "im.v1" }

// MoveBy implements protocol.Movable.
func (h *Handler) MoveBy(m *protocol.Moves) { h.moves = m }

// Owns implements protocol.Movable.
func (h *Handler) Owns(s *session.Session) bool {
	_, owns := s.Protocol.(stream)
	return owns
}

// Freeze implements protocol.Movable. What the client sends in that moment is stored, or not, as when its
// connection is lost: a client without the ACK sends it again.
func (h *Handler) Freeze(context.Context, *session.Session) (thaw func(), quiet bool) {
	return func() {}, true
}

// Part implements protocol.Movable: there is nothing that the client does not say again.
func (h *Handler) Part(*session.Session) []byte { return nil }

// Receive implements protocol.Movable.
func (h *Handler) Receive(ctx context.Context, c *session.Carried, _ []byte) error {
	return h.follower.Receive(ctx, c, stream{}, h.pushes)
}

// resume continues the session that the client names, from whichever node it is on. One of another protocol is
// left alone: its queue has frames that this client could not read, and its own one comes for them.
func (h *Handler) resume(ctx context.Context, o Opening, r session.Return) (s *session.Session, ticket string, ok bool) {
	user := string(o.Identity.User)
	if h.node.Session(o.Session) == nil {
		h.moves.Fetch(ctx, protocol.Wanted{Session: o.Session, User: user, Protocol: h, Return: r})
	}
	id := o.Session
	if s := h.node.Session(id); s != nil && !h.Owns(s) {
		id = "" // which is nobody's
	}
	return h.node.Resume(id, user, r)
}
