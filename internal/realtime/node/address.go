package node

import (
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/game-im/hermod/internal/realtime/session"
)

const (
	userPrefix = "user:"
	gidPrefix  = "gid:"
)

// UserChannel names the channel on which nodes are asked that have a session of a user.
func UserChannel(user string) string { return userPrefix + user }

// GIDChannel names the channel on which nodes are asked that have a session of a gid.
func GIDChannel(gid int64) string { return gidPrefix + strconv.FormatInt(gid, 10) }

// homeSeparator stands in a session's id before the id of the node that has made it.
const homeSeparator = "."

// NewSessionID returns an id that no other session has, on any node.
func (n *Node) NewSessionID() (string, error) {
	id, err := uuid.NewV7()
	if err != nil || n.ID() == "" {
		return id.String(), err
	}
	return id.String() + homeSeparator + n.ID(), nil
}

// HomeOf returns the node that has made a session's id, where the session is unless its client has moved;
// empty: that cannot be told.
func HomeOf(session string) (node string) {
	_, node, _ = strings.Cut(session, homeSeparator)
	return node
}

// claim is who knows whether channels are wanted that no session follows.
type claim struct {
	prefix string
	wanted func(rest string) bool
}

// Claim has wanted asked whether this node wants what is told on the channels with a prefix, by what follows
// that; Reconsider has it asked anew. It is called before Run; wanted must not block.
func (n *Node) Claim(prefix string, wanted func(rest string) bool) {
	n.claims = append(n.claims, claim{prefix, wanted})
}

// Reconsider asks whether a claimed channel is wanted, and follows it or no longer.
func (n *Node) Reconsider(channel string) { n.updateInterest(channel) }

// wanted tells whether this node has somebody on a channel.
func (n *Node) wanted(channel string) bool {
	for _, c := range n.claims {
		if rest, ok := strings.CutPrefix(channel, c.prefix); ok {
			return c.wanted(rest)
		}
	}
	if user, ok := strings.CutPrefix(channel, userPrefix); ok {
		return len(n.hub.OfUser(user)) > 0
	}
	if text, ok := strings.CutPrefix(channel, gidPrefix); ok {
		gid, err := strconv.ParseInt(text, 10, 64)
		return err == nil && len(n.hub.OfGID(gid)) > 0
	}
	return n.hub.Followed(channel)
}

// updateAddresses follows the channels on which the session is asked for, or no longer.
func (n *Node) updateAddresses(s *session.Session, gids ...int64) {
	if n.ID() == "" {
		return
	}
	n.updateInterest(UserChannel(s.User))
	for _, gid := range gids {
		if gid != 0 {
			n.updateInterest(GIDChannel(gid))
		}
	}
}
