package bench

import (
	"context"
	"fmt"
)

// resting is clients who do nothing.
type resting struct{}

// newResting makes them. With im.v1 they may be members of rooms.
func newResting(l *load) (all []*client) {
	for i := range l.plan.Connections {
		room := ""
		if l.plan.Rooms > 0 && l.plan.Protocol == IM {
			room = fmt.Sprintf("bench-%x-%d", l.run, i%l.plan.Rooms)
		}
		all = append(all, newClient(l, i, room, 0))
	}
	return all
}

func (resting) drive(ctx context.Context) { <-ctx.Done() }
func (resting) settled() bool             { return true }
func (resting) counts() Counts            { return Counts{} }
func (resting) account(*Counts)           {}
func (resting) close() error              { return nil }
