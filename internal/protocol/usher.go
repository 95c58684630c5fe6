package protocol

import (
	"context"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/node"
	"github.com/game-im/hermod/internal/realtime/session"
)

// answersOfRooms lets the node answer others about rooms as a whole.
func (d *Deliverer) answersOfRooms() {
	answersAttending(d.node)
	d.node.Handle(node.KindEnded, func(r broker.Request) {
		if payload, err := (Codec{}).Decode(r.Body); err == nil {
			if last, ok := payload.(*biz.Message); ok {
				d.endHere(last)
			}
		}
		r.Answer(nil)
	})
	d.node.Handle(node.KindTold, func(r broker.Request) {
		told(r.Body, d.tellHere)
		r.Answer(nil)
	})
	d.node.Handle(node.KindDismissed, func(r broker.Request) {
		told(r.Body, d.dismissHere)
		r.Answer(nil)
	})
}

// Ended implements biz.Usher. What was published in the room before, such as that it ends, comes first.
func (d *Deliverer) Ended(last *biz.Message) {
	d.endHere(last)
	if d.node.ID() == "" {
		return
	}
	body, err := Codec{}.Append(nil, last)
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), heardWithin)
	defer cancel()
	_, _ = d.node.Gather(ctx, RoomChannel(last.Room), node.KindEnded, body) // a hint, as of who leaves
}

func (d *Deliverer) endHere(last *biz.Message) {
	channel, f := RoomChannel(last.Room), frame.New(last)
	for _, s := range d.node.SessionsOn(channel) {
		d.node.Dismiss(s, channel, last.Seq, f)
	}
}

// Tell implements biz.Usher.
func (d *Deliverer) Tell(user biz.UserID, m *biz.Message) {
	d.tellHere(user, m)
	d.tellElsewhere(node.KindTold, user, m) // it is kept in the store
}

// Dismiss implements biz.Usher.
func (d *Deliverer) Dismiss(user biz.UserID, last *biz.Message) {
	d.dismissHere(user, last)
	d.tellElsewhere(node.KindDismissed, user, last)
	d.Left(last.Room, user)
}

func (d *Deliverer) dismissHere(user biz.UserID, last *biz.Message) {
	channel, f := RoomChannel(last.Room), frame.New(last)
	var followed []*session.Session
	for _, s := range d.node.OfUser(string(user)) {
		if d.node.Dismiss(s, channel, last.Seq, f) {
			followed = append(followed, s)
		}
	}
	go followAgain(followed, last.Room) // the store may take a while
}

// tellElsewhere has the other nodes that have a session of the user do something with a message, and waits for them for
// a moment.
func (d *Deliverer) tellElsewhere(k node.Kind, user biz.UserID, m *biz.Message) {
	if d.node.ID() == "" {
		return
	}
	body, err := Codec{}.Append([]byte{byte(len(user))}, m) // an id has 255 bytes at most
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), heardWithin)
	defer cancel()
	_, _ = d.node.Gather(ctx, node.UserChannel(string(user)), k, append(body, user...)) // a hint
}

// told reads what tellElsewhere writes: a length, the message, and the user, who has it.
func told(body []byte, do func(biz.UserID, *biz.Message)) {
	if len(body) == 0 || len(body) < 1+int(body[0]) {
		return
	}
	end := len(body) - int(body[0])
	payload, err := Codec{}.Decode(body[1:end])
	if m, ok := payload.(*biz.Message); ok && err == nil {
		do(biz.UserID(body[end:]), m)
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
