package protocol

import (
	"context"
	"errors"

	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/node"
)

// askEverybody asks all other nodes until ctx ends, or take returns false, and returns how many have not
// answered. An answer that take cannot read is none; of nodes that are out of reach there is one at least.
func askEverybody(ctx context.Context, n *node.Node, k node.Kind, body []byte, take func(broker.Answer) (ok, more bool)) (silent int) {
	if n.ID() == "" {
		return 0
	}
	awaited := make(map[string]bool)
	for _, id := range n.Others() {
		awaited[id] = true
	}
	stopped := false
	err := n.Ask(ctx, broker.EveryNode, k, body, func(a broker.Answer) bool {
		ok, more := take(a)
		if ok {
			delete(awaited, a.Node)
		}
		stopped = !more
		return more
	})
	switch {
	case stopped:
		return 0
	case errors.Is(err, broker.ErrDown):
		return max(1, len(awaited))
	}
	return len(awaited)
}

// askNode asks one other node. ok is false when it has not answered.
func askNode(ctx context.Context, n *node.Node, id string, k node.Kind, body []byte) (answer []byte, ok bool) {
	err := n.Ask(ctx, broker.NodeChannel(id), k, body, func(a broker.Answer) bool {
		answer, ok = a.Body, true
		return false
	})
	return answer, ok && err == nil
}
