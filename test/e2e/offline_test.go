package e2e

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// contents takes the next messages and returns what they say.
func contents(s *Stream, count int) []string {
	s.t.Helper()
	return said(s.Take(count))
}

func said(frames []Frame) []string {
	all := make([]string, len(frames))
	for i, f := range frames {
		all[i] = string(f.GetContent())
	}
	return all
}

func numbers(from, to int) []string {
	var all []string
	for i := from; i <= to; i++ {
		all = append(all, fmt.Sprint(i))
	}
	return all
}

func expect(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

// TestA6Offline: a member who was away gets what was said, in order and before live messages, each
// time, whatever kind of client he has, and after a restart of the node.
func TestA6Offline(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	im := n.Calls()
	kinds := []Hello{
		{User: "plain"},
		{User: "batch", Capabilities: "batch"},
		{User: "acks", Capabilities: "ack,resume,batch"},
		{User: "device", Device: "phone"},
	}
	join(t, im, "room", "alice", "live")
	for _, h := range kinds {
		join(t, im, "room", h.User)
	}
	next := map[string]int64{}
	for round := range 3 {
		before := info(t, im, "room", "alice").GetRoomInfo().GetMessageCount()
		say(t, im, "room", "alice", numbers(1, 50)...)
		if round == 1 {
			n.Restart()
		}
		busy, quiet := context.WithCancel(t.Context())
		sent := make(chan int64, 1)
		go func() { sent <- chatter(busy, t, im, "room", "live", time.Millisecond) }()
		streams := make([]*Stream, len(kinds))
		for i, h := range kinds {
			h.Room = "room"
			streams[i] = n.Connect(h)
		}
		n.eventually("some messages came live", func() bool {
			return info(t, im, "room", "alice").GetRoomInfo().GetMessageCount() > before+70
		})
		quiet()
		head := before + 50 + <-sent
		for i, h := range kinds {
			for next[h.User] < head {
				f := streams[i].Next()
				next[h.User]++
				if f.GetSeq() != next[h.User] || f.GetMessageId() == "" || f.GetTimestamp() == nil {
					t.Fatalf("round %d, %s: got seq %d, want %d: %v", round, h.User, f.GetSeq(), next[h.User], f)
				}
				if h.Capabilities == "ack,resume,batch" {
					streams[i].AckLink(f.Link)
				}
			}
			if rest := streams[i].Flush(); len(rest) > 0 {
				t.Errorf("round %d, %s: %d frames too many: %v", round, h.User, len(rest), rest[0])
			}
			streams[i].End()
		}
	}
}

// TestA6WhereDevicesStart has every case of where a session begins to read a room.
func TestA6WhereDevicesStart(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	im := n.Calls()
	join(t, im, "room", "alice")
	say(t, im, "room", "alice", "before bob")
	join(t, im, "room", "bob")
	say(t, im, "room", "alice", "1")

	phone := n.Connect(Hello{User: "bob", Room: "room", Device: "phone"})
	expect(t, "a member's first device", contents(phone, 1), "1")
	expect(t, "and no more", said(phone.Flush()))
	tablet := n.Connect(Hello{User: "bob", Room: "room", Device: "tablet"})
	none := n.Connect(Hello{User: "bob", Room: "room"})
	expect(t, "a second device", said(tablet.Flush()))
	expect(t, "no device name is a device, too", said(none.Flush()))

	say(t, im, "room", "alice", "2")
	for _, s := range []*Stream{phone, tablet, none} {
		expect(t, "each device", contents(s, 1), "2")
	}
	tablet.End()
	say(t, im, "room", "alice", "3")
	expect(t, "the one that stayed", contents(phone, 1), "3")
	tablet = n.Connect(Hello{User: "bob", Room: "room", Device: "tablet"})
	expect(t, "the one that comes back", contents(tablet, 1), "3")

	// Streams without a name share one place; a second one starts where the first has got to.
	none.Flush()
	second := n.Connect(Hello{User: "bob", Room: "room"})
	expect(t, "a second stream of the same device", said(second.Flush()))

	if _, err := im.LeaveRoom(within(t), &imv1.LeaveRoomRequest{UserId: "bob", RoomId: "room"}); err != nil {
		t.Fatal(err)
	}
	say(t, im, "room", "alice", "while he is no member")
	join(t, im, "room", "bob")
	say(t, im, "room", "alice", "4")
	for _, s := range []*Stream{phone, tablet, second} {
		expect(t, "a stream that lives through leaving and joining", contents(s, 1), "4")
	}
	fresh := n.Connect(Hello{User: "bob", Room: "room", Device: "watch"})
	expect(t, "a new device after joining again", said(fresh.Flush()))
	phone.End()
	say(t, im, "room", "alice", "5")
	phone = n.Connect(Hello{User: "bob", Room: "room", Device: "phone"})
	expect(t, "an old device after joining again", contents(phone, 1), "5")
	expect(t, "and no more", said(phone.Flush()))
}

// TestA6LeftAndBack: who leaves and joins again while he is away starts at the head, also on a
// device that had a place in the room before.
func TestA6LeftAndBack(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	im := n.Calls()
	join(t, im, "room", "alice", "bob")
	say(t, im, "room", "alice", "1")
	bob := n.Connect(Hello{User: "bob", Room: "room"})
	expect(t, "before", contents(bob, 1), "1")
	bob.End()
	say(t, im, "room", "alice", "missed, then given up")
	if _, err := im.LeaveRoom(within(t), &imv1.LeaveRoomRequest{UserId: "bob", RoomId: "room"}); err != nil {
		t.Fatal(err)
	}
	say(t, im, "room", "alice", "while he is no member")
	join(t, im, "room", "bob")
	say(t, im, "room", "alice", "2")
	bob = n.Connect(Hello{User: "bob", Room: "room"})
	expect(t, "after", contents(bob, 1), "2")
	expect(t, "and no more", said(bob.Flush()))
}

// TestA6OwnMessagesAreSkipped: what one has said oneself is no news.
func TestA6OwnMessagesAreSkipped(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	im := n.Calls()
	join(t, im, "room", "alice", "bob")
	say(t, im, "room", "alice", "1")
	say(t, im, "room", "bob", "his own", "another")
	say(t, im, "room", "alice", "2")
	say(t, im, "room", "bob", "the last")
	bob := n.Connect(Hello{User: "bob", Room: "room"})
	got := bob.Take(2)
	expect(t, "the backlog", said(got), "1", "2")
	if got[0].GetSeq() != 1 || got[1].GetSeq() != 4 {
		t.Errorf("seq %d and %d, want 1 and 4", got[0].GetSeq(), got[1].GetSeq())
	}
	expect(t, "and no more", said(bob.Flush()))
}

// TestA6RoomsOfAStream: a stream that names a room follows that one and those joined meanwhile; one
// that names none, or can follow several, has all of its user's.
func TestA6RoomsOfAStream(t *testing.T) {
	t.Parallel()
	n := Start(t, "")
	im := n.Calls()
	for _, room := range []string{"a", "b"} {
		join(t, im, room, "alice", "bob")
		say(t, im, room, "alice", "in "+room)
	}
	one := n.Connect(Hello{User: "bob", Room: "a", Device: "1"})
	expect(t, "names one", contents(one, 1), "in a")
	one.End()
	one = n.Connect(Hello{User: "bob", Room: "a", Device: "1"})
	none := n.Connect(Hello{User: "bob", Device: "2"})
	capable := n.Connect(Hello{User: "bob", Room: "a", Device: "3", Capabilities: "rooms"})
	say(t, im, "a", "alice", "live a")
	say(t, im, "b", "alice", "live b")
	join(t, im, "c", "alice", "bob")
	say(t, im, "c", "alice", "live c")
	fromMembers := func(s *Stream) []string {
		var got []string
		for _, f := range s.Flush() {
			if f.GetType() == text {
				got = append(got, string(f.GetContent()))
			}
		}
		slices.Sort(got)
		return got
	}
	for what, c := range map[string]struct {
		stream *Stream
		want   []string
	}{
		"names one":       {one, []string{"live a", "live c"}},
		"names none":      {none, []string{"in b", "live a", "live b", "live c"}},
		"capability room": {capable, []string{"live a", "live b", "live c"}}, // a new device, where others have been
	} {
		var got []string
		eventually(t, what+" has everything", func() bool {
			got = append(got, fromMembers(c.stream)...)
			return len(got) >= len(c.want)
		})
		slices.Sort(got)
		expect(t, what, got, c.want...)
	}
}

// TestA6NotPersistent: a room that keeps nothing promises order while one is there, and no more.
func TestA6NotPersistent(t *testing.T) {
	t.Parallel()
	n := Start(t, "room:\n  defaults:\n    persistent: false\n")
	im := n.Calls()
	join(t, im, "room", "alice", "bob")
	resp := say(t, im, "room", "alice", "nobody is there")
	if resp.GetSeq() != 0 || resp.GetMessageId() == "" {
		t.Errorf("answer %v", resp)
	}
	bob := n.Connect(Hello{User: "bob", Room: "room"})
	bob.Flush()
	say(t, im, "room", "alice", numbers(1, 100)...)
	got := bob.Take(100)
	expect(t, "live", said(got), numbers(1, 100)...)
	for _, f := range got {
		if f.GetSeq() != 0 || f.GetMessageId() == "" {
			t.Fatalf("seq %d, id %q", f.GetSeq(), f.GetMessageId())
		}
	}
	if i := info(t, im, "room", "bob").GetRoomInfo(); i.GetMessageCount() != 0 || i.GetConfig().GetPersistent() {
		t.Errorf("room %v", i)
	}
}
