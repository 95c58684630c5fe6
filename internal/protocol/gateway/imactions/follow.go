package imactions

import (
	"context"
	"strconv"
	"strings"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/imcall"
	"github.com/game-im/hermod/internal/protocol/gateway"
)

// headerRooms is on the answer to im.open: how many rooms the session follows by it.
const headerRooms = "rooms"

// open lets the session follow all rooms of its user, each from where its device left off, and those
// that he joins from now on.
func (a *Actions) open(ctx context.Context, r *gateway.Request) error {
	opened := r.Session.Follows()
	id := r.Identity
	r.Session.SetFollow(a.follower.Later(&id)) // first: a room that is joined meanwhile is in one or the other
	begin, rooms, err := a.followAll(ctx, r)
	if err != nil {
		if !opened {
			r.Session.SetFollow(nil)
		}
		return err
	}
	r.Session.SetEvents(named(r.Param(paramCapabilities), capabilityEvents))
	r.Answer(nil, map[string]string{headerRooms: strconv.Itoa(rooms)})
	begin()
	return nil
}

// With these im.open says what the client can do besides.
const (
	paramCapabilities = "capabilities"
	capabilityEvents  = "events"
)

// named tells whether a name is in a list with commas.
func named(list, name string) bool {
	for n := range strings.SplitSeq(list, ",") {
		if strings.TrimSpace(n) == name {
			return true
		}
	}
	return false
}

func (a *Actions) followAll(ctx context.Context, r *gateway.Request) (begin func(), count int, err error) {
	rooms, err := a.follower.Rooms(ctx, r.Identity.User)
	if err != nil {
		return nil, 0, err
	}
	begin, err = a.follower.Follow(ctx, r.Session, r.Identity, rooms)
	return begin, len(rooms), err
}

// join makes the user a member, and lets the session follow the room and those that he joins from now
// on. What the room has said follows the answer.
func (a *Actions) join(ctx context.Context, r *gateway.Request) error {
	req := &imv1.JoinRoomRequest{}
	if err := r.Read(req); err != nil {
		return err
	}
	asked := imcall.Join(req)
	asked.Session = biz.SessionID(r.Session.ID)
	joined, err := a.rules.Rooms.Join(ctx, r.Identity, asked)
	if err != nil {
		return err
	}
	view, err := a.rules.Rooms.View(ctx, joined.Room.ID)
	if err != nil {
		return err
	}
	begin, err := a.followOwn(ctx, r, joined)
	if err != nil {
		return err
	}
	r.Answer(imcall.Joined(view), nil)
	begin()
	return nil
}

// followOwn lets a session follow a room that its user has joined by it, and those that he joins from now on.
func (a *Actions) followOwn(ctx context.Context, r *gateway.Request, joined biz.JoinResult) (begin func(), err error) {
	if joined.Member.User != r.Identity.User { // a service has asked for somebody else
		return func() {}, nil
	}
	if begin, err = a.follower.Follow(ctx, r.Session, r.Identity, []biz.RoomID{joined.Room.ID}); err != nil {
		return nil, err
	}
	id := r.Identity
	r.Session.SetFollow(a.follower.Later(&id))
	return begin, nil
}
