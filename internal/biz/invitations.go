package biz

import (
	"context"
	"time"
)

// Bounds of invitations. Those that nobody has taken up for InvitationLife are forgotten.
const (
	MaxInvitations     = 1000 // of a room
	MaxInvitationsUser = 100  // of a user
	InvitationLife     = 30 * 24 * time.Hour
)

// Invite lets a user join a room that is for the invited only, and tells him. Whoever is a member is not invited, and
// that is no error; a ban beats an invitation.
func (a *RoomAdmin) Invite(ctx context.Context, by Identity, req OfMember) error {
	actor, err := a.check(by, &req)
	if err != nil {
		return err
	}
	var told *Event
	needs := ActNeeds{Member: req.Member, Invitations: true}
	err = a.act(ctx, req.Room, actor, needs, func(s ActState) (ActPlan, error) {
		told = nil
		if err := May(actor, ActInvite, &s.Room, s.Sender, nil); err != nil || s.Member != nil {
			return ActPlan{}, err
		}
		if err := mayInvite(s, req.Member); err != nil {
			return ActPlan{}, err
		}
		room := s.Room
		told = &Event{Type: EventInvited, By: actor.User, Data: about(actor, req.Member, ""), Room: &room}
		return ActPlan{Invite: &Invitation{Room: req.Room, User: req.Member, Inviter: actor.User, At: s.Now}}, nil
	})
	if err != nil || told == nil {
		return err
	}
	return a.tell(actor, req, told)
}

func mayInvite(s ActState, user UserID) error {
	room := s.Room.ID
	switch {
	case s.Ban != nil:
		return Errorf(KindPermissionDenied, "BANNED", "user %q is banned from room %q; unban him first", user, room)
	case s.Invitation != nil: // which is renewed
		return nil
	case s.Invited >= MaxInvitations:
		return Errorf(KindResourceLimit, "TOO_MANY_INVITATIONS", "room %q has %d invitations that nobody has taken up; at most %d are allowed", room, s.Invited, MaxInvitations)
	case s.Invites >= MaxInvitationsUser:
		return Errorf(KindResourceLimit, "TOO_MANY_INVITATIONS", "user %q has %d invitations; at most %d are allowed", user, s.Invites, MaxInvitationsUser)
	}
	return nil
}

// tell tells the invited, wherever he is. He finds the invitation among his rooms as well.
func (a *RoomAdmin) tell(actor Actor, req OfMember, e *Event) error {
	usher, ok := a.rooms.live.(Usher)
	if !ok {
		return nil
	}
	content, err := a.encode(*e)
	if err != nil {
		return err
	}
	now := time.Now()
	usher.Tell(req.Member, &Message{
		ID: NewMessageID(req.Room, 0, now), Room: req.Room, Sender: actor.User, Type: TypeSystem, Content: content,
		Metadata: map[string]string{MetaEventType: string(e.Type)}, Time: now,
	})
	return nil
}
