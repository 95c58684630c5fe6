package protocol_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// TestBroadcastSpansNodes: the counts of all nodes are added.
func TestBroadcastSpansNodes(t *testing.T) {
	runFleet(t, 3, func(t *testing.T, f *fleet) {
		var all []*recorded
		for i := range 7 {
			all = append(all, f.member(t, i%3, fmt.Sprint("user", i)))
		}
		f.nodes[1].away(all[1])
		if got := f.nodes[0].push.Broadcast(t.Context(), push("at once")); got != (biz.BroadcastCounts{Sent: 6, Queued: 1, Total: 7}) {
			t.Errorf("%+v", got)
		}
		a := f.nodes[2].push.Audience(t.Context(), push("paced"))
		var got biz.BroadcastCounts
		for a.Len() > 0 {
			got = got.Plus(a.Next(t.Context(), 1))
			time.Sleep(10 * time.Second) // the others remember, as long as it goes on
		}
		if got != (biz.BroadcastCounts{Sent: 6, Queued: 1}) {
			t.Errorf("paced: %+v", got)
		}
		for i, r := range all {
			if i != 1 {
				want(t, r, "push at once", "push paced")
			}
		}
	})
}

// TestA8PacedBroadcastOverADeath: sessions of a node that is killed in the middle are counted as unknown.
func TestA8PacedBroadcastOverADeath(t *testing.T) {
	runFleet(t, 3, func(t *testing.T, f *fleet) {
		for i := range 9 {
			f.member(t, i%3, fmt.Sprint("user", i))
		}
		a := f.nodes[0].push.Audience(t.Context(), push("p"))
		got := a.Next(t.Context(), 4)
		f.kill(1)
		f.kill(2)
		for a.Len() > 0 {
			got = got.Plus(a.Next(t.Context(), 1))
		}
		if got.Total = 9; got.Remaining() != 0 || got.Sent != 4 || got.Unknown != 5 {
			t.Errorf("%+v", got)
		}
	})
}
