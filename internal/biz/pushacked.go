package biz

import (
	"context"
	"time"
)

// AwaitedPush is a push that was offered to the sessions of one recipient.
type AwaitedPush interface {
	// Wait waits until a client has acknowledged the push, which is OutcomeDelivered, until none can
	// any more, or until ctx ends. OutcomeQueued: no client has, and it stays in a session.
	// OutcomeUnknown: the session has ended with the push on its way. The others are as for Push. It
	// is to be called once, always.
	Wait(ctx context.Context) Offered
	// Leave says, after Wait, that the target was answered that the push waits in its sessions: what
	// becomes of it there in the end is counted.
	Leave()
}

// pushAcked pushes to every target and waits for all of them together.
func (s *Pushes) pushAcked(ctx context.Context, targets []Target, denied denials, p *Push, o PushOptions) []PushResult {
	results, recipients, at := p.recipients(targets, denied)
	waiting, cancel := o.waiting(ctx)
	defer cancel()
	waits := s.sessions.Await(waiting, recipients, p)
	outcomes := make([]Offered, len(waits))
	for k, w := range waits {
		outcomes[k] = w.Wait(waiting)
	}
	late := waiting.Err() != nil
	storing := context.WithoutCancel(ctx)
	InParallel(len(waits), keepers, 1, func(k int) {
		i := at[k]
		var kept bool
		results[i], kept = s.waitedFor(storing, targets[i], recipients[k], p, outcomes[k], late)
		if results[i].Outcome == OutcomeQueued && !kept {
			waits[k].Leave()
		}
	})
	return results
}

// recipients returns whom a push is to be offered to, and which targets they are. The others have a result.
func (p *Push) recipients(targets []Target, denied denials) (results []PushResult, to []Recipient, at []int) {
	results = make([]PushResult, len(targets))
	to, at = make([]Recipient, 0, len(targets)), make([]int, 0, len(targets))
	over := p.over(time.Now())
	for i, t := range targets {
		r, err := t.recipient()
		switch {
		case err != nil:
			results[i] = rejected(err)
		case denied.of(i) != nil:
			results[i] = rejected(denied.of(i))
		case over:
			results[i] = p.tooLate()
		default:
			to, at = append(to, r), append(at, i)
		}
	}
	return results, to, at
}

// waitedFor returns the result of a target that was waited for. Somebody for whom the push is to be
// kept and who has not acknowledged it finds it in his inbox, rather twice than never: a session that
// has it may end before its client gets to it. kept tells that the inbox has it.
func (s *Pushes) waitedFor(ctx context.Context, t Target, to Recipient, p *Push, offered Offered, late bool) (result PushResult, kept bool) {
	out := offered.Outcome
	result = PushResult{Outcome: out, Err: explainOutcome(offered, t)}
	switch out {
	case OutcomeDelivered, OutcomeSlow, OutcomeExpired:
		return result, false
	case OutcomeQueued:
		result.Note = "its connection was lost; it waits for the client to come back"
		if late {
			result.Note = "not acknowledged in time; it may still arrive"
		}
	}
	if !p.StoreOffline || to.Kind != TargetUser {
		return result, false
	}
	if p.over(time.Now()) {
		if out == OutcomeOffline {
			return p.tooLate(), false
		}
		return result, false // he may have it, and it is worth nothing later
	}
	stored := s.keep(ctx, UserID(to.ID), p)
	switch {
	case stored.Err == nil:
		stored.Note = "not acknowledged; it is kept in the inbox"
		return stored, true
	case out == OutcomeOffline:
		return stored, false
	case result.Err == nil:
		result.Note += "; it could not be kept in the inbox: " + stored.Err.Text
	}
	return result, false
}
