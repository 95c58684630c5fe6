package client

import (
	"fmt"
	"testing"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

func pushed(id string) *imv1.MessageResponse {
	return &imv1.MessageResponse{Type: imv1.MessageType_MESSAGE_TYPE_SYSTEM, MessageId: id, Content: []byte(id)}
}

// TestPushesAreKnownAgain: the last 256, and no place in a room is confused with them.
func TestPushesAreKnownAgain(t *testing.T) {
	t.Parallel()
	var h handed
	id := func(i int) string { return fmt.Sprintf("0198c0de-0000-7000-8000-%012d", i) }
	const all = 3*recentPushes + 7
	for i := range all {
		if !h.advance(pushed(id(i))) {
			t.Errorf("push %d is called a repetition", i)
		}
		if h.advance(pushed(id(i))) {
			t.Errorf("push %d is new at once again", i)
		}
	}
	for i := all - recentPushes; i < all; i++ {
		if h.advance(pushed(id(i))) {
			t.Errorf("push %d of %d is forgotten", i, all)
		}
	}
	if !h.advance(pushed(id(all - recentPushes - 1))) {
		t.Error("more is remembered than is said")
	}
	if len(h.pushes.ids) != recentPushes || cap(h.pushes.ids) > recentPushes {
		t.Errorf("%d ids remembered, with room for %d", len(h.pushes.ids), cap(h.pushes.ids))
	}
	// What a room says is told apart by its seq, whatever its id.
	said := pushed(id(all - 1))
	said.RoomId, said.Seq = "a", 1
	if !h.advance(said) || h.advance(said) {
		t.Error("a message of a room is not told apart by its seq")
	}
	for range 2 {
		if !h.advance(pushed("")) {
			t.Error("pushes without an id are held to be one")
		}
	}
}

// TestRepeatedPushesAreCounted: they do not reach OnMessage, and are acknowledged all the same.
func TestRepeatedPushesAreCounted(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	cfg, ev := p.config()
	c, ps := p.connect(t, cfg)
	for link, id := range []string{"p1", "p2", "p1", "p2", "p3"} {
		m := pushed(id)
		m.LinkSeq = uint64(link + 1)
		ps.send(t, m)
	}
	for _, want := range []string{"p1", "p2", "p3"} {
		if got := ev.next(t); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	for ps.recvAck(t) != 5 {
	}
	ev.none(t)
	if s := c.Stats(); s.Duplicates != 2 || s.Received != 3 {
		t.Errorf("%+v", s)
	}
}
