package node

import (
	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/session"
)

// visit is frames that are offered to sessions, one session after another, and what became of each.
type visit struct {
	frames []*frame.Frame
	counts []session.Outcomes // of each frame
	wake   []*session.Session // spare room
}

func (v *visit) add(f *frame.Frame) {
	v.frames = append(v.frames, f)
	v.counts = append(v.counts, session.Outcomes{})
}

// reset makes it one without frames that keeps its room.
func (v *visit) reset() {
	clear(v.frames)
	v.frames, v.counts = v.frames[:0], v.counts[:0]
}

// visit makes a visit to sessions and wakes writers for them. One that has ended meanwhile has its
// successor in its place; one that is not let in yet is offered nothing, which is Gone.
func (n *Node) visit(to []*session.Session, v *visit) {
	for _, s := range to {
		wake, ended := s.OfferOpen(v.frames, v.counts)
		if ended {
			if heir := n.hub.Session(s.ID); heir != nil {
				s = heir
				wake, ended = s.OfferOpen(v.frames, v.counts)
			}
		}
		if ended {
			for i := range v.counts {
				v.counts[i][session.Gone]++
			}
		}
		if wake {
			v.wake = append(v.wake, s)
		}
	}
	n.core.Writer.Wake(v.wake...)
	clear(v.wake)
	v.wake = v.wake[:0]
}
