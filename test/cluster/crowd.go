package cluster

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"google.golang.org/grpc"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/client"
)

const (
	roomSize = 5
	late     = "late" // a member of every room who reads the logs at the end
)

// crowd is everybody who takes part: in each room a guest and persons, and two services that push to all of them.
type crowd struct {
	s        *scene
	rng      *rand.Rand
	said     *speeches
	rooms    []string
	persons  []*person
	guests   []*guest
	services []*service

	life    context.Context // of guests' sessions
	end     context.CancelFunc
	quiet   context.CancelFunc // ends the talk
	living  sync.WaitGroup
	talking sync.WaitGroup
}

// gather makes everybody a member of his room, connects him, to the nodes in turn, and waits until all are there.
func gather(s *scene, seed uint64, clients int) *crowd {
	s.t.Helper()
	c := &crowd{s: s, rng: rand.New(rand.NewPCG(seed, 1)), said: newSpeeches(), quiet: func() {}}
	c.life, c.end = context.WithCancel(context.Background())
	s.t.Cleanup(c.abandon)
	var doors []*grpc.ClientConn
	for i := range s.nodes {
		doors = append(doors, s.dial(i))
	}
	var to []listener
	for i := range clients {
		room, user := fmt.Sprintf("room %d", i/roomSize), fmt.Sprintf("user %d", i)
		if i%roomSize == 0 {
			c.rooms = append(c.rooms, room)
			s.join(i%len(s.nodes), room, late)
		}
		s.join(i%len(s.nodes), room, user)
		if i%roomSize == roomSize-1 {
			g := newGuest(user, room, c.said, doors)
			c.guests, to = append(c.guests, g), append(to, g)
			c.living.Go(func() { g.live(c.life) })
			continue
		}
		p := &person{ear: ear{user: user, room: room}, said: c.said}
		if err := p.connect(s.doors(i % len(s.nodes))); err != nil {
			s.t.Fatalf("%s connects: %v", user, err)
		}
		c.persons, to = append(c.persons, p), append(to, p)
	}
	for i, name := range []string{"mail", "news"} {
		sv := &service{name: name, to: to, rng: rand.New(rand.NewPCG(seed, uint64(2+i))), said: c.said}
		for n := range s.nodes {
			sv.nodes = append(sv.nodes, s.pushes(n))
		}
		c.services = append(c.services, sv)
	}
	c.await("every guest has a session", func() bool {
		for _, g := range c.guests {
			if g.comes.Load() == 0 {
				return false
			}
		}
		return true
	})
	return c
}

// begin lets everybody talk, each once in about so long, and services push, each that often.
func (c *crowd) begin(talk, push time.Duration) {
	ctx, quiet := context.WithCancel(context.Background())
	c.quiet = quiet
	for _, p := range c.persons {
		rng := rand.New(rand.NewPCG(c.rng.Uint64(), 0))
		c.talking.Go(func() { p.speak(ctx, rng, talk) })
	}
	for _, g := range c.guests {
		rng := rand.New(rand.NewPCG(c.rng.Uint64(), 0))
		c.talking.Go(func() { g.speak(ctx, rng, talk) })
	}
	for _, s := range c.services {
		c.talking.Go(func() { s.run(ctx, push) })
	}
}

// acked is how many messages were taken.
func (c *crowd) acked() (all int64) {
	for _, p := range c.persons {
		all += p.acked.Load()
	}
	for _, g := range c.guests {
		all += g.acked.Load()
	}
	return all
}

// talkOn waits until some more messages were taken.
func (c *crowd) talkOn() {
	c.s.t.Helper()
	enough := c.acked() + 50
	c.await("more messages are taken", func() bool { return c.acked() >= enough })
}

// await waits for an event, and when it does not come tells what has gone wrong so far.
func (c *crowd) await(what string, ok func() bool) {
	c.s.t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			c.complain(c.said.faults)
			c.s.t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// settle ends the talk and waits until everybody has heard everything.
func (c *crowd) settle() {
	c.s.t.Helper()
	c.quiet()
	c.talking.Wait()
	heads := map[string]map[string]int64{}
	for _, room := range c.rooms {
		heads[room] = c.heads(room)
	}
	deadline := time.Now().Add(patience)
	done := func() bool {
		for _, p := range c.persons {
			if p.reached() < heads[p.room][p.user] {
				return false
			}
		}
		for _, g := range c.guests {
			if g.reached() < heads[g.room][g.user] {
				return false
			}
		}
		return !c.ledger().missing()
	}
	for !done() && time.Now().Before(deadline) { // otherwise the audit says what is missing
		time.Sleep(50 * time.Millisecond)
	}
}

// heads is, for each member of a room, the place of the last message of somebody else.
func (c *crowd) heads(room string) map[string]int64 {
	c.s.t.Helper()
	log := c.log(0, room)
	heads := map[string]int64{}
	for _, user := range c.members(room) {
		for _, f := range log {
			if f.GetFromUserId() != user {
				heads[user] = f.GetSeq()
			}
		}
	}
	return heads
}

func (c *crowd) members(room string) (users []string) {
	for _, p := range c.persons {
		if p.room == room {
			users = append(users, p.user)
		}
	}
	for _, g := range c.guests {
		if g.room == room {
			users = append(users, g.user)
		}
	}
	return users
}

// log reads a room's log from one node.
func (c *crowd) log(node int, room string) (log []*imv1.MessageResponse) {
	c.s.t.Helper()
	reader, err := client.NewClient(&client.Config{Services: c.s.door(node), UserID: late, DefaultRoomID: room, DeviceID: "reader", RequestTimeout: patience})
	if err == nil {
		err = reader.Connect()
	}
	if err != nil {
		c.s.t.Fatalf("the reader connects to node %d: %v", node, err)
	}
	defer func() { _ = reader.Disconnect() }() // returns nil
	for m, err := range reader.Past(c.s.t.Context(), room, client.HistoryOptions{Forward: true, Limit: 500}) {
		if err != nil {
			c.s.t.Fatalf("%s of node %d, read after %d messages: %v", room, node, len(log), err)
		}
		log = append(log, m)
	}
	return log
}

func (c *crowd) ledger() (all ledger) {
	for _, s := range c.services {
		all = append(all, s.pushed...)
	}
	return all
}

// audit holds the whole history against the contract.
func (c *crowd) audit() {
	c.s.t.Helper()
	faults := append([]string(nil), c.said.faults...)
	stored := 0
	for _, room := range c.rooms {
		log := c.log(0, room)
		stored += len(log)
		for _, fault := range auditLog(log, c.said.in(room)) {
			faults = append(faults, room+": "+fault)
		}
		for node := 1; node < len(c.s.nodes); node++ {
			if other := c.log(node, room); !same(log, other) {
				faults = append(faults, fmt.Sprintf("%s: nodes 0 and %d have not the same log, of %d and %d messages", room, node, len(log), len(other)))
			}
		}
		for _, p := range c.persons {
			if p.room == room {
				faults = append(faults, auditEar(p.user, p.heard(), log)...)
			}
		}
		for _, g := range c.guests {
			if g.room == room {
				faults = append(faults, auditEar(g.user, g.heard(), log)...)
			}
		}
	}
	faults = append(faults, c.ledger().audit()...)
	c.report(stored)
	c.complain(faults)
}

// same tells whether two logs are one.
func same(a, b []*imv1.MessageResponse) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].GetSeq() != b[i].GetSeq() || a[i].GetMessageId() != b[i].GetMessageId() {
			return false
		}
	}
	return true
}

func (c *crowd) complain(faults []string) {
	c.s.t.Helper()
	for _, fault := range faults[:min(len(faults), 30)] {
		c.s.t.Error(fault)
	}
	if len(faults) > 30 {
		c.s.t.Errorf("%d faults", len(faults))
	}
}

// report tells what has happened.
func (c *crowd) report(stored int) {
	c.s.t.Helper()
	var reconnects, resumed, moves, duplicates uint64
	for _, p := range c.persons {
		st := p.Stats()
		reconnects, resumed, moves, duplicates = reconnects+st.Reconnects, resumed+st.Resumed, moves+st.Moves, duplicates+st.Duplicates
	}
	var comes, takes int64
	for _, g := range c.guests {
		comes, takes = comes+g.comes.Load(), takes+g.takes.Load()
	}
	moved := 0
	for _, s := range c.services {
		moved += s.moved
	}
	away, delayed := c.longest()
	c.s.t.Logf("%d messages acknowledged, %d stored in %d rooms", c.acked(), stored, len(c.rooms))
	c.s.t.Logf("%d persons: %d reconnects, %d of them resumed, %d frames came again; %d guests: %d connections, %d of them resumed",
		len(c.persons), reconnects, resumed, duplicates, len(c.guests), comes, takes)
	c.s.t.Logf("longest without a connection %s, longest until a message was taken %s", away.Round(time.Millisecond), delayed.Round(time.Millisecond))
	c.s.t.Logf("%v; asked another node %d times", c.ledger(), moved)
	if c.acked() == 0 || stored == 0 || len(c.ledger()) == 0 {
		c.s.t.Error("that was not enough to prove anything")
	}
}

// longest are the longest times that anybody had no connection, and waited for an answer.
func (c *crowd) longest() (away, delayed time.Duration) {
	for _, p := range c.persons {
		a, d := p.longest()
		away, delayed = max(away, a), max(delayed, d)
	}
	return away, delayed
}

// abandon ends everything, whatever has happened before.
func (c *crowd) abandon() {
	c.quiet()
	c.end()
	c.talking.Wait()
	c.living.Wait()
	for _, p := range c.persons {
		_ = p.Disconnect() // returns nil
	}
}
