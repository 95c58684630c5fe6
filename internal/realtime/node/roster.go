package node

// Channels returns the channels with a prefix that sessions of this node follow, in no order.
func (n *Node) Channels(prefix string) []string { return n.hub.Following(prefix) }

// Followers returns the users whose sessions on this node follow a channel, each once.
func (n *Node) Followers(channel string) []string { return n.hub.Users(channel) }
