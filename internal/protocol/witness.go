package protocol

import (
	"context"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/realtime/node"
)

// witnessParts is in how many parts the users of a node are noted to be there, so that the store has no more to do
// at one moment than at another.
const witnessParts = 60

// Witness notes now and then who is there, so that of users of a node that was killed it is known when they were.
type Witness struct {
	node  *node.Node
	seen  Seen
	every time.Duration
}

// NewWitness returns a Witness that notes each user once in every; 0 is never but at the end.
func NewWitness(n *node.Node, seen Seen, every time.Duration) *Witness {
	return &Witness{node: n, seen: seen, every: every}
}

// Run works until ctx ends, and then notes everybody who is there: the node stops.
func (w *Witness) Run(ctx context.Context) error {
	if w.every > 0 {
		w.run(ctx)
	}
	<-ctx.Done()
	w.note(w.there())
	return nil
}

func (w *Witness) run(ctx context.Context) {
	var left []string
	for part := 0; pause(ctx, w.every/witnessParts); part = (part + 1) % witnessParts {
		if part == 0 {
			left = w.there()
		}
		n := (len(left) + witnessParts - part - 1) / (witnessParts - part)
		w.note(left[:n])
		left = left[n:]
	}
}

func (w *Witness) there() []string {
	var users []string
	w.node.Presence().Each(func(user string) bool {
		users = append(users, user)
		return true
	})
	return users
}

// note notes those who are there yet: who has gone since was noted then.
func (w *Witness) note(users []string) {
	now := time.Now()
	for _, user := range users {
		if w.node.Online(user) {
			w.seen.Seen(biz.UserID(user), now)
		}
	}
}
