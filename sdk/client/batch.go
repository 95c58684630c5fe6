package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// SendOutcome is what became of one message of a batch: Result or Err, as Send returns them.
type SendOutcome struct {
	Result *SendResult
	Err    error
}

// What a server says to a message that came too soon. It is not stored and may be sent again.
const reasonRateLimited = "RATE_LIMITED"

// How long a batch that came too soon pauses: doubled as long as it does not help.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = 5 * time.Second
)

// SendBatch sends many messages, one after another without waiting for the answers in between,
// and no faster than the server allows. The outcomes are in the order of reqs, one for each; the
// error is nil if all were accepted, else it wraps the first failure. A refusal does not keep
// those that follow from being sent; the end of ctx does, and so does Disconnect.
//
// The messages of a batch arrive in their order. Should the server refuse one as coming too soon,
// because it does not announce its limit or others send through this client as well, it is sent
// again, and the rest follows one by one; a few that were already on their way may then have come
// before it.
func (c *Client) SendBatch(ctx context.Context, reqs []*imv1.MessageRequest) ([]SendOutcome, error) {
	b := &batch{c: c, reqs: reqs, outcomes: make([]SendOutcome, len(reqs))}
	l := c.living()
	if l == nil {
		b.failAll(ErrNotConnected)
		return b.outcomes, b.verdict()
	}
	b.life = l
	b.window = c.pacer.begin(c.session.allowedPace())
	ctx, unbind := l.bind(ctx)
	defer unbind()
	b.prepare()
	b.run(ctx)
	return b.outcomes, b.verdict()
}

// batch is a SendBatch at work. It belongs to one goroutine.
type batch struct {
	c        *Client
	life     *life
	reqs     []*imv1.MessageRequest
	outcomes []SendOutcome

	todo   []flight // not yet sent, or to be sent again
	flying []flight // sent, without an outcome so far
	again  []flight // refused as too soon
	window int      // how many may fly
	pause  time.Duration
}

type flight struct {
	index int // in reqs
	req   *imv1.MessageRequest
	out   *outgoing // while it flies
}

// prepare fills in what can be sent, so that it keeps its message_id when it is sent again.
func (b *batch) prepare() {
	b.todo = make([]flight, 0, len(b.reqs))
	for i, req := range b.reqs {
		full, err := b.c.prepare(req)
		if err != nil {
			b.outcomes[i].Err = err
			continue
		}
		b.todo = append(b.todo, flight{index: i, req: full})
	}
}

func (b *batch) run(ctx context.Context) {
	for {
		switch {
		case len(b.todo) > 0 && len(b.flying) < b.window && len(b.again) == 0:
			b.launch(ctx)
		case len(b.flying) > 0:
			b.land(ctx)
		case len(b.again) > 0:
			b.slowDown(ctx)
		default:
			return
		}
	}
}

// launch sends the next message when its time has come.
func (b *batch) launch(ctx context.Context) {
	f := b.todo[0]
	b.todo = b.todo[1:]
	err := b.c.pacer.wait(ctx)
	if err == nil && !answered(f.req.GetType()) {
		b.outcomes[f.index].Result, err = b.c.sendUnanswered(ctx, f.req)
	} else if err == nil {
		if f.out, err = b.c.post(ctx, f.req); err == nil {
			b.flying = append(b.flying, f)
		}
	}
	if errors.Is(err, ErrNotConnected) && b.life.isClosing() { // and nobody has told ctx yet
		err = context.Cause(b.life.ctx)
	}
	if err != nil {
		b.outcomes[f.index].Err = unsent(f.req, err)
	}
}

func unsent(req *imv1.MessageRequest, err error) error {
	return fmt.Errorf("client: send %s, not sent: %w", req.GetMessageId(), err)
}

// land takes the outcome of the message that was sent first; answers come in that order.
func (b *batch) land(ctx context.Context) {
	f := b.flying[0]
	b.flying = b.flying[1:]
	ctx, done := b.c.bound(ctx)
	defer done()
	result, err := b.c.await(ctx, f.out)
	if refused, ok := errors.AsType[*RefusedError](err); ok && refused.Reason == reasonRateLimited {
		b.again = append(b.again, f)
		return
	}
	if err == nil {
		b.pause = 0
	}
	b.outcomes[f.index] = SendOutcome{Result: result, Err: err}
}

// slowDown waits, and has what came too soon sent again before anything else.
func (b *batch) slowDown(ctx context.Context) {
	b.window = 1
	b.pause = min(max(firstPause, 2*b.pause), longestPause)
	_ = pause(ctx, b.pause) // launch finds that ctx has ended
	b.todo, b.again = append(b.again, b.todo...), nil
}

func (b *batch) failAll(err error) {
	for i := range b.outcomes {
		b.outcomes[i].Err = err
	}
}

// verdict sums the outcomes up.
func (b *batch) verdict() error {
	var first error
	failed := 0
	for _, o := range b.outcomes {
		if o.Err != nil {
			failed++
			if first == nil {
				first = o.Err
			}
		}
	}
	if first == nil {
		return nil
	}
	return fmt.Errorf("client: %d of %d messages failed, the first: %w", failed, len(b.outcomes), first)
}
