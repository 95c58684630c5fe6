package hub_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/realtime/transport/transporttest"
)

// soon is longer than a hole may fill by itself.
const soon = 50 * time.Millisecond

// TestWhatIsOvertakenIsWaitedFor: publications that only come in another order cost no read.
func TestWhatIsOvertakenIsWaitedFor(t *testing.T) {
	s := newStore()
	runNode(t, s, s, func(_ *testing.T, n *node) {
		_, bob := n.join("room", "bob")
		_, alice := n.join("room", "alice")
		n.wantReads(0, 0, 2)
		first, second, third := s.append("room", "carol", ""), s.append("room", "alice", "alice"), s.append("room", "carol", "")
		n.Deliver(remote(third))
		n.Deliver(second)
		n.want(bob)
		n.Deliver(remote(first))
		n.Deliver(remote(second))
		n.Deliver(remote(third))
		n.want(bob, "1", "2", "3")
		n.want(alice, "1", "ack 2", "3")
		time.Sleep(soon)
		n.wantReads(0, 0, 0)
		n.want(bob, "1", "2", "3")
	})
}

// TestAHoleIsReadOnceForAll: a thousand members cost one read of the log, and so they do when all that
// tells of what is lost is how far the log reaches.
func TestAHoleIsReadOnceForAll(t *testing.T) {
	s := newStore()
	runNode(t, s, s, func(_ *testing.T, n *node) {
		var conns []*transporttest.Conn
		for i := range 1000 {
			_, conn := n.join("room", fmt.Sprint("user", i))
			conns = append(conns, conn)
		}
		n.wantReads(0, 0, 1000)
		all := func(texts ...string) {
			n.t.Helper()
			n.Spread()
			for _, c := range conns {
				n.want(c, texts...)
			}
		}
		s.append("room", "carol", "")
		n.Deliver(remote(s.append("room", "carol", "")))
		time.Sleep(soon)
		all("1", "2")
		n.wantReads(1, 0, 0)

		s.append("room", "carol", "")
		n.Deliver(head("room", 3))
		time.Sleep(soon)
		all("1", "2", "3")
		n.wantReads(1, 0, 0)

		s.append("room", "carol", "")
		n.Missed("room")
		all("1", "2", "3", "4")
		n.wantReads(2, 0, 0) // one that finds it, and one that finds the end

		n.Missed("")
		n.Deliver(head("room", 4))
		time.Sleep(soon)
		all("1", "2", "3", "4")
		n.wantReads(1, 0, 0)
	})
}

// TestAnOutageIsNoStorm: after it the store is asked for all channels together, and those are read of which
// something is missing, a few at a time.
func TestAnOutageIsNoStorm(t *testing.T) {
	const rooms, moved = 10_000, 100
	s := newStore()
	runNode(t, s, withHeads{s}, func(t *testing.T, n *node) {
		var conns []*transporttest.Conn
		for i := range rooms {
			_, conn := n.join(fmt.Sprint("room", i), fmt.Sprint("user", i))
			conns = append(conns, conn)
		}
		n.wantReads(0, 0, rooms)
		for i := range moved {
			for range 3 {
				s.append(fmt.Sprint("room", i), "carol", "")
			}
		}
		s.set(func() { s.slow = time.Millisecond })
		n.Missed("")
		time.Sleep(time.Second)
		for i, c := range conns {
			if i < moved {
				n.want(c, "1", "2", "3")
			} else if i%100 == 0 {
				n.want(c)
			}
		}
		if s.mostNow > 4 {
			t.Errorf("%d reads at once", s.mostNow)
		}
		_, heads, _ := s.counts()
		if want := (rooms + 511) / 512; heads > want {
			t.Errorf("heads were asked for %d times instead of %d", heads, want)
		}
		n.wantReads(moved, heads, 0)
	})
}

// TestALargeHole is read page by page, and one that is larger than any queue by each session, at the pace of its
// client.
func TestALargeHole(t *testing.T) {
	for missing, left := range map[int]bool{1000: false, 10_000: true} {
		t.Run(fmt.Sprint(missing), func(t *testing.T) {
			s := newStore()
			runNode(t, s, s, func(_ *testing.T, n *node) {
				_, bob := n.join("room", "bob")
				for range missing {
					s.append("room", "carol", "")
				}
				n.Deliver(remote(s.append("room", "carol", "")))
				time.Sleep(soon)
				n.want(bob, numbers("%d", 1, missing+2)...)
				if reads, _, _ := s.counts(); left != (reads == 0) {
					n.t.Errorf("the node read %d times", reads)
				}
			})
		})
	}
}

// TestA3WhatComesTogether: publications that come at once are put into the order of the log like any others, and are
// answered whether anybody follows the channel or not.
func TestA3WhatComesTogether(t *testing.T) {
	s := newStore()
	runNode(t, s, s, func(_ *testing.T, n *node) {
		_, bob := n.join("room", "bob")
		_, alice := n.join("room", "alice")
		one := func(user, by string) *frame.Publication { return s.append("room", user, by) }
		first, second, third, fourth, fifth := one("carol", ""), one("alice", "alice"), one("carol", ""), one("carol", ""), one("alice", "alice")
		n.DeliverAll([]*frame.Publication{second, third})
		n.want(bob)
		n.DeliverAll([]*frame.Publication{remote(first), remote(second), fourth})
		n.want(bob, "1", "2", "3", "4")
		n.DeliverAll([]*frame.Publication{third, fifth})
		n.want(bob, "1", "2", "3", "4", "5")
		n.want(alice, "1", "ack 2", "3", "4", "ack 5")
	})
}

// TestA4WhatIsGoneIsTold: when part of what is missing is kept no longer, each session is told.
func TestA4WhatIsGoneIsTold(t *testing.T) {
	s := newStore()
	runNode(t, s, s, func(_ *testing.T, n *node) {
		_, bob := n.join("room", "bob")
		_, alice := n.join("room", "alice")
		for range 5 {
			s.append("room", "carol", "")
		}
		s.set(func() { s.floor["room"] = 3 })
		n.Deliver(s.append("room", "alice", "alice"))
		time.Sleep(soon)
		n.want(bob, "gone up to 3", "4", "5", "6")
		n.want(alice, "ack 6", "gone up to 3", "4", "5") // who waits for a reply has it
		n.Deliver(remote(s.append("room", "carol", "")))
		n.want(bob, "gone up to 3", "4", "5", "6", "7")
	})
}

// TestA4StoreAway: as long as it cannot be read nothing is skipped.
func TestA4StoreAway(t *testing.T) {
	for name, away := range map[string]time.Duration{"for a moment": 300 * time.Millisecond, "for long": 20 * time.Second} {
		t.Run(name, func(t *testing.T) {
			s := newStore()
			runNode(t, s, withHeads{s}, func(_ *testing.T, n *node) {
				_, bob := n.join("room", "bob")
				n.wantReads(0, 0, 1)
				s.append("room", "carol", "")
				s.set(func() { s.fail = errAway })
				n.Deliver(remote(s.append("room", "carol", "")))
				n.Missed("")
				time.Sleep(away)
				n.want(bob)
				s.set(func() { s.fail = nil })
				time.Sleep(2 * time.Second)
				n.want(bob, "1", "2")
				n.Deliver(remote(s.append("room", "carol", "")))
				n.want(bob, "1", "2", "3")
			})
		})
	}
}

// TestTheLogDoesNotHaveIt: word of something that was never stored delays nothing and is forgotten.
func TestTheLogDoesNotHaveIt(t *testing.T) {
	s := newStore()
	runNode(t, s, s, func(_ *testing.T, n *node) {
		_, bob := n.join("room", "bob")
		n.Deliver(head("room", 1000))
		n.Deliver(remote(s.append("room", "carol", "")))
		n.want(bob, "1")
		time.Sleep(time.Minute)
		n.wantReads(1, 0, 1)
		n.Deliver(remote(s.append("room", "carol", "")))
		n.want(bob, "1", "2")
	})
}

// TestMoreThanMayWait: what a channel has no room for is read from the log as well, and who sent it has his
// reply.
func TestMoreThanMayWait(t *testing.T) {
	for name, bytes := range map[string]int{"publications": 0, "bytes": 100 << 10} {
		t.Run(name, func(t *testing.T) {
			s := newStore()
			runNode(t, s, s, func(_ *testing.T, n *node) {
				_, bob := n.join("room", "bob")
				_, alice := n.join("room", "alice")
				s.append("room", "carol", "")
				s.set(func() { s.slow = time.Second })
				for range 400 {
					p := remote(s.append("room", "carol", ""))
					p.Bytes = bytes
					n.Deliver(p)
				}
				n.Deliver(s.append("room", "alice", "alice"))
				time.Sleep(10 * time.Second)
				n.want(bob, numbers("%d", 1, 403)...)
				got := alice.Texts()
				at := slices.Index(got, "ack 402")
				if at < 0 {
					n.t.Fatal("no reply")
				}
				n.want(alice, slices.Insert(numbers("%d", 1, 402), at, "ack 402")...)
			})
		})
	}
}

// TestTheReplyIsNotLostWithItsPlace: whatever was faster, the sender has his reply, once, and not what he sent.
func TestTheReplyIsNotLostWithItsPlace(t *testing.T) {
	s := newStore()
	runNode(t, s, s, func(_ *testing.T, n *node) {
		_, alice := n.join("room", "alice")
		_, bob := n.join("room", "bob")
		late := s.append("room", "alice", "alice") // stored, and its node takes its time to say so
		n.Deliver(remote(s.append("room", "carol", "")))
		time.Sleep(soon)
		n.want(bob, "1", "2")
		n.want(alice, "2")
		n.Deliver(late)
		n.want(alice, "2", "ack 1")

		first := s.append("room", "alice", "alice")
		n.Deliver(remote(s.append("room", "carol", "")))
		n.Deliver(s.append("room", "alice", "alice")) // waits, and its session goes
		n.Unsubscribe(n.Session("alice"), "room")
		n.Deliver(first)
		n.want(bob, "1", "2", "3", "4", "5")
		n.want(alice, "2", "ack 1", "ack 3", "ack 5")

		n.Deliver(s.append("room", "bob", "bob"))
		s.append("room", "carol", "")
		n.Deliver(s.append("room", "bob", "bob"))
		n.Unsubscribe(n.Session("bob"), "room") // the last one
		n.want(bob, "1", "2", "3", "4", "5", "ack 6", "ack 8")
	})
}

// TestTheOneWithTheReplyIsKept: of what waits twice.
func TestTheOneWithTheReplyIsKept(t *testing.T) {
	s := newStore()
	runNode(t, s, s, func(_ *testing.T, n *node) {
		_, alice := n.join("room", "alice")
		first, second := s.append("room", "carol", ""), s.append("room", "alice", "alice")
		n.Deliver(remote(second))
		n.Deliver(second)
		n.Deliver(remote(second))
		n.Deliver(remote(first))
		n.want(alice, "1", "ack 2")
	})
}

// TestNobodyIsReadFor: what only those miss who are behind, and read for themselves.
func TestNobodyIsReadFor(t *testing.T) {
	s := newStore()
	runNode(t, s, s, func(_ *testing.T, n *node) {
		for range 1000 {
			s.append("room", "carol", "")
		}
		b, bob := n.add(session.Options{ID: "bob", User: "bob"})
		sub := n.Subscribe(b, "room", &reader{store: s, room: "room", user: "bob"}, 0)
		n.Missed("room")
		n.Missed("")
		n.wantReads(0, 0, 0)
		b.Start(sub)
		n.want(bob, numbers("%d", 1, 1001)...)
		n.wantReads(1, 0, 5) // once he is live
	})
}

// TestWhatIsNotKeptIsNotOrdered: a channel whose log is each session's own is read by each, at once.
func TestWhatIsNotKeptIsNotOrdered(t *testing.T) {
	s := newStore()
	runNode(t, s, s, func(_ *testing.T, n *node) {
		_, bob := n.join("inbox", "bob")
		n.wantReads(0, 0, 1)
		s.append("inbox", "carol", "")
		n.Deliver(head("inbox", 1))
		n.want(bob, "1")
		s.append("inbox", "carol", "")
		n.Missed("")
		n.want(bob, "1", "2")
		n.wantReads(0, 0, 4)
	})
}

// TestWhatHasNoSeqDoesNotWait: a notice passes a hole.
func TestWhatHasNoSeqDoesNotWait(t *testing.T) {
	s := newStore()
	runNode(t, s, s, func(_ *testing.T, n *node) {
		_, bob := n.join("room", "bob")
		first := s.append("room", "carol", "")
		n.Deliver(remote(s.append("room", "carol", "")))
		n.Deliver(&frame.Publication{Channel: "room", Frame: frame.New("carol has left")})
		n.want(bob, "carol has left")
		n.Deliver(remote(first))
		n.want(bob, "carol has left", "1", "2")
	})
}

// TestMissedWhileASessionCatchesUp: what was stored after it had read its last page, and before it was live.
func TestMissedWhileASessionCatchesUp(t *testing.T) {
	s := newStore()
	runNode(t, s, s, func(_ *testing.T, n *node) {
		b, bob := n.add(session.Options{ID: "bob", User: "bob"})
		b.Start(n.Subscribe(b, "room", &reader{store: s, room: "room", user: "bob", then: func() {
			s.append("room", "carol", "")
			n.Missed("room")
		}}, 0))
		n.want(bob, "1")
		n.wantReads(2, 0, 1)
	})
}
