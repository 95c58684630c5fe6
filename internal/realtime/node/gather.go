package node

import (
	"context"
	"errors"
	"time"

	"github.com/game-im/hermod/internal/realtime/broker"
)

// lingering is how long more answers are waited for once there is one, where it is not known how many there
// are: nodes answer such questions from memory.
const lingering = 20 * time.Millisecond

// Gather does what Ask does where all answers are wanted, soon: it is over with all of them, a moment after
// the first, or when ctx ends, which is an error if there is none. That nobody is there to answer is none.
func (n *Node) Gather(ctx context.Context, channel string, k Kind, body []byte) (answers []broker.Answer, err error) {
	if n.ID() == "" { // one that has just started may not know yet that there are others
		return nil, nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	err = n.Ask(ctx, channel, k, body, func(a broker.Answer) bool {
		if answers = append(answers, a); len(answers) == 1 {
			time.AfterFunc(lingering, cancel)
		}
		return true
	})
	if errors.Is(err, broker.ErrNobody) || len(answers) > 0 {
		err = nil
	}
	return answers, err
}
