package biz

import "context"

// Leave ends a membership. It is no error when there was none. When the last admin leaves, the member of the highest
// role who has been there longest is admin from then on, and the room is told.
func (r *Rooms) Leave(ctx context.Context, by Identity, room RoomID, named UserID) error {
	user, err := by.ActAs(named)
	if err != nil {
		return err
	}
	if err := checkID("room_id", string(room)); err != nil {
		return err
	}
	left, err := r.members.Leave(ctx, room, user)
	if err != nil {
		return err
	}
	if left {
		r.live.Left(room, user)
		return nil
	}
	err = perform(ctx, r.log, room, Actor{User: user}, leaving(room, user))
	if KindOf(err) == KindNotFound && AsError(err).Reason == "ROOM_NOT_FOUND" {
		return nil
	}
	return err
}

// leaving is what it takes for an admin to leave.
func leaving(room RoomID, user UserID) Act {
	return &decision{ActNeeds{Heir: user}, func(s ActState) (ActPlan, error) {
		switch {
		case s.Room.Kind == KindDirect:
			return ActPlan{}, errDirect(room, "leaves it")
		case s.Sender == nil:
			return ActPlan{}, nil
		}
		plan := ActPlan{Remove: user}
		if heir := s.Heir; s.Sender.Role == RoleAdmin && heir != nil && heir.Role < RoleAdmin {
			heir.Role = RoleAdmin
			plan.Member, plan.Event = heir, roleChanged(Actor{}, heir)
		}
		return plan, nil
	}}
}
