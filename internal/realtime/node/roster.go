package node

import "github.com/game-im/hermod/internal/realtime/session"

// Channels returns the channels with a prefix that sessions of this node follow, in no order.
func (n *Node) Channels(prefix string) []string { return n.hub.Following(prefix) }

// Followers returns the users whose sessions on this node follow a channel, each once.
func (n *Node) Followers(channel string) []string { return n.hub.Users(channel) }

// SessionsOn returns the sessions on this node that follow a channel.
func (n *Node) SessionsOn(channel string) []*session.Session { return n.hub.SessionsOn(channel) }
