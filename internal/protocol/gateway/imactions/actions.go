// Package imactions is the IM for gateway sessions: actions of the node's own that carry the calls of
// im.v1, and the rooms that a session follows. It holds no rules.
package imactions

import (
	"context"
	"log/slog"
	"strings"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/protocol/gateway"
	"github.com/game-im/hermod/internal/realtime/node"
	"github.com/game-im/hermod/internal/realtime/session"
)

// prefix is what the actions begin with. All that does is the node's own: a misspelt action must not
// go to a service that knows nothing of it.
const prefix = "im."

// Rules are the use cases that Actions call.
type Rules struct {
	Rooms       *biz.Rooms
	Admin       *biz.RoomAdmin
	Messages    *biz.Messages
	Backlog     *biz.Backlog
	History     *biz.History
	Revisions   *biz.Revisions
	Search      *biz.Search
	Transcripts *biz.Transcripts
	Audios      *biz.Audios
	URLs        AudioURLs

	Ephemerals *biz.Ephemerals
	Watermarks *biz.Watermarks
	Presences  *biz.Presences
	Watches    *protocol.Watches
}

// Actions implements gateway.Actions. Safe for concurrent use.
type Actions struct {
	node     *node.Node
	rules    Rules
	follower *protocol.Follower
	sending  sending
}

// New returns the actions of a node.
func New(n *node.Node, rules Rules, log *slog.Logger) *Actions {
	a := &Actions{node: n, rules: rules}
	a.follower = protocol.NewFollower(n, rules.Backlog, a.sending.by, log)
	return a
}

// Follower implements gateway.Actions.
func (a *Actions) Follower() *protocol.Follower { return a.follower }

// Knows implements gateway.Actions.
func (a *Actions) Knows(action string) bool {
	return len(action) >= len(prefix) && strings.EqualFold(action[:len(prefix)], prefix)
}

// Perform implements gateway.Actions.
func (a *Actions) Perform(ctx context.Context, r *gateway.Request) {
	if err := a.perform(ctx, r); err != nil {
		r.Refuse(err)
	}
}

func (a *Actions) perform(ctx context.Context, r *gateway.Request) error {
	if do := table[strings.ToLower(r.Action)]; do != nil {
		return do(a, ctx, r)
	}
	return biz.Errorf(biz.KindNotFound, "UNKNOWN_ACTION", "%.64q is no action of the IM; these are: %s", r.Action, known)
}

// Inherit implements gateway.Actions.
func (a *Actions) Inherit(ctx context.Context, s *session.Session, id biz.Identity, channels []string) error {
	var rooms []biz.RoomID
	for _, channel := range channels {
		if room, ok := protocol.RoomOf(channel); ok {
			rooms = append(rooms, room)
		}
	}
	s.SetFollow(a.follower.Later(&id))
	begin, err := a.follower.Follow(ctx, s, id, rooms)
	if err != nil {
		return err
	}
	begin()
	return nil
}
