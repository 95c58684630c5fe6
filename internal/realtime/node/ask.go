package node

import (
	"context"

	"github.com/game-im/hermod/internal/realtime/broker"
)

// Kind tells what a request between nodes is about. A number is never used for something else: nodes of
// two versions run side by side.
type Kind byte

// The kinds of request.
const (
	KindPush      Kind = 1  // to sessions of one target
	KindBroadcast Kind = 2  // to all sessions
	KindFind      Kind = 3  // which sessions there are
	KindSession   Kind = 4  // what there is to know of one
	KindClose     Kind = 5  // close one
	KindOnline    Kind = 6  // which of these users are online
	KindService   Kind = 7  // a business service has registered, or left
	KindChanged   Kind = 8  // a room or a membership has changed in the store
	KindJoined    Kind = 10 // a user has joined a room
	KindLeft      Kind = 11 // a user has left a room
	KindSupersede Kind = 12 // a new session takes the place of older ones
	KindResume    Kind = 13 // hand over the state of a session whose client has come here
	KindAdopt     Kind = 14 // take the state of a session whose client will come
	KindSequence  Kind = 20 // give a publication its place in a channel without a log
	KindPresence  Kind = 21 // a user has come, gone or looked away
	KindWatched   Kind = 22 // which of these users are there
	KindEnded     Kind = 30 // a room is no more
	KindTold      Kind = 31 // tell a user something that has no place in his rooms
	KindAttending Kind = 32 // who follows these rooms
	KindDismissed Kind = 33 // a user is no longer in a room, and is to know why
	KindStored    Kind = 40 // something was stored in these rooms
)

// Answers begin with a byte that tells whether there is one.
const (
	answerUnknown byte = iota // the node does not know the kind
	answerGiven
	answerBusy // it has too much to do
)

// Handle names who answers requests of a kind. It is called before Run. h must not block, since others
// wait behind it; it may answer later, from anywhere.
func (n *Node) Handle(k Kind, h func(broker.Request)) {
	n.requests[k] = func(r broker.Request, _ func()) { h(r) }
}

// request takes what another node asks.
func (n *Node) request(r broker.Request) {
	answer := r.Answer
	if len(r.Body) == 0 || n.requests[Kind(r.Body[0])] == nil {
		answer([]byte{answerUnknown}) // the other one is newer
		return
	}
	h := n.requests[Kind(r.Body[0])]
	r.Body = r.Body[1:]
	r.Answer = func(body []byte) { answer(append([]byte{answerGiven}, body...)) }
	h(r, func() { answer([]byte{answerBusy}) })
}

// Tell tells the other nodes that follow a channel something that they do not answer; see broker.Asker.
func (n *Node) Tell(channel string, k Kind, body []byte) error {
	return n.broker.Tell(channel, append([]byte{byte(k)}, body...))
}

// Ask asks the other nodes that follow a channel; see broker.Asker. Nodes that do not know the kind, or have
// too much to do, count as such that have not answered.
func (n *Node) Ask(ctx context.Context, channel string, k Kind, body []byte, take func(broker.Answer) (more bool)) error {
	return n.broker.Ask(ctx, channel, append([]byte{byte(k)}, body...), func(a broker.Answer) bool {
		if len(a.Body) == 0 || a.Body[0] != answerGiven {
			return true
		}
		a.Body = a.Body[1:]
		return take(a)
	})
}

// OnMissed has told called when something on a channel may not have come, or, without a name, on any channel and
// of what nodes tell each other. It is called before Run; told must not block.
func (n *Node) OnMissed(told func(channel string)) { n.onMissed = append(n.onMissed, told) }

// OnMember has told called when another node has come, or is gone. It is called before Run; told must not block.
func (n *Node) OnMember(told func(node string, here bool)) { n.onMember = append(n.onMember, told) }

func (n *Node) member(m broker.Member, here bool) {
	for _, told := range n.onMember {
		told(m.ID, here)
	}
}

// Others returns the ids of the other nodes that are here now.
func (n *Node) Others() (ids []string) {
	for _, m := range n.broker.Members() {
		ids = append(ids, m.ID)
	}
	return ids
}

// ID is the node's own id in the cluster, new with every start; empty: it is no part of one.
func (n *Node) ID() string { return n.broker.Self() }

// Alone tells that there is no other node now, so that nobody has to be asked.
func (n *Node) Alone() bool { return n.ID() == "" || len(n.broker.Members()) == 0 }
