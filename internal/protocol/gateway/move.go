package gateway

import (
	"context"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/protocol/wire"
	"github.com/game-im/hermod/internal/realtime/session"
)

// enteringCheck is how often it is looked whether what the reader has in its hands is in the lane.
const enteringCheck = time.Millisecond

// MoveBy implements protocol.Movable.
func (h *Handler) MoveBy(m *protocol.Moves) { h.moves = m }

// Owns implements protocol.Movable.
func (h *Handler) Owns(s *session.Session) bool { return lifeOf(s) != nil }

// Freeze implements protocol.Movable: what the client asks for from now on is refused, as if the connection
// had been lost before it.
func (h *Handler) Freeze(ctx context.Context, s *session.Session) (thaw func(), quiet bool) {
	l := lifeOf(s)
	thaw = func() { l.freeze(false) }
	for l.freeze(true) > 0 {
		select {
		case <-time.After(enteringCheck):
		case <-ctx.Done():
			return thaw, false
		}
	}
	select {
	case <-l.lane.done():
		return thaw, true
	case <-ctx.Done():
		return thaw, false
	}
}

// freeze returns how many requests have a number and are not in the lane.
func (l *life) freeze(frozen bool) (entering int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.frozen = frozen
	return l.entering
}

// Part implements protocol.Movable.
func (h *Handler) Part(s *session.Session) []byte {
	part, err := proto.Marshal(lifeOf(s).part())
	if err != nil {
		h.log.Error("a session cannot be written", "session", s.ID, "error", err)
	}
	return part
}

func (l *life) part() *wire.GatewayPart {
	l.mu.Lock()
	defer l.mu.Unlock()
	id := l.identity
	p := &wire.GatewayPart{
		Class: l.class, Zone: l.zone, Normal: l.normal, Last: l.last, Place: l.place,
		Identity: &wire.Identity{
			User: string(id.User), Gid: id.GID, Device: string(id.Device), Roles: id.Roles, Subject: id.Subject, Trusted: id.Trusted,
		},
	}
	if !id.Expiry.IsZero() {
		p.Identity.Expiry = id.Expiry.UnixNano()
	}
	return p
}

// lifeFrom is the way back.
func lifeFrom(part []byte) (*life, error) {
	var p wire.GatewayPart
	if err := proto.Unmarshal(part, &p); err != nil {
		return nil, err
	}
	id := p.GetIdentity()
	l := &life{
		class: p.GetClass(), zone: p.GetZone(), normal: p.GetNormal(), last: p.GetLast(), place: p.GetPlace(),
		identity: biz.Identity{
			User: biz.UserID(id.GetUser()), GID: id.GetGid(), Device: biz.DeviceID(id.GetDevice()), Roles: id.GetRoles(),
			Subject: id.GetSubject(), Trusted: id.GetTrusted(),
		},
	}
	if id.GetExpiry() != 0 {
		l.identity.Expiry = time.Unix(0, id.GetExpiry())
	}
	return l, nil
}

// Receive implements protocol.Movable.
func (h *Handler) Receive(ctx context.Context, c *session.Carried, part []byte) error {
	l, err := lifeFrom(part)
	if err != nil {
		return err
	}
	if err := h.follower().Receive(ctx, c, l, h.pushes); err != nil {
		return err
	}
	// While it was nowhere, a newer one may have taken its place.
	go h.compete(context.WithoutCancel(ctx), biz.UserID(c.User))
	return nil
}

func (h *Handler) follower() *protocol.Follower {
	if h.actions == nil { // sessions follow no rooms
		return protocol.NewFollower(h.node, nil, nil, h.log)
	}
	return h.actions.Follower()
}
