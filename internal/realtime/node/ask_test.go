package node_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/node"
	"github.com/game-im/hermod/internal/realtime/transport"
)

// asked returns which nodes answer on a channel.
func (f *fleet) asked(t *testing.T, i int, channel string) (nodes []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	err := f.nodes[i].Ask(ctx, channel, node.KindSession, []byte("who"), func(a broker.Answer) bool {
		if string(a.Body) != "who, "+a.Node {
			t.Errorf("%s answers %q", a.Node, a.Body)
		}
		nodes = append(nodes, a.Node)
		return true
	})
	if err != nil && !errors.Is(err, broker.ErrNobody) && !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	slices.Sort(nodes)
	return nodes
}

// TestANodeIsAskedForWhomItHas: a user's or a gid's channel is followed by the nodes that have such a session,
// while they have it.
func TestANodeIsAskedForWhomItHas(t *testing.T) {
	runFleet(t, 3, func(t *testing.T, f *fleet) {
		for _, n := range f.nodes[1:] {
			n.Handle(node.KindSession, func(r broker.Request) { r.Answer([]byte(string(r.Body) + ", " + n.ID())) })
		}
		one, _ := f.connect(1, "alice")
		two, _ := f.connect(2, "alice")
		f.nodes[2].Assign(two, 7)
		synctest.Wait()
		check := func(channel string, want ...string) {
			t.Helper()
			if got := f.asked(t, 0, channel); !slices.Equal(got, want) {
				t.Errorf("%s: %v answer, want %v", channel, got, want)
			}
		}
		check(node.UserChannel("alice"), "node1", "node2")
		check(node.GIDChannel(7), "node2")
		check(node.UserChannel("bob"))
		f.nodes[2].Assign(two, 0)
		f.nodes[1].End(one, transport.Ended)
		synctest.Wait()
		check(node.GIDChannel(7))
		check(node.UserChannel("alice"), "node2")
		check(broker.NodeChannel("node1"), "node1") // always
	})
}

// TestAnUnknownKindIsNoAnswer: a node that is older says so instead of being silent, and the asker does not
// wait for it.
func TestAnUnknownKindIsNoAnswer(t *testing.T) {
	runFleet(t, 2, func(t *testing.T, f *fleet) {
		start := time.Now()
		err := f.nodes[0].Ask(t.Context(), broker.EveryNode, node.KindClose, nil, func(broker.Answer) bool {
			t.Error("there was an answer")
			return true
		})
		if err != nil || time.Since(start) > time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

func TestSessionIDsTellWhereTheyWereMade(t *testing.T) {
	runFleet(t, 1, func(t *testing.T, f *fleet) {
		id, err := f.nodes[0].NewSessionID()
		if err != nil || node.HomeOf(id) != "node0" {
			t.Errorf("%q, %v", id, err)
		}
	})
	run(t, func(t *testing.T, b *bench) {
		id, err := b.NewSessionID()
		if err != nil || strings.Contains(id, ".") || node.HomeOf(id) != "" {
			t.Errorf("%q, %v", id, err)
		}
		if !b.Alone() {
			t.Error("a node without a cluster is not alone")
		}
	})
}

// TestKindsStay: the numbers that nodes of older versions go by.
func TestKindsStay(t *testing.T) {
	t.Parallel()
	for kind, number := range map[node.Kind]byte{
		node.KindPush: 1, node.KindBroadcast: 2, node.KindFind: 3, node.KindSession: 4, node.KindClose: 5, node.KindOnline: 6, node.KindService: 7,
		node.KindChanged: 8, node.KindJoined: 10, node.KindLeft: 11, node.KindSupersede: 12, node.KindResume: 13, node.KindAdopt: 14,
		node.KindSequence: 20, node.KindPresence: 21, node.KindWatched: 22, node.KindEnded: 30, node.KindTold: 31, node.KindAttending: 32,
		node.KindDismissed: 33, node.KindStored: 40,
	} {
		if byte(kind) != number {
			t.Errorf("a kind that was %d is %d", number, kind)
		}
	}
}
