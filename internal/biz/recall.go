package biz

import (
	"context"
	"time"
)

// maxReason bounds why a message was recalled, in bytes.
const maxReason = 512

// RecallRequest takes a message back.
type RecallRequest struct {
	Room   RoomID
	User   UserID // empty: the caller's own; or nobody, for a service
	Seq    int64
	Reason string // shown to the room, may be empty
}

// Recall erases what a message says, also from the events about it, and its reactions. Its place in the room stays.
// Senders may do so for a time, moderators always. Of a message that was recalled before, the answer is that of then.
func (r *Revisions) Recall(ctx context.Context, by Identity, req RecallRequest) (Revised, error) {
	if err := checkTarget(req.Room, req.Seq); err != nil {
		return Revised{}, err
	}
	actor, err := ActorOf(by, req.User)
	if err != nil {
		return Revised{}, err
	}
	if len(req.Reason) > maxReason {
		return Revised{}, Errorf(KindInvalid, "INVALID_ARGUMENT", "reason has %d bytes; at most %d are allowed", len(req.Reason), maxReason)
	}
	if err := checkText("reason", req.Reason); err != nil {
		return Revised{}, err
	}
	author, err := r.repo.Author(ctx, req.Room, req.Seq)
	if err != nil && KindOf(err) != KindNotFound { // which the act explains
		return Revised{}, err
	}
	act := &recall{
		revision: revision{actor: actor, seq: req.Seq}, author: author, reason: req.Reason,
		window: r.messages.rules.Load().RecallWindow,
	}
	receipt, err := r.do(ctx, act.draft(req.Room, act))
	if err != nil { // it may be decided yet
		return Revised{}, err
	}
	return Revised{Seq: receipt.Seq, State: act.after}, nil
}

// recall is the Act.
type recall struct {
	revision
	author UserID // who never changes
	reason string
	window time.Duration
}

// Needs implements Act.
func (r *recall) Needs() ActNeeds { return ActNeeds{Message: r.seq, Member: r.author} }

// Decide implements Act.
func (r *recall) Decide(s ActState) (ActPlan, error) {
	m, err := r.of(&s)
	if err != nil {
		return ActPlan{}, err
	}
	other := May(r.actor, ActRecallOther, &s.Room, s.Sender, s.Member)
	own := m.Sender == r.actor.User && m.Sender != ""
	switch {
	case other != nil && !own:
		return ActPlan{}, other
	case other != nil:
		if err := May(r.actor, ActRecallOwn, &s.Room, s.Sender, nil); err != nil {
			return ActPlan{}, err
		}
	}
	switch {
	case m.State != nil && m.State.Recalled:
		return r.again(m), nil
	case other != nil && r.window > 0 && s.Now.Sub(m.Time) > r.window:
		return ActPlan{}, Errorf(KindPermissionDenied, "RECALL_WINDOW_OVER", "message %d of room %q was said at %s; its sender can recall it for %s", m.Seq, s.Room.ID, m.Time.Format(time.RFC3339), r.window)
	}
	r.after = m.State.recalled(r.actor.User, s.Now)
	return ActPlan{Event: r.event(EventRecalled, "reason", r.reason), Edit: &Edit{State: r.after, Replace: true}}, nil
}

// again is what comes of recalling a message whose content is gone. Where its time is over and the room was not told,
// it is now.
func (r *revision) again(m *Message) ActPlan {
	r.after = *m.State
	if m.State.RecallSeq > 0 {
		return ActPlan{Said: m.State.RecallSeq}
	}
	over := &revision{seq: r.seq, after: r.after}
	return ActPlan{Event: over.event(EventExpired), Edit: &Edit{State: r.after, Replace: true}}
}
