package biz

import (
	"context"
	"errors"
)

// Authorizer decides about joining and pushing, once all rules allow it; about what is said an Interceptor does.
// It is asked outside of any transaction, and waits no longer than its bounds and ctx let it.
type Authorizer interface {
	// MayJoin returns nil if the user may become a member of the room.
	MayJoin(ctx context.Context, by Identity, room RoomID, user UserID) error
	// MayPush tells for each target, in their order, why it may not be pushed to; nil: it may. nil as a whole: all
	// of them may be.
	MayPush(ctx context.Context, by Identity, to []Target) []error
	// MayBroadcast returns nil if everybody may be pushed to.
	MayBroadcast(ctx context.Context, by Identity) error
}

// NewAuthorizedRooms is NewRooms with an authorizer of joins; nil: none.
func NewAuthorizedRooms(rooms RoomRepo, members MemberRepo, log MessageLog, live Deliverer, presence Presence, rules RoomRules, who Authorizer) *Rooms {
	r := NewRooms(rooms, members, log, live, presence, rules)
	r.authorizer = who
	return r
}

// errMustAsk ends a transaction in which somebody would join of whom the authorizer has not been asked.
var errMustAsk = errors.New("the authorizer must be asked first")

// join has a decision made and applied. Of whoever would be a new member the authorizer is asked in between, when
// everything else allows it and nothing is locked; then the decision is made anew, since things may have changed.
func (r *Rooms) join(ctx context.Context, by Identity, room RoomID, user UserID, decide func(JoinState) (JoinPlan, error)) (JoinResult, error) {
	if r.authorizer == nil {
		return r.members.Join(ctx, room, user, decide)
	}
	asked := map[UserID]bool{}
	for {
		var ask []UserID
		res, err := r.members.Join(ctx, room, user, func(s JoinState) (JoinPlan, error) {
			plan, err := decide(s)
			if err != nil || s.Member != nil {
				return plan, err
			}
			if ask = unasked(asked, user, plan); len(ask) > 0 {
				return JoinPlan{}, errMustAsk
			}
			return plan, nil
		})
		if !errors.Is(err, errMustAsk) {
			return res, err
		}
		for _, who := range ask {
			if err := r.authorizer.MayJoin(ctx, by, room, who); err != nil {
				return JoinResult{}, err
			}
			asked[who] = true
		}
	}
}

// unasked returns those of a plan's new members who have not been asked about.
func unasked(asked map[UserID]bool, user UserID, plan JoinPlan) (who []UserID) {
	if !asked[user] {
		who = append(who, user)
	}
	for _, m := range plan.With {
		if !asked[m.User] {
			who = append(who, m.User)
		}
	}
	return who
}

// NewAuthorizedPushes is NewPushes with an authorizer; nil: none.
func NewAuthorizedPushes(sessions PushSessions, inbox Inbox, keys PushKeys, rules PushRules, who Authorizer) *Pushes {
	s := NewPushes(sessions, inbox, keys, rules)
	s.authorizer = who
	return s
}

// denials are why targets may not be pushed to, in their order; nil: all may be, and an entry that is nil: that
// target may be.
type denials []*Error

// of returns the denial of the i-th target, or nil.
func (d denials) of(i int) *Error {
	if d == nil {
		return nil
	}
	return d[i]
}

// authorize asks about the targets that can be pushed to at all.
func (s *Pushes) authorize(ctx context.Context, targets []Target) denials {
	if s.authorizer == nil {
		return nil
	}
	var ask []Target
	var at []int
	for i, t := range targets {
		if _, err := t.recipient(); err == nil {
			ask, at = append(ask, t), append(at, i)
		}
	}
	if len(ask) == 0 {
		return nil
	}
	answers := s.authorizer.MayPush(ctx, IdentityFrom(ctx), ask)
	if answers == nil {
		return nil
	}
	denied := make(denials, len(targets))
	for k, err := range answers {
		denied[at[k]] = AsError(err)
	}
	return denied
}

// undecided returns the first denial that is none for good: a request with a key must not begin under it, so that
// it can come again.
func (d denials) undecided() *Error {
	for _, err := range d {
		if err != nil && err.Kind != KindPermissionDenied {
			return err
		}
	}
	return nil
}

// authorizeAll asks whether everybody may be pushed to.
func (s *Pushes) authorizeAll(ctx context.Context) error {
	if s.authorizer == nil {
		return nil
	}
	return s.authorizer.MayBroadcast(ctx, IdentityFrom(ctx))
}
