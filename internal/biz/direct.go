package biz

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"time"
)

// directPrefix begins the ids of direct rooms, and of no others.
const directPrefix = "direct:"

// DirectRoomOf names the one room of a pair of users, whoever of them is first.
func DirectRoomOf(a, b UserID) RoomID {
	if a > b {
		a, b = b, a
	}
	sum := sha256.Sum256([]byte(string(a) + "\x00" + string(b))) // which no id has
	return RoomID(directPrefix + base64.RawURLEncoding.EncodeToString(sum[:24]))
}

func isDirect(room RoomID) bool { return strings.HasPrefix(string(room), directPrefix) }

// Direct returns the room of two users, made if it is not there, so that one of them can speak to the other.
func (r *Rooms) Direct(ctx context.Context, by Identity, named, peer UserID) (RoomID, error) {
	user, err := by.ActAs(named)
	if err != nil {
		return "", err
	}
	if err := checkID("to_user_id", string(peer)); err != nil {
		return "", err
	}
	if user == peer {
		return "", Errorf(KindInvalid, "INVALID_ARGUMENT", "to_user_id is the sender; a direct room is of two users")
	}
	room := DirectRoomOf(user, peer)
	if _, err := r.rooms.Speaker(ctx, room, user); KindOf(err) != KindNotFound || err == nil {
		return room, err
	}
	return room, r.pair(ctx, by, room, user, peer)
}

// Address finds the room of a draft that names a user instead.
func (r *Rooms) Address(ctx context.Context, by Identity, d *Draft, to UserID) (err error) {
	if to == "" {
		return nil
	}
	if d.Room != "" {
		return Errorf(KindInvalid, "INVALID_ARGUMENT", "room_id and to_user_id are both set; a message has one of them")
	}
	d.Room, err = r.Direct(ctx, by, d.Sender, to)
	return err
}

// pair makes the room of two users with both of them in it, in one transaction.
func (r *Rooms) pair(ctx context.Context, by Identity, room RoomID, user, peer UserID) error {
	res, err := r.join(ctx, by, room, user, func(s JoinState) (JoinPlan, error) {
		now := time.Now()
		me := Member{Room: room, User: user, Role: RoleUser, JoinedAt: now}
		switch {
		case s.Member != nil:
			return JoinPlan{Member: *s.Member}, nil
		case s.Room != nil:
			return JoinPlan{}, errDirect(room, "joins it")
		}
		config := r.rules.Load().Defaults
		config.MaxUsers, config.IdleTimeout, config.InviteOnly, config.Persistent = 2, 0, false, true
		return JoinPlan{
			Create: &Room{ID: room, Kind: KindDirect, Config: config, CreatedAt: now, LastActive: now},
			Member: me, With: []Member{{Room: room, User: peer, Role: RoleUser, JoinedAt: now}},
		}, nil
	})
	if err != nil || !res.Fresh {
		return err
	}
	res.Fresh = false // nobody is told that they have joined
	r.live.Joined(res)
	res.Member = Member{Room: room, User: peer, Role: RoleUser, JoinedAt: res.Member.JoinedAt}
	r.live.Joined(res)
	return nil
}

func errDirect(room RoomID, what string) error {
	return Errorf(KindPermissionDenied, "DIRECT_ROOM", "room %q is the direct room of two users; nobody %s", room, what)
}

func errDirectID(room RoomID) error {
	return Errorf(KindInvalid, "INVALID_ARGUMENT", "room_id %s begins with %q, as direct rooms do; send to to_user_id to have one, or choose another id", quote(string(room)), directPrefix)
}
