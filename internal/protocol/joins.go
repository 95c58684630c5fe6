package protocol

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol/wire"
	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/node"
	"github.com/game-im/hermod/internal/realtime/session"
)

const (
	// heardWithin is how long whoever joins or leaves a room waits for the user's sessions on other nodes.
	heardWithin = 250 * time.Millisecond
	// maxHearing bounds how many words of other nodes are followed at once, each with some queries.
	maxHearing = 64
	// clocksApart is how far the clocks of nodes may be apart.
	clocksApart = 5 * time.Second
)

// memberships tells the other nodes of joins and leaves, and hears of theirs. What it says is a hint, that
// may be lost: then the check of RecheckJoins, and that of the memberships, make up for it.
type memberships struct {
	node    *node.Node
	hearing chan struct{} // a place for each word that is followed
}

func newMemberships(n *node.Node) *memberships {
	m := &memberships{node: n, hearing: make(chan struct{}, maxHearing)}
	n.Handle(node.KindJoined, func(r broker.Request) { m.hear(r, m.joined) })
	n.Handle(node.KindLeft, func(r broker.Request) { m.hear(r, m.left) })
	return m
}

// tell tells the nodes that have a session of the user, and waits for them for a moment.
func (m *memberships) tell(k node.Kind, room biz.RoomID, user biz.UserID) {
	if m.node.ID() == "" {
		return
	}
	body, err := proto.Marshal(&wire.Membership{User: string(user), Room: string(room)})
	if err != nil { // ids are valid text
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), heardWithin)
	defer cancel()
	_, _ = m.node.Gather(ctx, node.UserChannel(string(user)), k, body) // a hint
}

// hear follows the word of another node, beside the broker. A node that has too many to follow at once forgets
// those beyond, and looks at the user again.
func (m *memberships) hear(r broker.Request, follow func(*wire.Membership)) {
	var w wire.Membership
	if proto.Unmarshal(r.Body, &w) != nil {
		return
	}
	select {
	case m.hearing <- struct{}{}:
	default:
		m.node.LookAgain(w.GetUser())
		r.Answer(nil)
		return
	}
	go func() {
		defer func() { <-m.hearing }()
		follow(&w)
		r.Answer(nil)
	}()
}

func (m *memberships) joined(w *wire.Membership) {
	for _, s := range m.node.OfUser(w.GetUser()) {
		s.Joined(w.GetRoom())
	}
}

// left takes the user's sessions off a room.
func (m *memberships) left(w *wire.Membership) {
	room := biz.RoomID(w.GetRoom())
	followAgain(takeOff(m.node, room, biz.UserID(w.GetUser())), room)
}

// takeOff takes the user's sessions on a node off a room, and returns those that followed it; followAgain is to follow.
func takeOff(n *node.Node, room biz.RoomID, user biz.UserID) (followed []*session.Session) {
	channel := RoomChannel(room)
	for _, s := range n.OfUser(string(user)) {
		if n.Unsubscribe(s, channel) {
			followed = append(followed, s)
		}
	}
	return followed
}

// followAgain has sessions that were taken off a room follow it anew, which asks the store: their user may be a member
// again by now, whose word was here before.
func followAgain(sessions []*session.Session, room biz.RoomID) {
	for _, s := range sessions {
		s.Joined(string(room))
	}
}

// RecheckJoins has the sessions of a user follow the rooms that he has joined since they began, whenever that
// he did may not have been heard.
func RecheckJoins(n *node.Node, backlog *biz.Backlog, log *slog.Logger) {
	n.Recheck(func(ctx context.Context, user string, here []*session.Session) {
		ctx, cancel := context.WithTimeout(ctx, followTimeout)
		defer cancel()
		for _, s := range here {
			if !s.Follows() {
				continue
			}
			missing, err := missingRooms(ctx, s, backlog)
			if err != nil {
				log.Warn("rooms that were joined elsewhere could not be looked up", "user", user, "error", err)
				return
			}
			for _, room := range missing {
				s.Joined(string(room))
			}
		}
	})
}

// missingRooms returns the rooms that the session would follow had it been told of them.
func missingRooms(ctx context.Context, s *session.Session, backlog *biz.Backlog) ([]biz.RoomID, error) {
	user := biz.UserID(s.User)
	rooms, err := backlog.Rooms(ctx, user)
	if err != nil {
		return nil, err
	}
	followed := s.Channels()
	rooms = slices.DeleteFunc(slices.Clone(rooms), func(room biz.RoomID) bool {
		return slices.Contains(followed, RoomChannel(room))
	})
	return backlog.JoinedSince(ctx, user, rooms, s.Started.Add(-clocksApart))
}
