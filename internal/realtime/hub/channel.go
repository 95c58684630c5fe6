package hub

import (
	"sync"

	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/session"
)

// channel is one channel's subscribers on this node. Its lock is what puts the publications of a
// channel into one order for everybody.
type channel struct {
	name string

	mu   sync.Mutex
	subs []*session.Subscription
	head int64 // highest seq that came by
	gone bool  // taken off the hub
}

// deliver returns the sessions to wake, and whether the one that sent p was among the subscribers.
func (ch *channel) deliver(p *frame.Publication, origin *session.Session) (wake []*session.Session, replied bool) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	ch.head = max(ch.head, p.Seq)
	for _, sub := range ch.subs {
		mine := sub.Session == origin
		replied = replied || mine
		if !sub.Session.Deliver(sub, p, mine) {
			continue
		}
		if wake == nil {
			wake = make([]*session.Session, 0, len(ch.subs))
		}
		wake = append(wake, sub.Session)
	}
	return wake, replied
}

// TryLive implements session.Channel.
func (ch *channel) TryLive(sub *session.Subscription) bool {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return sub.Live(ch.head)
}
