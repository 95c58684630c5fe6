package protocol

import (
	"cmp"
	"context"
	"hash/fnv"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/game-im/hermod/internal/protocol/wire"
	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/node"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/realtime/transport"
)

// handOver gives a session of this node, which stops, to another one, where it waits for its client. One that
// cannot go stays, and ends with the node. The next node is asked only if one says no: of one that does not
// answer nobody knows whether it has the session, and two must not.
func (m *Moves) handOver(ctx context.Context, s *session.Session) {
	if s.Ticket() == "" || m.node.Alone() {
		return
	}
	over := make(chan struct{})
	m.mu.Lock()
	m.leaving[s.ID] = over
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		delete(m.leaving, s.ID)
		m.mu.Unlock()
		close(over)
	}()
	c := m.take(ctx, s, nil, transport.Shutdown)
	if c == nil {
		return
	}
	body, err := proto.Marshal(c)
	if err != nil {
		m.log.Error("a session cannot be written", "session", s.ID, "error", err)
		return
	}
	for _, to := range m.adopters(s.ID) {
		taken, answered := m.offer(ctx, to, body)
		if taken {
			m.node.MovedTo(s.ID, to)
		}
		if taken || !answered {
			return
		}
	}
}

// offer asks a node to take a session over.
func (m *Moves) offer(ctx context.Context, to string, body []byte) (taken, answered bool) {
	ctx, cancel := context.WithTimeout(ctx, adoptWithin)
	defer cancel()
	_ = m.node.Ask(ctx, broker.NodeChannel(to), node.KindAdopt, body, func(a broker.Answer) bool { // silence is told by answered
		var w wire.Adopted
		answered = proto.Unmarshal(a.Body, &w) == nil
		taken = w.GetTaken()
		return true
	})
	return taken, answered
}

// adopters returns the nodes that are asked to take a session over: of each session in an order of its own, so
// that a node that stops burdens all others alike.
func (m *Moves) adopters(id string) []string {
	type ranked struct {
		node string
		rank uint64
	}
	var all []ranked
	for _, member := range m.node.Others() {
		h := fnv.New64a()
		_, _ = h.Write([]byte(id + " " + member)) // never fails
		all = append(all, ranked{member, h.Sum64()})
	}
	slices.SortFunc(all, func(a, b ranked) int { return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.node, b.node)) })
	var nodes []string
	for _, r := range all[:min(len(all), maxAdopters)] {
		nodes = append(nodes, r.node)
	}
	return nodes
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
