package biz

import (
	"context"
	"time"
)

// MaxReason bounds the reason of a mute, a kick or a ban, in bytes.
const MaxReason = 1024

// latestUntil is the last moment that a protobuf timestamp can name: an answer with a later one has no form in JSON, and
// clients may refuse all of it.
var latestUntil = time.Date(9999, time.December, 31, 23, 59, 59, 0, time.UTC)

// OfMember asks to do something about a member of a room, or who is to be one or not.
type OfMember struct {
	User   UserID // who asks; empty: the caller
	Room   RoomID
	Member UserID
	Reason string
	Until  time.Time // zero: for good
}

// check is a part of all that is asked of members.
func (a *RoomAdmin) check(by Identity, req *OfMember) (Actor, error) {
	actor, err := a.actor(by, req.User, req.Room)
	if err != nil {
		return Actor{}, err
	}
	if err := checkID("member_id", string(req.Member)); err != nil {
		return Actor{}, err
	}
	if len(req.Reason) > MaxReason {
		return Actor{}, Errorf(KindInvalid, "INVALID_ARGUMENT", "reason has %d bytes; at most %d are allowed", len(req.Reason), MaxReason)
	}
	if !req.Until.IsZero() {
		req.Until = req.Until.UTC().Truncate(time.Microsecond) // as stores keep it
		switch {
		case !req.Until.After(time.Now()):
			return Actor{}, Errorf(KindInvalid, "INVALID_ARGUMENT", "until is %s, which is past", req.Until.Format(time.RFC3339))
		case req.Until.After(latestUntil):
			return Actor{}, Errorf(KindInvalid, "INVALID_ARGUMENT", "until is in the year %d; up to %d is allowed, in seconds since 1970, and leaving it out is for good", req.Until.Year(), latestUntil.Year())
		}
	}
	return actor, checkText("reason", req.Reason)
}

// of has something done about a member who is there, and returns him as he is then.
func (a *RoomAdmin) of(ctx context.Context, by Identity, req OfMember, do Action, change func(ActState, Actor) (ActPlan, error)) (Member, error) {
	actor, err := a.check(by, &req)
	if err != nil {
		return Member{}, err
	}
	needs := ActNeeds{Member: req.Member}
	if do == ActSetRole {
		needs.Heir = req.Member
	}
	var after Member
	err = a.act(ctx, req.Room, actor, needs, func(s ActState) (ActPlan, error) {
		if err := May(actor, do, &s.Room, s.Sender, s.Member); err != nil {
			return ActPlan{}, err
		}
		if s.Member == nil {
			return ActPlan{}, ErrNotAMember(req.Room, req.Member)
		}
		before := *s.Member
		plan, err := change(s, actor)
		if after = *s.Member; after == before && plan.Remove == "" {
			return ActPlan{}, err
		}
		return plan, err
	})
	if err != nil { // it may be decided yet
		return Member{}, err
	}
	return after, nil
}

// SetRole gives a member another role. The last admin of a room keeps his, unless a service takes it.
func (a *RoomAdmin) SetRole(ctx context.Context, by Identity, req OfMember, role Role) (Member, error) {
	if role < RoleUser || role > RoleAdmin {
		return Member{}, Errorf(KindInvalid, "INVALID_ARGUMENT", "role %d is unknown; USER (1), MODERATOR (2) and ADMIN (3) are allowed", role)
	}
	return a.of(ctx, by, req, ActSetRole, func(s ActState, actor Actor) (ActPlan, error) {
		if s.Member.Role == RoleAdmin && role != RoleAdmin && !actor.Service && (s.Heir == nil || s.Heir.Role < RoleAdmin) {
			return ActPlan{}, Errorf(KindPermissionDenied, "LAST_ADMIN", "user %q is the last admin of room %q; make somebody else admin first", req.Member, req.Room)
		}
		s.Member.Role = role
		return ActPlan{Member: s.Member, Event: roleChanged(actor, s.Member)}, nil
	})
}

func roleChanged(actor Actor, m *Member) *Event {
	data := about(actor, m.User, "")
	data["role"] = m.Role.String()
	return &Event{Type: EventRoleChanged, By: actor.User, Data: data, Member: m}
}

// Mute keeps a member from speaking, until a moment or until he is unmuted.
func (a *RoomAdmin) Mute(ctx context.Context, by Identity, req OfMember) (Member, error) {
	return a.of(ctx, by, req, ActMute, func(s ActState, actor Actor) (ActPlan, error) {
		s.Member.Muted, s.Member.MutedUntil = true, req.Until.UTC().Truncate(time.Microsecond)
		data := until(about(actor, req.Member, req.Reason), req.Until)
		return ActPlan{Member: s.Member, Event: &Event{Type: EventMuted, By: actor.User, Data: data, Member: s.Member}}, nil
	})
}

// Unmute lets a member speak again.
func (a *RoomAdmin) Unmute(ctx context.Context, by Identity, req OfMember) (Member, error) {
	return a.of(ctx, by, req, ActMute, func(s ActState, actor Actor) (ActPlan, error) {
		s.Member.Muted, s.Member.MutedUntil = false, time.Time{}
		return ActPlan{Member: s.Member, Event: &Event{Type: EventUnmuted, By: actor.User, Data: about(actor, req.Member, ""), Member: s.Member}}, nil
	})
}

// Kick ends the membership of another; he may join again.
func (a *RoomAdmin) Kick(ctx context.Context, by Identity, req OfMember) error {
	_, err := a.of(ctx, by, req, ActKick, func(s ActState, actor Actor) (ActPlan, error) {
		if actor.User == req.Member {
			return ActPlan{}, errOneself("kick", "leave the room instead")
		}
		data := about(actor, req.Member, req.Reason)
		return ActPlan{Remove: req.Member, Event: &Event{Type: EventKicked, By: actor.User, Data: data, Member: s.Member}}, nil
	})
	return err
}

func errOneself(what, instead string) error {
	return Errorf(KindInvalid, "INVALID_ARGUMENT", "member_id is who asks, and nobody can %s himself; %s", what, instead)
}
