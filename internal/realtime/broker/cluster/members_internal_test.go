package cluster

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/realtime/broker"
)

// TestLateHellosReviveNobody: a node that went is not back for what it said before, and one that left is
// never.
func TestLateHellosReviveNobody(t *testing.T) {
	t.Parallel()
	var told []string
	ms := newMembers("self", 4*time.Second)
	ms.changed = func(m broker.Member, here bool) { told = append(told, fmt.Sprint(m.ID, here)) }
	now := time.Now()
	hello := func(id string, number uint64) bool { return ms.hello(broker.Member{ID: id}, number, now) }
	expect := func(want ...string) {
		t.Helper()
		if !slices.Equal(told, want) {
			t.Fatalf("told %v, want %v", told, want)
		}
		told = nil
	}
	if hello("self", 1) || !hello("a", 1) || hello("a", 2) || hello("a", 2) {
		t.Error("who came is not who came")
	}
	expect("atrue")
	now = now.Add(4 * time.Second)
	if gone := ms.sweep(now); len(gone) != 0 {
		t.Errorf("gone at once: %v", gone)
	}
	now = now.Add(time.Millisecond)
	if gone := ms.sweep(now); !slices.Equal(gone, []string{"a"}) {
		t.Errorf("gone: %v", gone)
	}
	expect("afalse")
	if hello("a", 1) || hello("a", 2) {
		t.Error("a late hello revived it")
	}
	expect()
	if !hello("a", 3) {
		t.Error("it lives and is not believed")
	}
	expect("atrue")
	if !ms.bye("a", now) || ms.bye("a", now) {
		t.Error("who left is not who left")
	}
	expect("afalse")
	if hello("a", 100) {
		t.Error("it left and is back")
	}
	ms.bye("b", now) // which overtook its hello
	if hello("b", 1) {
		t.Error("it left before it came, and is here")
	}
	expect()
	now = now.Add(2 * forgetAfter)
	ms.sweep(now)
	if len(ms.peers) != 0 {
		t.Errorf("remembered for ever: %v", ms.peers)
	}
}

// TestOutagesTakeNobodyAway: after one, everybody has a whole expiry to be heard, and the time
// that it takes to come back.
func TestOutagesTakeNobodyAway(t *testing.T) {
	t.Parallel()
	ms := newMembers("self", 4*time.Second)
	now := time.Now()
	ms.hello(broker.Member{ID: "a"}, 1, now)
	now = now.Add(time.Hour)
	ms.spare(now)
	if gone := ms.sweep(now.Add(returning + 3*time.Second)); len(gone) != 0 {
		t.Errorf("gone: %v", gone)
	}
	if gone := ms.sweep(now.Add(returning + 5*time.Second)); len(gone) != 1 {
		t.Errorf("not gone: %v", ms.list())
	}
}

func TestMembersAreBounded(t *testing.T) {
	t.Parallel()
	ms := newMembers("self", time.Second)
	for i := range 2 * maxPeers {
		ms.hello(broker.Member{ID: fmt.Sprint(i)}, 1, time.Now())
	}
	if n := len(ms.list()); n != maxPeers {
		t.Errorf("%d nodes", n)
	}
}
