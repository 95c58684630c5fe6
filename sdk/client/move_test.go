package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/discovery"
)

// soon waits until something holds, and says what when it does not.
func soon(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 3 minutes: %s", what)
		}
	}
}

func byUser(user string) func(*Config) {
	return func(c *Config) {
		b := discovery.NewConsistentHashBalancer()
		b.Key = user
		c.LoadBalancer = b
	}
}

// When nodes come and go, exactly those users move whose node has become another one, whoever is
// connected, and none of them is told of an error.
func TestChangesMoveNoMoreUsersThanTheyMust(t *testing.T) {
	const users, nodes = 1000, 10
	f := newFleet(t, nodes)
	clients := make(map[string]*Client, users)
	told := make(map[string]*events, users)
	for i := range users {
		user := fmt.Sprint("user", i)
		clients[user], told[user] = f.connect(user, byUser(user), func(c *Config) { c.MoveWithin = time.Second })
	}
	home := func() map[string]string {
		homes, list := make(map[string]string, users), f.services()
		for user := range clients {
			s, err := discovery.NewConsistentHashBalancer().SelectByKey(list, user)
			if err != nil {
				t.Fatal(err)
			}
			homes[user] = s.ID
		}
		return homes
	}
	moves := func() map[string]uint64 {
		of := make(map[string]uint64, users)
		for user, c := range clients {
			of[user] = c.Stats().Moves
		}
		return of
	}
	change := func(what string, apply func()) {
		t.Helper()
		before, movesBefore, began := home(), moves(), time.Now()
		apply()
		after := home()
		soon(t, what+": everybody is where he belongs", func() bool {
			for user, c := range clients {
				if f.where(c) != after[user] {
					return false
				}
			}
			return true
		})
		took := time.Since(began)
		soon(t, what+": the moves are counted", func() bool {
			for user, n := range moves() {
				if before[user] != after[user] && n == movesBefore[user] {
					return false
				}
			}
			return true
		})
		moved, all := 0, uint64(0)
		for user, n := range moves() {
			n -= movesBefore[user]
			if all += n; n > 0 {
				moved++
			}
			if before[user] == after[user] && n > 0 {
				t.Errorf("%s: %s moved from %s to %s", what, user, before[user], after[user])
			}
		}
		t.Logf("%s: %d of %d users moved, %d moves, in %v", what, moved, users, all, took.Round(time.Millisecond))
	}
	change("one comes", func() { f.start("node10") })
	change("one goes", func() { f.deregister(f.nodes["node3"]) })
	change("one is unhealthy", func() { f.register(f.nodes["node4"], discovery.HealthUnhealthy) })
	change("it is healthy again", func() { f.register(f.nodes["node4"], discovery.HealthHealthy) })
	change("ten come", func() {
		for i := range nodes {
			f.start(fmt.Sprint("new", i))
		}
	})
	change("ten go", func() {
		for i := range nodes {
			f.deregister(f.nodes[fmt.Sprint("new", i)])
		}
	})
	for user, ev := range told {
		select {
		case err := <-ev.errors:
			t.Fatalf("%s was told of an error: %v", user, err)
		default:
		}
	}
	if n := f.nodes["node3"].users(); n != 0 {
		t.Errorf("%d users are still on a node that was left", n)
	}
}

// While a client moves to and fro, everything it sends is answered, by a node that has it, and no
// callback says that anything was wrong.
func TestMovesLoseNothing(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 2)
	c, ev := f.connect("alice", func(c *Config) { c.MoveWithin = time.Millisecond })
	stop := make(chan struct{})
	var sent sync.WaitGroup
	var answered atomic.Int64
	for range 4 {
		sent.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				r, err := c.Send(t.Context(), &imv1.MessageRequest{Type: imv1.MessageType_MESSAGE_TYPE_TEXT, RoomId: "r"})
				if err != nil {
					t.Errorf("Send: %v", err)
					return
				}
				if !f.nodes[r.MessageID].has(r.ClientMessageID) {
					t.Errorf("%s has not what it acknowledged", r.MessageID)
				}
				answered.Add(1)
			}
		})
	}
	const moves = 20
	for range moves {
		here, before := f.where(c), answered.Load()
		soon(t, "messages flow", func() bool { return answered.Load() > before+20 })
		f.register(f.nodes[here], discovery.HealthUnhealthy)
		soon(t, "the client has left "+here, func() bool { return f.where(c) != here })
		f.register(f.nodes[here], discovery.HealthHealthy)
	}
	close(stop)
	sent.Wait()
	if s := c.Stats(); s.Moves != moves || s.Reconnects != 0 {
		t.Errorf("%d moves and %d reconnects, want %d and none", s.Moves, s.Reconnects, moves)
	}
	for range moves {
		if err := wait(t, ev.disconnects, "OnDisconnect"); !errors.Is(err, ErrMoved) {
			t.Errorf("OnDisconnect(%v), want ErrMoved", err)
		}
	}
	for range moves + 1 {
		wait(t, ev.connects, "OnConnect")
	}
	noErrors(t, ev)
	t.Logf("%d messages during %d moves", answered.Load(), moves)
}

func noErrors(t *testing.T, ev *events) {
	t.Helper()
	select {
	case err := <-ev.errors:
		t.Errorf("OnError(%v)", err)
	default:
	}
}

// A call that is under way when the client moves goes on to its end.
func TestCallsOutliveMoves(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 2)
	c, ev := f.connect("alice", func(c *Config) { c.MoveWithin = time.Millisecond })
	joined := make(chan error, 1)
	go func() {
		_, err := c.JoinRoom("r", nil)
		joined <- err
	}()
	here := f.where(c)
	soon(t, "the call is under way", func() bool {
		cn := c.current()
		cn.mu.Lock()
		defer cn.mu.Unlock()
		return cn.calls > 0
	})
	f.deregister(f.nodes[here])
	soon(t, "the client has moved", func() bool { return f.where(c) != here })
	if err := wait(t, joined, "JoinRoom"); err != nil {
		t.Errorf("JoinRoom: %v", err)
	}
	noErrors(t, ev)
}

// A node that closes its sessions because it goes out of service is no error, and is not gone back to.
func TestDrainingNodeIsLeftWithoutError(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 2)
	c, ev := f.connect("alice", func(c *Config) { c.MoveWithin = time.Hour })
	wait(t, ev.connects, "OnConnect")
	here := f.where(c)
	close(f.nodes[here].draining) // it is still registered
	err := wait(t, ev.disconnects, "OnDisconnect")
	if closed, ok := errors.AsType[*DisconnectError](err); !ok || closed.Code != 3000 {
		t.Errorf("OnDisconnect(%v)", err)
	}
	wait(t, ev.connects, "OnConnect again")
	if f.where(c) == here {
		t.Error("the client went back to the node that is going out of service")
	}
	noErrors(t, ev)
}

// A node that does not answer any more does not keep the client from leaving it.
func TestLeavesNodeThatHangs(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 1)
	f.nodes["node0"].hangs = true
	c, ev := f.connect("alice")
	f.start("node1")
	f.register(f.nodes["node0"], discovery.HealthUnhealthy)
	soon(t, "the client has left", func() bool { return f.where(c) == "node1" })
	noErrors(t, ev)
}

// Nobody moves because a registry has lost all nodes, or one for a moment, nor to a node that cannot
// be reached, nor if he does not want to.
func TestStaysWhereThereIsNothingBetter(t *testing.T) {
	t.Parallel()
	settled := func(c *Client) func() bool {
		return func() bool { return !c.current().moving.Load() }
	}
	t.Run("all gone", func(t *testing.T) {
		t.Parallel()
		f := newFleet(t, 1)
		c, _ := f.connect("alice")
		f.deregister(f.nodes["node0"])
		d := c.source.(*dialer)
		soon(t, "it knows", func() bool {
			list, known := d.following().services()
			return known && len(list) == 0
		})
		if d.misplaced(c.current().ep.service) {
			t.Error("it wants to move to nowhere")
		}
	})
	t.Run("gone and back", func(t *testing.T) {
		t.Parallel()
		f := newFleet(t, 2)
		c, _ := f.connect("alice", func(c *Config) { c.MoveWithin = 500 * time.Millisecond })
		here := f.where(c)
		f.deregister(f.nodes[here])
		soon(t, "it means to move", func() bool { return c.current().moving.Load() || c.Stats().Moves > 0 })
		f.register(f.nodes[here], discovery.HealthHealthy)
		soon(t, "it has thought about it", settled(c))
		if c.Stats().Moves > 0 && f.where(c) == here {
			t.Error("it moved to and fro")
		}
	})
	t.Run("unreachable", func(t *testing.T) {
		t.Parallel()
		f := newFleet(t, 2)
		c, ev := f.connect("alice", func(c *Config) { c.ConnectTimeout = time.Second })
		here := f.where(c)
		for id, n := range f.nodes {
			if id != here {
				n.server.Stop()
			}
		}
		f.deregister(f.nodes[here])
		soon(t, "it tries to move", func() bool { return c.current().moving.Load() })
		if err := c.SendTextMessage("r", "still here"); err != nil {
			t.Errorf("Send: %v", err)
		}
		f.start("node9")
		soon(t, "it has moved at last", func() bool { return f.where(c) == "node9" })
		noErrors(t, ev)
	})
	t.Run("not wanted", func(t *testing.T) {
		t.Parallel()
		f := newFleet(t, 2)
		c, _ := f.connect("alice", func(c *Config) { c.MoveWithin = -1 })
		if c.source.(*dialer).following() != nil {
			t.Error("it follows")
		}
	})
}

// Any number of clients are one watch, which ends with the last of them and is begun again if it
// ends by itself.
func TestClientsShareOneWatch(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 1)
	counted := &countedWatches{ServiceDiscovery: f}
	var clients []*Client
	for i := range 50 {
		c, _ := f.connect(fmt.Sprint("user", i), func(c *Config) { c.Discovery = counted })
		clients = append(clients, c)
	}
	soon(t, "there is a watch", func() bool { return counted.running.Load() == 1 })
	if n := counted.begun.Load(); n != 1 {
		t.Errorf("%d watches for %d clients", n, len(clients))
	}
	counted.end()
	soon(t, "it is begun again", func() bool { return counted.begun.Load() == 2 && counted.running.Load() == 1 })
	for _, c := range clients {
		c.Disconnect()
	}
	soon(t, "it has ended", func() bool { return counted.running.Load() == 0 })
	if n := counted.begun.Load(); n != 2 {
		t.Errorf("%d watches were begun, want 2", n)
	}
}

// countedWatches is a discovery whose watches can be ended, which they should not.
type countedWatches struct {
	discovery.ServiceDiscovery
	begun, running atomic.Int64
	mu             sync.Mutex
	cancel         context.CancelFunc
}

func (d *countedWatches) Watch(ctx context.Context, name string) (<-chan []*discovery.ServiceInfo, error) {
	d.begun.Add(1)
	d.running.Add(1)
	ctx, cancel := context.WithCancel(ctx)
	context.AfterFunc(ctx, func() { d.running.Add(-1) })
	d.mu.Lock()
	d.cancel = cancel
	d.mu.Unlock()
	return d.ServiceDiscovery.Watch(ctx, name)
}

func (d *countedWatches) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cancel()
}
