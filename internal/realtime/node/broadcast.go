package node

import (
	"runtime"
	"sync"

	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/session"
)

// maxTogether bounds how many broadcasts one visit to the sessions is made for.
const maxTogether = 256

// broadcasts are frames for all sessions. Whoever visits the sessions with one takes along those that
// others have brought meanwhile: under load that is one visit for many.
type broadcasts struct {
	mu       sync.Mutex
	returned sync.Cond // a visit is over
	waiting  []*broadcast
	visiting bool

	visit visit // of whoever is visiting
}

// broadcast is one frame for all sessions, and what became of it.
type broadcast struct {
	frame  *frame.Frame
	done   bool
	counts session.Outcomes
}

// Broadcast offers a frame to every session that is let in and counts the outcomes. All sessions see
// broadcasts in one order.
func (n *Node) Broadcast(f *frame.Frame) session.Outcomes {
	b := &broadcast{frame: f}
	all := &n.broadcasts
	all.mu.Lock()
	defer all.mu.Unlock()
	all.waiting = append(all.waiting, b)
	for !b.done {
		if all.visiting {
			all.returned.Wait()
			continue
		}
		all.goLocked(n)
	}
	return b.counts
}

// goLocked visits the sessions for those who wait, with the lock released. Their broadcasts are done then,
// after a panic too, which would be that of an encoder: nobody is to try again with the same frames.
func (all *broadcasts) goLocked(n *Node) {
	all.visiting = true
	all.mu.Unlock()
	runtime.Gosched() // others who are about to bring something come along
	now := all.take()
	defer func() {
		all.mu.Lock()
		for i, b := range now {
			b.done, b.counts = true, all.visit.counts[i]
		}
		all.visit.reset()
		all.visiting = false
		all.returned.Broadcast()
	}()
	for _, b := range now {
		all.visit.add(b.frame)
	}
	n.visit(n.hub.All(), &all.visit)
}

// take returns the first that wait.
func (all *broadcasts) take() []*broadcast {
	all.mu.Lock()
	defer all.mu.Unlock()
	now := all.waiting[:min(len(all.waiting), maxTogether)]
	if all.waiting = all.waiting[len(now):]; len(all.waiting) == 0 {
		all.waiting = nil
	}
	return now
}
