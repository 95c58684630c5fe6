package hub_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/session"
)

// numbering is who numbers the channels of a test.
type numbering struct {
	mu   sync.Mutex
	last map[string]frame.Turn
}

// Turns implements hub.Turns.
func (x *numbering) Turns(context.Context, []string) map[string]frame.Turn {
	x.mu.Lock()
	defer x.mu.Unlock()
	turns := map[string]frame.Turn{}
	for c, t := range x.last {
		turns[c] = t
	}
	return turns
}

// Gap implements hub.Turns.
func (x *numbering) Gap(string) *frame.Frame { return frame.New("gap") }

// say numbers something in an epoch.
func (x *numbering) say(epoch string) *frame.Publication {
	x.mu.Lock()
	defer x.mu.Unlock()
	t := frame.Turn{Epoch: epoch, Number: 1}
	if last := x.last["room"]; last.Epoch == epoch {
		t.Number = last.Number + 1
	}
	x.last["room"] = t
	return &frame.Publication{Channel: "room", Turn: t, Frame: frame.New(fmt.Sprint(epoch, t.Number))}
}

func runNumbered(t *testing.T, test func(n *node, x *numbering)) {
	t.Helper()
	s := newStore()
	runNode(t, s, s, func(_ *testing.T, n *node) {
		x := &numbering{last: map[string]frame.Turn{}}
		n.NumberedBy(x)
		test(n, x)
	})
}

func (n *node) follow(user string) func() []string {
	b, conn := n.add(session.Options{ID: user, User: user, Replies: true})
	n.Subscribe(b, "room", nil, 0)
	synctest.Wait()
	return conn.Texts
}

func (n *node) saw(texts func() []string, want ...string) {
	n.t.Helper()
	synctest.Wait()
	if got := texts(); fmt.Sprint(got) != fmt.Sprint(want) {
		n.t.Fatalf("got  %q\nwant %q", got, want)
	}
}

func TestNumbersMakeAnOrder(t *testing.T) {
	runNumbered(t, func(n *node, x *numbering) {
		bob := n.follow("bob")
		first, second, third := x.say("a"), x.say("a"), x.say("a")
		n.Deliver(third)
		n.Deliver(second)
		n.saw(bob)
		n.Deliver(&frame.Publication{Channel: "room", Frame: frame.New("somebody has joined")}) // has no place
		n.Deliver(first)
		n.Deliver(second)
		n.saw(bob, "somebody has joined", "a1", "a2", "a3")
		time.Sleep(time.Minute)
		n.saw(bob, "somebody has joined", "a1", "a2", "a3")
	})
}

// TestA4AGapOfNumbersIsTold whatever shows it: a later one, word of how far the order goes, or the question that
// follows an outage.
func TestA4AGapOfNumbersIsTold(t *testing.T) {
	for name, show := range map[string]func(n *node, x *numbering) []string{
		"a later one": func(n *node, x *numbering) []string {
			n.Deliver(x.say("a"))
			return []string{"a3"}
		},
		"word of it": func(n *node, x *numbering) []string {
			n.Deliver(&frame.Publication{Channel: "room", Turn: x.last["room"]})
			return nil
		},
		"a question": func(n *node, _ *numbering) []string {
			n.Missed("")
			return nil
		},
		"nobody knows": func(n *node, x *numbering) []string {
			clear(x.last)
			n.Missed("room")
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			runNumbered(t, func(n *node, x *numbering) {
				bob := n.follow("bob")
				n.Deliver(x.say("a"))
				n.Missed("") // and nothing is
				time.Sleep(soon)
				n.saw(bob, "a1")
				x.say("a")
				more := show(n, x)
				time.Sleep(soon)
				n.saw(bob, append([]string{"a1", "gap"}, more...)...)
				n.Deliver(x.say("b"))
				if name == "nobody knows" { // they have been told
					n.saw(bob, "a1", "gap", "b1")
					return
				}
				n.saw(bob, append([]string{"a1", "gap"}, append(more, "gap", "b1")...)...)
			})
		})
	}
}

// TestA4TheFirstOneIsLost: who follows a channel has asked where it stands.
func TestA4TheFirstOneIsLost(t *testing.T) {
	runNumbered(t, func(n *node, x *numbering) {
		bob := n.follow("bob")
		x.say("a")
		n.Deliver(x.say("a"))
		time.Sleep(soon)
		n.saw(bob, "gap", "a2")
	})
	runNumbered(t, func(n *node, x *numbering) {
		x.say("a")
		bob := n.follow("bob") // who had nothing to do with it
		n.Deliver(&frame.Publication{Channel: "room", Turn: x.last["room"]})
		n.Deliver(x.say("a"))
		time.Sleep(soon)
		n.saw(bob, "a2")
	})
}

// TestTheReplyOfWhatWaitsForItsTurn reaches a sender who leaves.
func TestTheReplyOfWhatWaitsForItsTurn(t *testing.T) {
	runNumbered(t, func(n *node, x *numbering) {
		alice := n.follow("alice")
		x.say("a")
		p := x.say("a")
		p.Origin, p.Reply = "alice", frame.New("ack a2")
		n.Deliver(p)
		n.saw(alice)
		n.Unsubscribe(n.Session("alice"), "room")
		n.saw(alice, "ack a2")
	})
}

// TestA4NumbersWhateverComes: what is numbered is lost, repeated, late and overtaken. Sessions see nothing twice and
// nothing out of order, and where something is missing they are told.
func TestA4NumbersWhateverComes(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		fates := drawFates(rt)
		lossy := rapid.Bool().Draw(rt, "lossy")
		var seen []string
		runNumbered(t, func(n *node, x *numbering) {
			bob := n.follow("bob")
			for _, f := range fates {
				time.Sleep(f.After)
				p := x.say("a")
				if !lossy {
					f.Delay, f.Lost = f.Delay/3, false // nothing is as late as a gap may be
				}
				n.later(f.Delay, p, f.Lost)
				if f.Again > 0 {
					n.later(f.Delay+f.Again, p, f.Lost)
				}
				if f.Missed {
					n.Missed("")
				}
			}
			time.Sleep(time.Second)
			n.Deliver(&frame.Publication{Channel: "room", Turn: x.last["room"]})
			time.Sleep(time.Second)
			synctest.Wait()
			seen = bob()
		})
		last, told := 0, false
		for _, text := range seen {
			if text == "gap" {
				told = true
				continue
			}
			i, err := strconv.Atoi(text[1:])
			if err != nil || i <= last || i > last+1 && !told {
				rt.Fatalf("%s behind %d: %q", text, last, seen)
			}
			last, told = i, false
		}
		if last < len(fates) && !told || !lossy && (last < len(fates) || len(seen) > last) {
			rt.Fatalf("of %d: %q", len(fates), seen)
		}
	})
}
