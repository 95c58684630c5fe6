package brokertest

import (
	"testing"

	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/frame"
)

func (n *node) publishAll(ps []*frame.Publication) {
	n.t.Helper()
	all, ok := n.Broker.(broker.Gatherer)
	if !ok {
		n.t.Fatal("the broker takes publications one by one alone")
	}
	if err := all.PublishAll(n.t.Context(), ps); err != nil {
		n.t.Error(err)
	}
}

// together publishes several at once: they come in their order, also where only a session waits for a reply.
func together(t *testing.T, s Starter) {
	n := start(t, s, 1)[0]
	n.publishAll([]*frame.Publication{item("a", 1), item("a", 2)}) // nobody is there
	n.subscribe("a")
	n.publishAll([]*frame.Publication{item("a", 3), item("a", 4), item("a", 5)})
	n.want("a", 3, 4, 5)
	if got := n.batches.Load(); got != 1 {
		t.Errorf("they came in %d batches", got)
	}
	n.unsubscribe("a")
	n.publishAll([]*frame.Publication{item("a", 6), {Channel: "a", Seq: 7, Origin: "session", Reply: frame.New(1)}})
	n.want("a", 6, 7)
	n.publishAll([]*frame.Publication{{Channel: "a", Seq: 8, Origin: "session", ID: "of another's order"}})
	n.want("a", 8)
	if got := n.batches.Load(); got != 2 {
		t.Errorf("what has an ID came with others: %d batches", got)
	}
}

// togetherAcross publishes at once what is too much for one message, with something that is too large for any.
func togetherAcross(t *testing.T, s Starter) {
	const count, size = 100, 4 << 10
	nodes := start(t, s, 2)
	nodes[1].subscribe("a")
	settle("a", nodes[:1], nodes[1:])
	var ps []*frame.Publication
	for seq := range int64(count) {
		bytes := size
		if seq == count/2 {
			bytes = 32 << 20
		}
		ps = append(ps, &frame.Publication{Channel: "a", Seq: seq + 1, Frame: frame.New(make([]byte, bytes)), From: "alice", AckRequired: seq%2 == 0})
	}
	nodes[0].publishAll(ps)
	for i, p := range ps {
		got := nodes[1].next()
		switch {
		case got.Seq != p.Seq:
			t.Fatalf("%d came in the place of %d", got.Seq, p.Seq)
		case i == count/2:
			if got.Frame != nil {
				t.Error("what is too large for the engine has come")
			}
		case len(got.Frame.Payload().([]byte)) != size || got.From != p.From || got.AckRequired != p.AckRequired:
			t.Errorf("got %+v", got)
		}
	}
	if n := nodes[1].batches.Load(); n == 0 || n > count/4 {
		t.Errorf("they came in %d batches", n)
	}
}
