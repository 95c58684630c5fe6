package protocol

import (
	"strings"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/node"
)

const (
	roomPrefix  = "room:"
	inboxPrefix = "inbox:"
)

// RoomChannel names the channel of a room.
func RoomChannel(room biz.RoomID) string { return roomPrefix + string(room) }

// InboxChannel names the channel of a user's inbox.
func InboxChannel(user biz.UserID) string { return inboxPrefix + string(user) }

// RoomOf returns the room of a channel; ok is false for a channel that is no room's.
func RoomOf(channel string) (_ biz.RoomID, ok bool) {
	room, ok := strings.CutPrefix(channel, roomPrefix)
	return biz.RoomID(room), ok
}

// Deliverer implements biz.Deliverer, biz.Gatherer, biz.Sequencer and biz.Usher on a node, and biz.Presence and biz.Attendance on it
// and those that it knows.
type Deliverer struct {
	node      *node.Node
	members   *memberships
	online    online
	sequencer *sequencer
}

// NewDeliverer returns a Deliverer, which also answers other nodes. It is called before the node runs.
func NewDeliverer(n *node.Node) *Deliverer {
	d := &Deliverer{node: n, members: newMemberships(n), sequencer: newSequencer(n)}
	d.online.init(n)
	d.answersOfRooms()
	return d
}

// Deliver implements biz.Deliverer. A session that was told something else before, such as that its time is
// over, gets the message like the user's other sessions.
func (d *Deliverer) Deliver(m *biz.Draft) {
	p := publication(&m.Message)
	p.Origin, p.Reply = claim(m)
	d.node.Publish(p)
}

// DeliverAll implements biz.Gatherer.
func (d *Deliverer) DeliverAll(ms []*biz.Draft) {
	ps := make([]*frame.Publication, len(ms))
	for i, m := range ms {
		ps[i] = publication(&m.Message)
		ps[i].Origin, ps[i].Reply = claim(m)
	}
	d.node.PublishAll(ps)
}

// publication is a message as the channel of its room has it.
func publication(m *biz.Message) *frame.Publication {
	p := &frame.Publication{
		Channel:     RoomChannel(m.Room),
		Seq:         m.Seq,
		Frame:       frame.New(m),
		Bytes:       m.Bytes(),
		AckRequired: m.AckRequired,
		From:        string(m.Sender),
	}
	if m.ClientID != "" {
		p.Own = frame.New(Own{m})
	}
	return p
}

// reply answers the session that sent a message.
func reply(m *biz.Draft) *frame.Frame {
	a := &Ack{
		Room: m.Room, ClientID: m.ClientID, Receipt: biz.Receipt{ID: m.ID, Seq: m.Seq, Time: m.Time},
	}
	if m.Asked != nil {
		a.MsgID = m.Asked.MsgID
	}
	return frame.New(a)
}

// Joined implements biz.Deliverer.
func (d *Deliverer) Joined(j biz.JoinResult) {
	if !j.Opening {
		for _, s := range d.node.OfUser(string(j.Member.User)) {
			if s.ID != string(j.Session) {
				s.Joined(string(j.Room.ID))
			}
		}
		d.members.tell(node.KindJoined, j.Room.ID, j.Member.User)
	}
	if j.Fresh {
		d.notify(biz.TypeJoinRoom, j.Room.ID, j.Member.User, map[string]string{
			"nickname": j.Member.Nickname,
			"role":     j.Member.Role.String(),
		})
	}
}

// Left implements biz.Deliverer.
func (d *Deliverer) Left(room biz.RoomID, user biz.UserID) {
	go followAgain(takeOff(d.node, room, user), room) // the store may take a while
	d.members.tell(node.KindLeft, room, user)
	d.notify(biz.TypeLeaveRoom, room, user, nil)
}

func (d *Deliverer) notify(t biz.MessageType, room biz.RoomID, user biz.UserID, md map[string]string) {
	now := time.Now()
	d.node.Publish(&frame.Publication{
		Channel: RoomChannel(room),
		Frame: frame.New(&Notice{
			Type: t, ID: biz.NewMessageID(room, 0, now), Room: room, User: user, Metadata: md, Time: now,
		}),
		From:      string(user),
		NotToFrom: true,
	})
}

// DeliverEphemeral implements biz.Teller.
func (d *Deliverer) DeliverEphemeral(e *biz.Ephemeral) {
	d.node.Publish(&frame.Publication{
		Channel:   RoomChannel(e.Room),
		Ephemeral: string(e.Room) + "\x00" + string(e.User) + "\x00" + e.Kind,
		Frame:     frame.New(e),
		From:      string(e.User),
		Origin:    string(e.Origin),
	})
}
