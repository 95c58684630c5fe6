package node

import (
	"cmp"
	"slices"

	"github.com/cespare/xxhash/v2"
)

// Home returns the node that numbers a channel, as far as this one knows who is there, and whether it is this one.
// All nodes that know the same others agree, and when one comes or goes only its own channels move.
func (n *Node) Home(channel string) (node string, here bool) {
	self := n.ID()
	home, most := self, weight(self, channel)
	for _, m := range n.broker.Members() {
		if w := weight(m.ID, channel); w > most || w == most && m.ID > home {
			home, most = m.ID, w
		}
	}
	return home, home == self
}

// Nearest returns the other nodes that are here now, at most so many, in an order that is each key's own.
func (n *Node) Nearest(key string, most int) []string {
	nodes := n.Others()
	slices.SortFunc(nodes, func(a, b string) int { return cmp.Or(cmp.Compare(weight(b, key), weight(a, key)), cmp.Compare(a, b)) })
	return nodes[:min(len(nodes), most)]
}

// weight is how much a node is worth to a key, the same on every node: rendezvous hashing.
func weight(node, key string) uint64 {
	var d xxhash.Digest
	d.Reset()
	_, _ = d.WriteString(node) // never fails
	_, _ = d.WriteString("\x00")
	_, _ = d.WriteString(key)
	return d.Sum64()
}
