package chat

import (
	"fmt"
	"strings"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/client"
)

// eventText says what happened in a room. Empty: it is shown as a SYSTEM message.
func (c *Chat) eventText(e *client.Event) string {
	if e == nil {
		return ""
	}
	who := "a service"
	if e.By != "" {
		who = c.speaker(e.By)
	}
	if text := c.aboutMessage(e, who); text != "" {
		return text
	}
	if text := c.aboutMember(e, who, c.speaker(e.Member.GetUserId())); text != "" {
		return text + because(e)
	}
	room := e.Room.GetName()
	if room == "" {
		room = e.RoomID
	}
	switch e.Type {
	case client.EventRoomUpdated:
		return fmt.Sprintf("%s changed the room %q", who, room)
	case client.EventRoomDeleted:
		return fmt.Sprintf("%s ended the room %q", who, room)
	case client.EventInvited:
		return fmt.Sprintf("%s invites you to %q; /join %s enters it", who, room, e.RoomID)
	}
	return ""
}

func (c *Chat) aboutMessage(e *client.Event, who string) string {
	switch e.Type {
	case client.EventEdited:
		return fmt.Sprintf("%s edited [%d]: %s", who, e.Target, e.Content)
	case client.EventRecalled:
		return fmt.Sprintf("%s took [%d] back%s", who, e.Target, because(e))
	case client.EventExpired:
		return fmt.Sprintf("the time of [%d] is over", e.Target)
	case client.EventReactionAdded:
		return fmt.Sprintf("%s reacted to [%d]: %s", who, e.Target, e.Reaction)
	case client.EventReactionRemoved:
		return fmt.Sprintf("%s reacts no more to [%d]: %s", who, e.Target, e.Reaction)
	}
	return ""
}

func (c *Chat) aboutMember(e *client.Event, who, whom string) string {
	switch e.Type {
	case client.EventRoleChanged:
		return fmt.Sprintf("%s made %s %s", who, whom, roleWord(e.Member.GetRole()))
	case client.EventMuted:
		until := ""
		if e.Member.GetMutedUntil() != nil {
			until = " until " + c.cfg.Style.clock(e.Member.GetMutedUntil().AsTime())
		}
		return fmt.Sprintf("%s muted %s%s", who, whom, until)
	case client.EventUnmuted:
		return fmt.Sprintf("%s lets %s speak again", who, whom)
	case client.EventKicked:
		return fmt.Sprintf("%s put %s out", who, whom)
	case client.EventBanned:
		return fmt.Sprintf("%s put %s out and keeps him out", who, whom)
	}
	return ""
}

func because(e *client.Event) string {
	if reason := e.Data["reason"]; reason != "" {
		return ": " + reason
	}
	return ""
}

func roleWord(r imv1.UserRole) string {
	word := strings.ToLower(strings.TrimPrefix(r.String(), "USER_ROLE_"))
	if r == imv1.UserRole_USER_ROLE_ADMIN {
		return "an " + word
	}
	return "a " + word
}
