package biz

import (
	"context"
	"strconv"
	"time"
	"unicode"
)

const (
	// MaxReactions is how many different reactions a message has.
	MaxReactions = 20
	// MaxReactionBytes bounds one of them.
	MaxReactionBytes = 64

	// DefaultReactions is how long a page of who has reacted is that does not say.
	DefaultReactions = 100
	// MaxListedReactions bounds such a page.
	MaxListedReactions = 1000
)

// Reaction is one of a user to a message.
type Reaction struct {
	User     UserID
	Reaction string
	At       time.Time
	Event    int64 // seq of the event that tells of it
}

// ReactRequest adds a reaction, or takes it away.
type ReactRequest struct {
	Room     RoomID
	User     UserID // empty: the caller's own
	Seq      int64
	Reaction string
	Remove   bool
}

// React adds a reaction of a user to a message, or takes it away. What changes nothing is no error, and the room is
// not told.
func (r *Revisions) React(ctx context.Context, by Identity, req ReactRequest) (Revised, error) {
	actor, err := userOf(by, req.User, req.Room, req.Seq)
	if err != nil {
		return Revised{}, err
	}
	if err := checkReaction(req.Reaction); err != nil {
		return Revised{}, err
	}
	act := &react{revision: revision{actor: actor, seq: req.Seq}, reaction: req.Reaction, remove: req.Remove}
	receipt, err := r.do(ctx, act.draft(req.Room, act))
	if err != nil { // it may be decided yet
		return Revised{}, err
	}
	return Revised{Seq: receipt.Seq, State: act.after}, nil
}

func checkReaction(s string) error {
	if s == "" || len(s) > MaxReactionBytes {
		return Errorf(KindInvalid, "INVALID_REACTION", "reaction has %d bytes; 1 to %d are allowed", len(s), MaxReactionBytes)
	}
	if err := checkText("reaction", s); err != nil {
		return err
	}
	for _, c := range s {
		if unicode.IsControl(c) || unicode.IsSpace(c) {
			return Errorf(KindInvalid, "INVALID_REACTION", "reaction %s has white space or a control character; an emoji or a short name has neither", quote(s))
		}
	}
	return nil
}

// react is the Act.
type react struct {
	revision
	reaction string
	remove   bool
}

// Needs implements Act.
func (r *react) Needs() ActNeeds { return ActNeeds{Message: r.seq, Reaction: r.reaction} }

// Decide implements Act.
func (r *react) Decide(s ActState) (ActPlan, error) {
	m, err := r.standing(&s, ActReact)
	if err != nil {
		return ActPlan{}, err
	}
	if s.Sender != nil && m.Seq <= s.Sender.JoinSeq {
		return ActPlan{}, Errorf(KindNotFound, "MESSAGE_NOT_FOUND", "message %d of room %q is from before user %q joined it", m.Seq, s.Room.ID, r.actor.User)
	}
	if s.Reacted != r.remove {
		if r.after = (MessageState{}); m.State != nil {
			r.after = *m.State
		}
		return ActPlan{}, nil
	}
	if r.remove {
		r.after = m.State.unreacted(r.reaction)
		return r.plan(EventReactionRemoved), nil
	}
	if m.State != nil && len(m.State.Reactions) >= MaxReactions && m.State.reaction(r.reaction) < 0 {
		return ActPlan{}, Errorf(KindResourceLimit, "TOO_MANY_REACTIONS", "message %d of room %q has %d different reactions; at most %d are allowed", m.Seq, s.Room.ID, len(m.State.Reactions), MaxReactions)
	}
	r.after = m.State.reacted(r.reaction)
	return r.plan(EventReactionAdded), nil
}

func (r *react) plan(t EventType) ActPlan {
	event := r.event(t, "reaction", r.reaction)
	event.Reaction = r.reaction
	return ActPlan{Event: event, Edit: &Edit{State: r.after, React: r.reaction, Unreact: r.remove}}
}

// ReactionsRequest asks who has reacted to a message.
type ReactionsRequest struct {
	Room  RoomID
	User  UserID // empty: the caller's own; or nobody, for a service
	Seq   int64
	Limit int    // 0: DefaultReactions
	Token string // ReactionsPage.Next of the page before; empty: the first
}

// ReactionsPage is a part of them, in the order in which they came.
type ReactionsPage struct {
	Reactions []Reaction
	Next      string // empty: this was the last page
}

// Reactions returns who has reacted to a message, and how, to those who may read it.
func (r *Revisions) Reactions(ctx context.Context, by Identity, req ReactionsRequest) (ReactionsPage, error) {
	if err := checkTarget(req.Room, req.Seq); err != nil {
		return ReactionsPage{}, err
	}
	if err := checkLimit(req.Limit, MaxListedReactions); err != nil {
		return ReactionsPage{}, err
	}
	var after int64
	if req.Token != "" {
		var err error
		if after, err = strconv.ParseInt(req.Token, 36, 64); err != nil || after < 0 {
			return ReactionsPage{}, Errorf(KindInvalid, "INVALID_PAGE_TOKEN", "page_token %s is not one of this call's", quote(req.Token))
		}
	}
	who, err := readerOf(by, req.User)
	if err != nil {
		return ReactionsPage{}, err
	}
	s, err := r.history.standing(ctx, who, HistoryRequest{Room: req.Room, User: req.User})
	if err != nil {
		return ReactionsPage{}, err
	}
	if req.Seq <= s.Floor || req.Seq > s.Head {
		return ReactionsPage{}, Errorf(KindNotFound, "MESSAGE_NOT_FOUND", "message %d of room %q is not there, or no longer", req.Seq, req.Room)
	}
	limit := orElse(req.Limit, DefaultReactions)
	list, err := r.repo.Reactions(ctx, req.Room, req.Seq, after, limit+1)
	if err != nil || len(list) <= limit {
		return ReactionsPage{Reactions: list}, err
	}
	list = list[:limit]
	return ReactionsPage{Reactions: list, Next: strconv.FormatInt(list[limit-1].Event, 36)}, nil
}
