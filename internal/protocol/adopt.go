package protocol

import (
	"context"
	"errors"

	"google.golang.org/protobuf/proto"

	"github.com/game-im/hermod/internal/protocol/wire"
	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/node"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/realtime/transport"
)

// handOver gives a session of this node, which stops, to another one, where it waits for its client. One that
// cannot go stays, and ends with the node. The next node is asked only if one says no, or was not reached, as one
// that was killed a moment ago: of one that does not answer nobody knows whether it has the session, and two must not.
func (m *Moves) handOver(ctx context.Context, s *session.Session) {
	if s.Ticket() == "" || m.node.Alone() {
		return
	}
	over, alone := m.leave(ctx, s.ID)
	if !alone {
		return
	}
	defer over()
	c := m.take(ctx, s, nil, transport.Shutdown)
	if c == nil {
		return
	}
	body, err := proto.Marshal(c)
	if err != nil {
		m.log.Error("a session cannot be written", "session", s.ID, "error", err)
		return
	}
	for _, to := range m.node.Nearest(s.ID, maxAdopters) { // so that all others are burdened alike
		taken, refused := m.offer(ctx, to, body)
		if taken {
			m.node.MovedTo(s.ID, to)
		}
		if !refused {
			return
		}
	}
}

// offer asks a node to take a session over. It is refused if that node certainly has not.
func (m *Moves) offer(ctx context.Context, to string, body []byte) (taken, refused bool) {
	ctx, cancel := context.WithTimeout(ctx, adoptWithin)
	defer cancel()
	err := m.node.Ask(ctx, broker.NodeChannel(to), node.KindAdopt, body, func(a broker.Answer) bool {
		var w wire.Adopted
		read := proto.Unmarshal(a.Body, &w) == nil
		taken, refused = w.GetTaken(), read && !w.GetTaken()
		return true
	})
	return taken, refused || errors.Is(err, broker.ErrNobody) && !errors.Is(err, broker.ErrGone)
}

// adopt takes a session over from a node that stops, unless this one does too.
func (m *Moves) adopt(ctx context.Context, r broker.Request) proto.Message {
	var w wire.Carried
	if err := proto.Unmarshal(r.Body, &w); err != nil || m.node.Draining() {
		return &wire.Adopted{}
	}
	if err := m.receive(ctx, &w); err != nil {
		m.log.Warn("a session of a node that stops cannot be taken over", "session", w.GetId(), "node", r.Node, "error", err)
		return &wire.Adopted{}
	}
	return &wire.Adopted{Taken: true}
}
