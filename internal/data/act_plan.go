package data

import (
	"github.com/game-im/hermod/internal/biz"
)

// apply does what a plan says, the message first: see applyEdit.
func (a *acting) apply(plan *biz.ActPlan) error {
	if err := a.applyEdit(plan); err != nil {
		return err
	}
	for _, step := range []func(*biz.ActPlan) error{a.applyMembers, a.applyDoor, a.applyRoom} {
		if err := step(plan); err != nil {
			return err
		}
	}
	return nil
}

// applyMembers changes a member and ends a membership.
func (a *acting) applyMembers(plan *biz.ActPlan) error {
	if m := plan.Member; m != nil {
		row := toMemberRow(*m)
		if _, err := a.t.exec(updateMember, row.Nickname, row.Role, row.Muted, row.MutedUntil, string(a.g.room), row.UserID); err != nil {
			return err
		}
		kept := *m
		if err := a.changed(m.User, 0); err != nil {
			return err
		}
		a.meet(m.User, &kept)
	}
	if plan.Remove == "" {
		return nil
	}
	if removed, err := removeMember(a.t, a.g.room, plan.Remove, deleteMember); err != nil || !removed {
		return err
	}
	a.meet(plan.Remove, nil)
	return a.changed(plan.Remove, -1)
}

func (a *acting) meet(user biz.UserID, m *biz.Member) {
	if a.g.met == nil {
		a.g.met = make(map[biz.UserID]*biz.Member)
	}
	a.g.met[user] = m
}

// changed notes that somebody has gone or is another now, or the room is, if it is nobody.
func (a *acting) changed(user biz.UserID, members int) error {
	if err := raiseVersion(a.t, a.g.room, members); err != nil {
		return err
	}
	a.g.version++
	a.g.info.Version = a.g.version
	a.g.info.Members += members
	a.g.changes = append(a.g.changes, Change{Room: a.g.room, User: user, Version: a.g.version})
	return nil
}

// applyDoor changes who may come in.
func (a *acting) applyDoor(plan *biz.ActPlan) error {
	room := string(a.g.room)
	for _, user := range []biz.UserID{plan.Unban, banned(plan)} {
		if user == "" {
			continue
		}
		if _, err := a.t.exec(deleteBan, room, string(user)); err != nil {
			return err
		}
	}
	if b := plan.Ban; b != nil {
		row := toBanRow(*b)
		if _, err := a.t.exec(insertBan, room, row.UserID, row.BannedBy, row.Reason, row.CreatedAt, row.Until); err != nil {
			return err
		}
		if _, err := a.t.exec(deleteInvitation, room, row.UserID); err != nil {
			return err
		}
	}
	i := plan.Invite
	if i == nil {
		return nil
	}
	if _, err := a.t.exec(deleteInvitation, room, string(i.User)); err != nil {
		return err
	}
	_, err := a.t.exec(insertInvitation, room, string(i.User), string(i.Inviter), toMicros(i.At))
	return err
}

func banned(plan *biz.ActPlan) biz.UserID {
	if plan.Ban == nil {
		return ""
	}
	return plan.Ban.User
}

const updateRoom = `UPDATE rooms SET name = ?, description = ?, max_users = ?, message_ttl = ?, idle_timeout = ?,
	allow_audio = ?, allow_rich_text = ?, auto_transcribe = ?, invite_only = ? WHERE id = ?`

// applyRoom changes the room, or ends it.
func (a *acting) applyRoom(plan *biz.ActPlan) error {
	if plan.Room == nil {
		return nil
	}
	if !plan.Room.DeletedAt.IsZero() {
		return a.endRoom()
	}
	r := toRoomRow(*plan.Room)
	_, err := a.t.exec(updateRoom, r.Name, r.Description, r.MaxUsers, r.MessageTTL, r.IdleTimeout,
		r.AllowAudio, r.AllowRichText, r.AutoTranscribe, r.InviteOnly, string(a.g.room))
	if err != nil {
		return err
	}
	info, persistent := a.g.info, a.g.info.Config.Persistent
	info.Name, info.Description, info.Config = plan.Room.Name, plan.Room.Description, plan.Room.Config
	info.Config.Persistent = persistent
	return a.changed("", 0)
}
