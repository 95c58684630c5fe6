package biz

import "context"

// Ban ends the membership of another, if he is a member, and keeps him out until a moment or until he is unbanned.
// It takes the place of an earlier ban, and of an invitation.
func (a *RoomAdmin) Ban(ctx context.Context, by Identity, req OfMember) error {
	actor, err := a.check(by, &req)
	if err != nil {
		return err
	}
	return a.act(ctx, req.Room, actor, ActNeeds{Member: req.Member}, func(s ActState) (ActPlan, error) {
		if err := May(actor, ActBan, &s.Room, s.Sender, s.Member); err != nil {
			return ActPlan{}, err
		}
		if actor.User == req.Member {
			return ActPlan{}, errOneself("ban", "leave the room instead")
		}
		plan := ActPlan{
			Ban:   &Ban{Room: req.Room, User: req.Member, By: actor.User, Reason: req.Reason, At: s.Now, Until: req.Until},
			Event: &Event{Type: EventBanned, By: actor.User, Data: until(about(actor, req.Member, req.Reason), req.Until), Member: s.Member},
		}
		if s.Member != nil {
			plan.Remove = req.Member
		}
		return plan, nil
	})
}

// Unban lets a user join again. It is no error when he was not banned.
func (a *RoomAdmin) Unban(ctx context.Context, by Identity, req OfMember) error {
	actor, err := a.check(by, &req)
	if err != nil {
		return err
	}
	return a.act(ctx, req.Room, actor, ActNeeds{Member: req.Member}, func(s ActState) (ActPlan, error) {
		if err := May(actor, ActBan, &s.Room, s.Sender, nil); err != nil || s.Ban == nil {
			return ActPlan{}, err
		}
		return ActPlan{Unban: req.Member}, nil
	})
}

// BanPage is a page of who is kept out of a room.
type BanPage struct {
	Bans []Ban
	Next string
}

// Bans pages through who is kept out of a room, for those who may ban, in the order of their ids.
func (a *RoomAdmin) Bans(ctx context.Context, by Identity, req ListRequest) (BanPage, error) {
	actor, err := a.actor(by, req.User, req.Room)
	if err != nil {
		return BanPage{}, err
	}
	limit, err := req.limit(DefaultMembers, MaxListedMembers)
	if err != nil {
		return BanPage{}, err
	}
	after, err := readText(req.Token)
	if err != nil {
		return BanPage{}, err
	}
	if err := a.may(ctx, actor, ActBan, req.Room); err != nil {
		return BanPage{}, err
	}
	bans, err := a.book.Bans(ctx, req.Room, UserID(after), limit+1)
	if err != nil {
		return BanPage{}, err
	}
	page := BanPage{Bans: bans}
	if len(bans) > limit {
		page.Bans = bans[:limit]
		page.Next = textToken(string(bans[limit-1].User))
	}
	return page, nil
}

// may asks the policy about something that is only read.
func (a *RoomAdmin) may(ctx context.Context, actor Actor, do Action, id RoomID) error {
	room, err := a.rooms.rooms.Room(ctx, id)
	if err != nil {
		return err
	}
	var member *Member
	if actor.User != "" {
		m, err := a.rooms.members.Member(ctx, id, actor.User)
		switch {
		case err == nil:
			member = &m
		case KindOf(err) != KindNotFound:
			return err
		}
	}
	return May(actor, do, &room, member, nil)
}
