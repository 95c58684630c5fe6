package im_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/protocol/im"
	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/broker/brokertest"
	"github.com/game-im/hermod/internal/realtime/broker/cluster"
	"github.com/game-im/hermod/internal/realtime/node"
	"github.com/game-im/hermod/internal/realtime/presence"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/realtime/transport"
)

// fleet is nodes with one store on one network, in a bubble of their own clock. They know each other.
type fleet struct {
	network *brokertest.Network
	store   *store
	nodes   []*bench
	buses   []*brokertest.Line
	kills   []context.CancelFunc
}

func runFleet(t *testing.T, count int, test func(t *testing.T, f *fleet)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := &fleet{network: brokertest.NewNetwork(), store: newStore()}
		done := make(chan error, count)
		kept := &inbox{}
		for i := range count {
			f.add(t, fmt.Sprint("node", i), kept, done)
		}
		time.Sleep(3 * time.Second)
		test(t, f)
		for _, kill := range f.kills {
			kill()
		}
		for range count {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		time.Sleep(20 * time.Second) // what was under way ends
	})
}

func (f *fleet) add(t *testing.T, id string, kept *inbox, done chan<- error) {
	quiet := slog.New(slog.DiscardHandler)
	bus := f.network.Line()
	br, err := cluster.New(bus, cluster.Options{Self: broker.Member{ID: id}, Codec: protocol.Codec{}, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	core := session.NewCore(session.Config{
		QueueBytes: 1 << 20, ResumeWindow: time.Minute, StallTimeout: time.Minute, ExpiryGrace: 30 * time.Second,
	}, quiet)
	b := &bench{t: t, store: f.store, inbox: kept, auth: &refresher{}, node: node.New(core, br, presence.New(0))}
	live := protocol.NewDeliverer(b.node)
	if f.store.live == nil { // what is stored the first node tells
		f.store.live = live
	}
	b.rooms = biz.NewRooms(b.store, b.store, b.store, live, live, biz.RoomRules{AutoCreate: true, Defaults: biz.DefaultRoomConfig()})
	b.messages = biz.NewMessages(b.store, b.store, live, biz.MessageRules{MaxContentBytes: 100, MaxMetadataBytes: 100})
	b.pushes = biz.NewPushes(protocol.NewPusher(b.node), b.inbox, nil, biz.PushRules{MaxBytes: 100, MaxTargets: 9, InboxTTL: time.Hour, Inbox: biz.InboxLimits{Pushes: 9, Bytes: 1 << 20}})
	rules := im.Rules{
		Rooms: b.rooms, Messages: b.messages, Backlog: biz.NewBacklog(b.store, b.store, b.store, b.store), Pushes: b.pushes,
		Ephemerals: biz.NewEphemerals(b.store, live, biz.EphemeralRules{PerSecond: 5, Burst: 5}),
		Watches:    protocol.NewWatches(b.node, biz.NewPresences(live, b.store, b.store, b.store, biz.PresenceRules{MaxNamed: 10}), b.store, quiet),
	}
	b.watches = rules.Watches
	b.handler = im.NewHandler(b.node, rules, b.auth, config, quiet)
	protocol.NewMoves(b.node, map[string]protocol.Movable{"im": b.handler, "foreign": foreign{b.node}}, quiet)
	ctx, cancel := context.WithCancel(t.Context())
	f.nodes, f.buses, f.kills = append(f.nodes, b), append(f.buses, bus), append(f.kills, cancel)
	go func() { done <- b.node.Run(ctx) }()
}

func (f *fleet) join(t *testing.T, node int, room biz.RoomID, user biz.UserID) {
	t.Helper()
	if _, err := f.nodes[node].rooms.Join(t.Context(), biz.Identity{User: user}, biz.JoinRequest{Room: room, User: user}); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}

// say has a member say something in a room, by a unary call.
func (f *fleet) say(t *testing.T, room biz.RoomID, user biz.UserID, content string) {
	t.Helper()
	done := make(chan error, 1)
	f.nodes[0].messages.Send(t.Context(), biz.Identity{User: user}, &biz.Draft{Message: biz.Message{
		Room: room, Sender: user, Type: biz.TypeText, Content: []byte(content),
	}}, func(_ biz.Receipt, err error) { done <- err })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}

func all(user biz.UserID) im.Opening { return im.Opening{Identity: biz.Identity{User: user}} }

// TestJoinsReachOtherNodes: the user's streams follow the room that he joins, and are taken off the one that he
// leaves, on whichever node they are, before the call that does it is answered.
func TestJoinsReachOtherNodes(t *testing.T) {
	runFleet(t, 3, func(t *testing.T, f *fleet) {
		f.join(t, 0, "r", "bob")
		f.join(t, 0, "q", "bob")
		a, b := f.nodes[1].open(all("alice")), f.nodes[2].open(all("alice"))
		f.join(t, 0, "r", "alice")
		f.say(t, "r", "bob", "hi")
		a.want("hi from bob")
		b.want("hi from bob")
		f.join(t, 1, "q", "alice")
		f.say(t, "q", "bob", "ho")
		b.want("hi from bob", "ho from bob")
		if err := f.nodes[2].rooms.Leave(t.Context(), biz.Identity{User: "alice"}, "r", "alice"); err != nil {
			t.Fatal(err)
		}
		f.say(t, "r", "bob", "secret")
		f.say(t, "q", "bob", "public")
		for _, c := range []*client{a, b} {
			c.want("hi from bob", "ho from bob", "public from bob")
		}
	})
}

// TestSlowNodesDoNotHoldUpJoins: one that does not answer costs a quarter of a second.
func TestSlowNodesDoNotHoldUpJoins(t *testing.T) {
	runFleet(t, 2, func(t *testing.T, f *fleet) {
		f.nodes[1].open(all("alice"))
		f.buses[1].Mute.Store(true)
		began := time.Now()
		f.join(t, 0, "r", "alice")
		if took := time.Since(began); took > 250*time.Millisecond {
			t.Errorf("it took %v", took)
		}
	})
}

// TestA4LostJoin: a join that a node did not hear of is made up for after the outage, from where the user joined;
// rooms that a stream was not opened for stay away from it.
func TestA4LostJoin(t *testing.T) {
	runFleet(t, 2, func(t *testing.T, f *fleet) {
		f.join(t, 0, "before", "alice")
		f.join(t, 0, "r", "bob")
		time.Sleep(time.Minute)
		c := f.nodes[1].open(as("alice"))
		time.Sleep(10 * time.Second)
		f.network.Cut()
		f.join(t, 0, "q", "alice")
		f.join(t, 0, "q", "bob")
		f.say(t, "q", "bob", "missed")
		c.want()
		f.network.Heal()
		time.Sleep(5 * time.Second)
		f.say(t, "before", "alice", "not for this stream")
		f.say(t, "q", "bob", "live")
		if got := c.words(); !slices.Contains(got, "missed from bob") || !slices.Contains(got, "live from bob") || len(got) != 2 {
			t.Errorf("got %q", got)
		}
	})
}

// TestA5StreamOnAnotherNode loses the connection at every possible place: what the client sees on two nodes is
// the whole room, with the same numbers, whether it was gone or the node believed it there.
func TestA5StreamOnAnotherNode(t *testing.T) {
	for lost := range 6 {
		for _, away := range []bool{true, false} {
			runFleet(t, 3, func(t *testing.T, f *fleet) {
				f.join(t, 0, "r", "bob")
				o := im.Opening{Identity: biz.Identity{User: "alice"}, Room: "r", Resume: true}
				c := f.nodes[1].open(o)
				w := <-c.welcome
				for i := 1; i <= 5; i++ {
					f.say(t, "r", "bob", fmt.Sprint(i))
				}
				if away {
					c.Close(transport.ConnLost)
					synctest.Wait()
				}
				f.say(t, "r", "bob", "6")
				o.Session, o.Ticket, o.LastLink = w.Session, w.Ticket, uint64(lost)
				f.wantWhole(t, f.nodes[2].open(o), w.Session, lost)
			})
		}
	}
}

// wantWhole says a seventh message and wants a resumed stream to have all behind the last that it had.
func (f *fleet) wantWhole(t *testing.T, c *client, id string, last int) {
	t.Helper()
	select {
	case w := <-c.welcome:
		if !w.Resumed || w.Session != id {
			t.Fatalf("welcome %+v", w)
		}
	case err := <-c.result:
		t.Fatal(err)
	}
	f.say(t, "r", "bob", "7")
	frames := c.frames()
	if len(frames) != 7-last {
		t.Fatalf("last %d: got %d frames: %q", last, len(frames), c.words())
	}
	for i, m := range frames {
		if n := last + 1 + i; m.LinkSeq != uint64(n) || string(m.Content) != fmt.Sprint(n) {
			t.Errorf("frame %d is %q", m.LinkSeq, m.Content)
		}
	}
}

// TestA5StreamAfterDrain: a stream whose node has stopped goes on at another, which had it kept or got it from the
// one that had.
func TestA5StreamAfterDrain(t *testing.T) {
	for i := range 4 {
		runFleet(t, 3, func(t *testing.T, f *fleet) {
			f.join(t, 0, "r", "bob")
			o := im.Opening{Identity: biz.Identity{User: "alice"}, Room: "r", Resume: true}
			c := f.nodes[2].open(o)
			w := <-c.welcome
			for i := 1; i <= 5; i++ {
				f.say(t, "r", "bob", fmt.Sprint(i))
			}
			f.nodes[2].node.Drain(t.Context(), 0)
			f.kills[2]()
			f.say(t, "r", "bob", "6")
			o.Session, o.Ticket, o.LastLink = w.Session, w.Ticket, 3
			f.wantWhole(t, f.nodes[i%2].open(o), w.Session, 3)
		})
	}
}

// TestA5WrongTicketElsewhere: who cannot show the ticket does not get the session, and it lives on.
func TestA5WrongTicketElsewhere(t *testing.T) {
	runFleet(t, 2, func(t *testing.T, f *fleet) {
		o := im.Opening{Identity: biz.Identity{User: "alice"}, Room: "r", Resume: true}
		c := f.nodes[0].open(o)
		w := <-c.welcome
		for _, thief := range []im.Opening{
			{Identity: biz.Identity{User: "alice"}, Room: "r", Resume: true, Session: w.Session, Ticket: "guess"},
			{Identity: biz.Identity{User: "eve"}, Room: "r", Resume: true, Session: w.Session, Ticket: w.Ticket},
		} {
			got := f.nodes[1].open(thief)
			time.Sleep(2 * time.Second)
			if other := <-got.welcome; other.Resumed {
				t.Errorf("%s resumed it", thief.Identity.User)
			}
		}
		if f.nodes[0].node.Session(w.Session) == nil {
			t.Error("the session is gone")
		}
		if _, closed := c.Closed(); closed {
			t.Error("its connection was closed")
		}
	})
}

// TestA5WhatARoomThatKeepsNothingSaidWhileAStreamMoved: what is said in a moment in which a session is on no node
// reaches nobody there, and nothing can bring it back; its client is told that something may be missing.
func TestA5WhatARoomThatKeepsNothingSaidWhileAStreamMoved(t *testing.T) {
	for _, followed := range []bool{false, true} {
		t.Run(fmt.Sprint("followed where it goes: ", followed), func(t *testing.T) {
			runFleet(t, 3, func(t *testing.T, f *fleet) {
				room := f.roomAwayFrom(2)
				f.join(t, 0, room, "bob")
				if followed {
					for _, b := range f.nodes[:2] {
						b.open(im.Opening{Identity: biz.Identity{User: "carol"}, Room: room})
					}
				}
				o := im.Opening{Identity: biz.Identity{User: "alice"}, Room: room, Resume: true}
				c := f.nodes[2].open(o)
				w := <-c.welcome
				f.say(t, room, "bob", "1")
				under := make(chan struct{})
				f.buses[2].Losing(func(m cluster.Message) bool {
					if strings.Contains(m.Subject, ".c.node:") {
						<-under
					}
					return false
				})
				drained := make(chan struct{})
				go func() {
					defer close(drained)
					f.nodes[2].node.Drain(t.Context(), 0)
				}()
				synctest.Wait()
				f.say(t, room, "bob", "2")
				close(under)
				<-drained
				f.say(t, room, "bob", "3")
				o.Session, o.Ticket, o.LastLink = w.Session, w.Ticket, 0
				here := slices.IndexFunc(f.nodes, func(b *bench) bool { return b.node.Session(w.Session) != nil })
				back := f.nodes[here].open(o)
				if w := <-back.welcome; !w.Resumed {
					t.Fatalf("welcome %+v", w)
				}
				f.say(t, room, "bob", "4")
				var told []string
				for _, m := range back.frames() {
					if e := m.Metadata["event_type"]; e != "" {
						told = append(told, e)
					} else if m.Type == imv1.MessageType_MESSAGE_TYPE_TEXT {
						told = append(told, string(m.Content))
					}
				}
				if got := strings.Join(told, " "); got != "1 messages_missed 3 4" {
					t.Errorf("got %q", got)
				}
			})
		})
	}
}

// roomAwayFrom returns a room that keeps nothing and has its home on another node than this one.
func (f *fleet) roomAwayFrom(node int) biz.RoomID {
	for i := 0; ; i++ {
		room := biz.RoomID(fmt.Sprint("v", i))
		if _, here := f.nodes[node].node.Home(protocol.RoomChannel(room)); !here {
			return room
		}
	}
}

// TestA4AMemberAgainBeforeTheLeaveIsHeardOf: who left a room, or was sent away, and has joined it again before his
// sessions were taken off it, goes on hearing what is said there.
func TestA4AMemberAgainBeforeTheLeaveIsHeardOf(t *testing.T) {
	runFleet(t, 2, func(t *testing.T, f *fleet) {
		f.join(t, 0, "r", "bob")
		here, away := f.nodes[0].open(as("alice")), f.nodes[1].open(as("alice"))
		live, ok := f.store.live.(biz.Usher)
		if !ok {
			t.Fatal("nobody ushers")
		}
		f.say(t, "r", "bob", "1")
		f.store.live.Left("r", "alice") // she is in it, as of the store
		time.Sleep(time.Second)
		f.say(t, "r", "bob", "2")
		live.Dismiss("alice", f.store.log[0])
		time.Sleep(time.Second)
		f.say(t, "r", "bob", "3")
		for _, c := range []*client{here, away} {
			words := slices.Compact(c.words()) // some come again, to a client that has not acknowledged them
			if last := words[len(words)-1]; !slices.Contains(words, "2 from bob") || last != "3 from bob" {
				t.Errorf("got %q", words)
			}
		}
	})
}
