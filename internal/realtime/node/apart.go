package node

import "github.com/game-im/hermod/internal/realtime/broker"

// HandleApart is Handle for what takes a while: h runs in a goroutine of its own, most of them at a time.
// Beyond that the other node is told that this one has too much to do, which counts as no answer.
func (n *Node) HandleApart(k Kind, most int, h func(broker.Request)) {
	places := make(chan struct{}, most)
	n.requests[k] = func(r broker.Request, refuse func()) {
		select {
		case places <- struct{}{}:
		default:
			refuse()
			return
		}
		go func() {
			defer func() { <-places }()
			h(r)
		}()
	}
}
