package biz

import (
	"context"
	"time"
)

const (
	// expiryPoll is about how often messages are looked for whose time is over. Readers do not depend on it.
	expiryPoll = 2 * time.Second
	// expiriesAtOnce is how many are erased together.
	expiriesAtOnce = 100
)

// Run erases messages whose time is over, and tells their rooms, until ctx ends. It may run on all nodes: whichever
// comes first does it, and the others find it done.
func (r *Revisions) Run(ctx context.Context) error {
	broken := false
	for ctx.Err() == nil {
		n, err := r.expire(ctx, time.Now())
		if err != nil && !broken && ctx.Err() == nil {
			r.log.Error("messages whose time is over cannot be erased", "error", err)
		}
		broken = err != nil
		if n == expiriesAtOnce && err == nil {
			continue
		}
		select {
		case <-time.After(jittered(expiryPoll)):
		case <-ctx.Done():
		}
	}
	return nil
}

// Expired is how many messages this node has erased since their time was over.
func (r *Revisions) Expired() int64 { return r.expired.Load() }

// expire erases some of the messages whose time is over, and returns how many it found.
func (r *Revisions) expire(ctx context.Context, now time.Time) (int, error) {
	due, err := r.repo.Due(ctx, now, expiriesAtOnce)
	if err != nil || len(due) == 0 {
		return 0, err
	}
	failed := make(chan error, len(due))
	for _, p := range due {
		act := &expiry{revision{seq: p.Seq}}
		r.messages.log.Append(act.draft(p.Room, act), func(told Receipt, err error) {
			if err == nil && told.Seq > 0 { // 0: another node was faster
				r.expired.Add(1)
			}
			if KindOf(err) == KindNotFound { // the room is gone, and takes this with it
				err = nil
			}
			failed <- err
		})
	}
	for range due {
		err = firstOf(err, <-failed) // each is answered, also when the node stops
	}
	return len(due), err
}

func firstOf(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// expiry is the Act of the node that erases a message.
type expiry struct{ revision }

// Needs implements Act.
func (e *expiry) Needs() ActNeeds { return ActNeeds{Message: e.seq} }

// Decide implements Act. A message whose time is over is recalled as it is read.
func (e *expiry) Decide(s ActState) (ActPlan, error) {
	m := s.Message
	if m == nil || m.State == nil || !m.State.Recalled || m.State.RecallSeq > 0 {
		return ActPlan{}, nil
	}
	return e.again(m), nil
}
