package protocol

import (
	"context"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/node"
)

// answersOfRooms lets the node answer others about rooms as a whole.
func (d *Deliverer) answersOfRooms() {
	d.node.HandleApart(node.KindAttending, maxViews, d.answerAttending)
	d.node.Handle(node.KindEnded, func(r broker.Request) {
		d.endHere(biz.RoomID(r.Body))
		r.Answer(nil)
	})
	d.node.Handle(node.KindTold, func(r broker.Request) {
		d.told(r.Body)
		r.Answer(nil)
	})
}

// Ended implements biz.Usher. What was published in the room before, such as that it ends, comes first.
func (d *Deliverer) Ended(room biz.RoomID) {
	d.endHere(room)
	if d.node.ID() == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), heardWithin)
	defer cancel()
	_, _ = d.node.Gather(ctx, RoomChannel(room), node.KindEnded, []byte(room)) // a hint, as of who leaves
}

func (d *Deliverer) endHere(room biz.RoomID) {
	channel := RoomChannel(room)
	for _, s := range d.node.SessionsOn(channel) {
		d.node.Unsubscribe(s, channel)
	}
}

// Tell implements biz.Usher.
func (d *Deliverer) Tell(user biz.UserID, m *biz.Message) {
	d.tellHere(user, m)
	if d.node.ID() == "" {
		return
	}
	body, err := Codec{}.Append([]byte{byte(len(user))}, m) // an id has 255 bytes at most
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), heardWithin)
	defer cancel()
	_, _ = d.node.Gather(ctx, node.UserChannel(string(user)), node.KindTold, append(body, user...)) // what it tells is kept elsewhere
}

// told takes what another node tells a user: a length, the message, and at its end the user.
func (d *Deliverer) told(body []byte) {
	if len(body) == 0 || len(body) < 1+int(body[0]) {
		return
	}
	end := len(body) - int(body[0])
	payload, err := Codec{}.Decode(body[1:end])
	if m, ok := payload.(*biz.Message); ok && err == nil {
		d.tellHere(biz.UserID(body[end:]), m)
	}
}

// tellHere tells those of a user's sessions that are about rooms.
func (d *Deliverer) tellHere(user biz.UserID, m *biz.Message) {
	f := frame.New(m)
	for _, s := range d.node.OfUser(string(user)) {
		if s.Follows() || followsRoom(s.Channels()) {
			s.Reply(f)
		}
	}
}

func followsRoom(channels []string) bool {
	for _, channel := range channels {
		if _, ok := RoomOf(channel); ok {
			return true
		}
	}
	return false
}
