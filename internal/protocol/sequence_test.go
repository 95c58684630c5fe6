package protocol_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/broker/brokertest"
	"github.com/game-im/hermod/internal/realtime/broker/cluster"
	"github.com/game-im/hermod/internal/realtime/node"
	"github.com/game-im/hermod/internal/realtime/presence"
	"github.com/game-im/hermod/internal/realtime/session"
)

// growingFleet is nodes of one cluster, to which some are added and of which some end, in a bubble of their own clock.
type growingFleet struct {
	t       *testing.T
	network *brokertest.Network
	nodes   []*member
}

// member is one of them.
type member struct {
	*bench
	bus  *brokertest.Line
	stop context.CancelFunc
	done chan error
}

func nothing(cluster.Message) bool    { return false }
func everything(cluster.Message) bool { return true }

// rooms loses what is said in rooms, and nothing else.
func rooms(m cluster.Message) bool { return strings.Contains(m.Subject, ".c.room:") }

func runGrowingFleet(t *testing.T, count int, test func(f *growingFleet)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := &growingFleet{t: t, network: brokertest.NewNetwork()}
		for range count {
			f.start()
		}
		synctest.Wait()
		test(f)
		for _, m := range f.nodes {
			m.end(t)
		}
	})
}

// start adds a node.
func (f *growingFleet) start() *member {
	f.t.Helper()
	m := &member{bus: f.network.Line(), done: make(chan error, 1)}
	quiet := slog.New(slog.DiscardHandler)
	b, err := cluster.New(m.bus, cluster.Options{Self: broker.Member{ID: fmt.Sprint("node", len(f.nodes))}, Codec: protocol.Codec{}, Log: quiet})
	if err != nil {
		f.t.Fatal(err)
	}
	core := session.NewCore(session.Config{QueueBytes: 1 << 20, ResumeWindow: time.Minute, StallTimeout: time.Minute}, quiet)
	n := node.New(core, b, presence.New(time.Second))
	m.bench = newBench(n)
	var ctx context.Context
	ctx, m.stop = context.WithCancel(f.t.Context())
	go func() { m.done <- n.Run(ctx) }()
	f.nodes = append(f.nodes, m)
	time.Sleep(3 * time.Second) // until all know each other
	return m
}

func (m *member) end(t *testing.T) {
	m.stop()
	if err := <-m.done; err != nil {
		t.Error(err)
	}
	m.done <- nil
}

// home returns the node that numbers room r, and the others.
func (f *growingFleet) home() (home *member, others []*member) {
	f.t.Helper()
	id, _ := f.nodes[0].Home(protocol.RoomChannel("r"))
	for _, m := range f.nodes {
		if got, here := m.Home(protocol.RoomChannel("r")); got != id || here != (m.ID() == id) {
			f.t.Fatalf("%s takes %s for the home, and %s takes %s", f.nodes[0].ID(), id, m.ID(), got)
		}
		if m.ID() == id {
			home = m
		} else {
			others = append(others, m)
		}
	}
	return home, others
}

// say sends a message as session origin of the node does and returns what becomes of it.
func (m *member) say(user, text string) <-chan error {
	result := make(chan error, 1)
	d := &biz.Draft{Message: biz.Message{Room: "r", Sender: biz.UserID(user), ClientID: text, Content: []byte(text), Time: time.Now()}, Origin: biz.SessionID(user)}
	d.ID = biz.NewMessageID("r", 0, d.Time)
	m.live.Sequence(d, func(err error) { result <- err })
	return result
}

// TestA4OneOrderOfARoomThatKeepsNothing: whoever says something, on whichever node, everybody sees all of it in one
// order, and who said it has his answer in its place.
func TestA4OneOrderOfARoomThatKeepsNothing(t *testing.T) {
	runGrowingFleet(t, 3, func(f *growingFleet) {
		var users []*recorded
		for i, m := range f.nodes {
			users = append(users, m.member(fmt.Sprint("user", i), fmt.Sprint("user", i)))
		}
		synctest.Wait()
		var wg sync.WaitGroup
		for i, m := range f.nodes {
			wg.Go(func() {
				for k := range 200 {
					if err := <-m.say(fmt.Sprint("user", i), fmt.Sprint(i, "-", k)); err != nil {
						f.t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		var order []string
		for i, u := range users {
			var seen []string
			for _, text := range u.conn.Texts() {
				text = strings.TrimPrefix(text, "message ")
				if mine, ok := strings.CutPrefix(text, "ack "); ok {
					if text, _, _ = strings.Cut(mine, " "); !strings.HasPrefix(text, fmt.Sprint(i, "-")) {
						f.t.Fatalf("user %d has an answer to %q", i, text)
					}
				}
				seen = append(seen, text)
			}
			if len(seen) != 600 {
				at := max(0, slices.Index(seen, "missed"))
				for k, text := range seen {
					if j := slices.Index(seen, text); j != k {
						f.t.Errorf("%q at %d and %d: %q", text, j, k, seen[j:k+1])
					}
				}
				f.t.Fatalf("user %d has %d messages, some of them %q", i, len(seen), seen[max(0, at-5):min(at+5, len(seen))])
			}
			if order == nil {
				order = seen
			}
			if !slices.Equal(order, seen) {
				f.t.Errorf("user %d saw another order", i)
			}
		}
		for i := range f.nodes { // and everybody's own in the order in which he said it
			k := 0
			for _, text := range order {
				if strings.HasPrefix(text, fmt.Sprint(i, "-")) {
					if text != fmt.Sprint(i, "-", k) {
						f.t.Fatalf("%q where %d is to be", text, k)
					}
					k++
				}
			}
		}
	})
}

// TestA4WhatARoomThatKeepsNothingHasLostIsTold: a message that does not reach a node is a gap that its sessions are
// told of, with the next message or a tick later without one.
func TestA4WhatARoomThatKeepsNothingHasLostIsTold(t *testing.T) {
	runGrowingFleet(t, 2, func(f *growingFleet) {
		home, others := f.home()
		away := others[0].member("bob", "bob")
		here := home.member("carol", "carol")
		synctest.Wait()
		say := func(text string) {
			f.t.Helper()
			if err := <-home.say("alice", text); err != nil {
				f.t.Fatal(err)
			}
			synctest.Wait()
		}
		say("1")
		home.bus.Losing(rooms)
		say("2")
		home.bus.Losing(nothing)
		say("3")
		want(f.t, away, "message 1")
		time.Sleep(50 * time.Millisecond)
		want(f.t, away, "message 1", "missed", "message 3")
		time.Sleep(10 * time.Second)
		home.bus.Losing(rooms)
		say("4")
		home.bus.Losing(nothing)
		time.Sleep(1050 * time.Millisecond)
		want(f.t, away, "message 1", "missed", "message 3", "missed")
		say("5")
		want(f.t, away, "message 1", "missed", "message 3", "missed", "message 5")
		want(f.t, here, "message 1", "message 2", "message 3", "message 4", "message 5")
	})
}

// TestA4NobodyNumbersTheRoom: while its home is out of reach what is said on other nodes is refused, and afterwards
// sessions are told if anything was said meanwhile.
func TestA4NobodyNumbersTheRoom(t *testing.T) {
	runGrowingFleet(t, 2, func(f *growingFleet) {
		home, others := f.home()
		bob := others[0].member("bob", "bob")
		synctest.Wait()
		if err := <-others[0].say("bob", "1"); err != nil {
			f.t.Fatal(err)
		}
		for _, quiet := range []bool{true, false} {
			f.network.Cut()
			if err := <-others[0].say("bob", "2"); biz.KindOf(err) != biz.KindUnavailable {
				f.t.Errorf("refused with %v", err)
			}
			if !quiet {
				if err := <-home.say("alice", "3"); err != nil { // whose node numbers it
					f.t.Fatal(err)
				}
			}
			synctest.Wait()
			f.network.Heal()
			time.Sleep(time.Second)
			if quiet {
				want(f.t, bob, "ack 1 at 0")
			}
		}
		want(f.t, bob, "ack 1 at 0", "missed")
	})
}

// TestA4AnotherHome: when a room's home is killed the next one goes on, in another epoch, and everybody is told.
func TestA4AnotherHome(t *testing.T) {
	runGrowingFleet(t, 3, func(f *growingFleet) {
		home, others := f.home()
		bob, carol := others[0].member("bob", "bob"), others[1].member("carol", "carol")
		synctest.Wait()
		if err := <-others[0].say("bob", "1"); err != nil {
			f.t.Fatal(err)
		}
		home.bus.Losing(everything)
		refused := others[0].say("bob", "2") // on its way when the home dies, which has taken it
		if err := <-refused; biz.KindOf(err) != biz.KindUnavailable {
			f.t.Errorf("answered with %v", err)
		}
		time.Sleep(10 * time.Second)
		if err := <-others[0].say("bob", "3"); err != nil {
			f.t.Fatal(err)
		}
		synctest.Wait()
		want(f.t, bob, "ack 1 at 0", "missed", "ack 3 at 0")
		want(f.t, carol, "message 1", "missed", "message 3")
	})
}

// TestTheAnswerToAMessageIsNotLost: the sender has it, although what his room's home has published does not come back.
func TestTheAnswerToAMessageIsNotLost(t *testing.T) {
	runGrowingFleet(t, 2, func(f *growingFleet) {
		home, others := f.home()
		bob := others[0].member("bob", "bob")
		synctest.Wait()
		home.bus.Losing(rooms)
		for _, text := range []string{"1", "2"} {
			if err := <-others[0].say("bob", text); err != nil {
				f.t.Fatal(err)
			}
		}
		home.bus.Losing(nothing)
		if err := <-others[0].say("bob", "3"); err != nil {
			f.t.Fatal(err)
		}
		want(f.t, bob, "ack 1 at 0", "ack 2 at 0", "ack 3 at 0")
	})
}
