package chat

import (
	"context"
	"slices"
	"strings"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// look is a room as it is now.
type look struct {
	info   *imv1.RoomInfo
	online []string
	users  []*imv1.RoomUser
	there  map[string]*imv1.UserPresence // nil: not known
}

// look joins the room, which is how one learns who is online, and reads its members.
func (c *Chat) look(room string) (look, error) {
	var metadata map[string]string
	if c.cfg.Nick != "" {
		metadata = map[string]string{"nickname": c.cfg.Nick}
	}
	joined, err := c.client.JoinRoom(room, metadata)
	if err != nil {
		return look{}, err
	}
	info, err := c.client.GetRoomInfo(room)
	if err != nil {
		return look{}, err
	}
	return look{info: joined.GetRoomInfo(), online: joined.GetOnlineUsers(), users: info.GetUsers()}, nil
}

// introductions is how long somebody who joined gets to say how he wants to be called: a stream
// joins its room before it can tell a nickname.
const introductions = time.Second

// met notes that somebody has joined.
func (c *Chat) met(user, nick string) {
	if nick != "" {
		c.names[user] = nick
		return
	}
	if _, known := c.names[user]; !known {
		c.names[user] = "" // he can be mentioned by his id
	}
	time.AfterFunc(introductions, func() { c.post(func() { c.unnamed = true }) })
}

// askNames learns the nicknames of the present room.
func (c *Chat) askNames(ctx context.Context) {
	room := c.room
	c.do(ctx, func(context.Context) func() {
		info, err := c.client.GetRoomInfo(room)
		return func() {
			if err == nil { // else people go by their ids
				c.learn(look{users: info.GetUsers()})
			}
		}
	})
}

// learn remembers how people want to be called.
func (c *Chat) learn(l look) {
	for _, user := range l.users {
		if user.GetNickname() != "" {
			c.names[user.GetUserId()] = user.GetNickname()
		} else if _, known := c.names[user.GetUserId()]; !known {
			c.names[user.GetUserId()] = ""
		}
	}
}

// introduce says what room one is in now.
func (c *Chat) introduce(room string, l look) {
	c.learn(l)
	n := int(l.info.GetUserCount())
	c.note("room %s: %d %s, online: %s", room, n, plural(n, "member"), c.list(l.online))
}

// list names users, oneself first.
func (c *Chat) list(users []string) string {
	names := make([]string, 0, len(users))
	for _, user := range users {
		if user == c.cfg.User {
			names = slices.Insert(names, 0, "you")
			continue
		}
		names = append(names, c.called(user))
	}
	return strings.Join(names, ", ")
}

// called returns the nickname beside the id, since anybody may choose any nickname.
func (c *Chat) called(user string) string {
	if nick := c.names[user]; nick != "" && nick != user {
		return nick + " (" + user + ")"
	}
	return user
}

func plural(n int, noun string) string {
	if n == 1 {
		return noun
	}
	return noun + "s"
}
