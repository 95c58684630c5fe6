package client

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/discovery"
)

// backWithin is how long a client may be without a node that serves it when its own one stops or dies
// and there is another: MoveWithin or RetryInterval, whichever is longer, the time to close the old
// connection, and what a loaded machine adds.
const backWithin = 6 * time.Second

// pair is two independent nodes and a registry of which the test tells when they serve.
type pair struct {
	*discovery.StaticDiscovery
	t     *testing.T
	nodes [2]*node
}

func startPair(t *testing.T) *pair {
	t.Helper()
	d, err := discovery.NewStaticDiscovery()
	if err != nil {
		t.Fatal(err)
	}
	p := &pair{StaticDiscovery: d, t: t}
	for i := range p.nodes {
		n := new(node)
		p.nodes[i] = n
		t.Cleanup(func() {
			if err := n.stop(); err != nil {
				t.Error(err)
			}
		})
		if err := n.start(); err != nil {
			t.Fatal(err)
		}
		p.register(i)
	}
	return p
}

func (p *pair) id(i int) string { return "node" + strconv.Itoa(i) }

func (p *pair) register(i int) {
	p.t.Helper()
	host, text, err := net.SplitHostPort(p.nodes[i].im)
	if err != nil {
		p.t.Fatal(err)
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.Register(p.t.Context(), &discovery.ServiceInfo{ID: p.id(i), Name: "im-service", Address: host, Port: port}); err != nil {
		p.t.Fatal(err)
	}
}

// restart stops a node in an orderly way, which deregisters first, or kills it, of which the registry
// learns nothing before it is back.
func (p *pair) restart(i int, kill bool) {
	p.t.Helper()
	n := p.nodes[i]
	if kill {
		if err := n.cmd.Process.Kill(); err != nil {
			p.t.Fatal(err)
		}
		<-n.exited
	} else {
		if err := p.Deregister(p.t.Context(), p.id(i)); err != nil {
			p.t.Fatal(err)
		}
		if err := n.terminate(); err != nil {
			p.t.Fatal(err)
		}
	}
	n.exited = nil
	if err := n.launch(); err != nil {
		p.t.Fatal(err)
	}
	p.register(i)
}

// sender is a client that sends one message after the other.
type sender struct {
	*Client
	room     string
	answered atomic.Int64 // when the last answer came, in nanoseconds

	mu      sync.Mutex
	acked   []string      // the nodes' ids of messages that were acknowledged
	longest time.Duration // between two answers
}

func (s *sender) run(ctx context.Context, t *testing.T) {
	last := time.Now()
	for ctx.Err() == nil {
		r, err := s.Send(t.Context(), &imv1.MessageRequest{Type: imv1.MessageType_MESSAGE_TYPE_TEXT, RoomId: s.room})
		if err != nil {
			t.Errorf("%s: %v", s.room, err)
			return
		}
		now := time.Now()
		s.mu.Lock()
		s.acked = append(s.acked, r.MessageID)
		s.longest = max(s.longest, now.Sub(last))
		s.mu.Unlock()
		last = now
		s.answered.Store(now.UnixNano())
		_ = pause(ctx, 20*time.Millisecond)
	}
}

// One of two nodes is restarted again and again, killed every other time, while clients send. Each is
// back on a node that serves in time, whatever happens, and what was acknowledged is in the store of
// the node that did so. HERMOD_TEST_ROUNDS says how often; `make check` has it 50 times.
func TestRestartsOfOneOfTwoNodes(t *testing.T) {
	rounds, clients := 4, 12
	if text := os.Getenv("HERMOD_TEST_ROUNDS"); text != "" {
		var err error
		if rounds, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	p := startPair(t)
	senders := make([]*sender, clients)
	sending, stop := context.WithCancel(t.Context())
	defer stop()
	var running sync.WaitGroup
	defer running.Wait()
	for i := range senders {
		senders[i] = p.sender(i)
	}
	p.joinAll(senders)
	for _, s := range senders {
		running.Go(func() { s.run(sending, t) })
	}
	for round := range rounds {
		began := time.Now()
		p.restart(round%2, round/2%2 == 1)
		for _, s := range senders {
			soon(t, fmt.Sprintf("round %d: %s is answered", round, s.room), func() bool {
				return s.answered.Load() > began.UnixNano() && time.Since(time.Unix(0, s.answered.Load())) < time.Second
			})
		}
	}
	stop()
	running.Wait()
	for _, s := range senders {
		s.Disconnect()
	}
	var total, moves, reconnects uint64
	var longest time.Duration
	for _, s := range senders {
		stats := s.Stats()
		moves, reconnects, total = moves+stats.Moves, reconnects+stats.Reconnects, total+uint64(len(s.acked))
		if longest = max(longest, s.longest); s.longest > backWithin {
			t.Errorf("%s was without a node for %v", s.room, s.longest)
		}
	}
	t.Logf("%d rounds: %d messages, %d moves, %d reconnects; nobody was without an answer for longer than %v",
		rounds, total, moves, reconnects, longest.Round(time.Millisecond))
	for i := range p.nodes {
		p.restart(i, true) // nothing can come from its memory
	}
	p.audit(senders)
}

func (p *pair) sender(i int) *sender {
	p.t.Helper()
	user := fmt.Sprint("sender", i)
	s := &sender{room: fmt.Sprint("room", i)}
	balancer := discovery.NewConsistentHashBalancer()
	balancer.Key = user
	var err error
	s.Client, err = NewClient(&Config{
		UserID: user, DefaultRoomID: s.room, Discovery: p, LoadBalancer: balancer, MaxRetries: -1,
		MoveWithin: 500 * time.Millisecond, RetryInterval: 500 * time.Millisecond, ConnectTimeout: 2 * time.Second,
	})
	if err != nil {
		p.t.Fatal(err)
	}
	if err := s.Connect(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { s.Disconnect() })
	return s
}

// joinAll makes the auditor a member of all rooms on each node.
func (p *pair) joinAll(senders []*sender) {
	p.t.Helper()
	for _, n := range p.nodes {
		c := p.auditor(n, nil)
		for _, s := range senders {
			if _, err := c.JoinRoom(s.room, nil); err != nil {
				p.t.Fatal(err)
			}
		}
		c.Disconnect()
	}
}

func (p *pair) auditor(n *node, onMessage func(*imv1.MessageResponse)) *Client {
	p.t.Helper()
	c, err := NewClient(&Config{
		UserID: "auditor", DeviceID: "desk", Services: []*discovery.ServiceInfo{{Address: n.im}}, OnMessage: onMessage,
	})
	if err != nil {
		p.t.Fatal(err)
	}
	if err := c.Connect(); err != nil {
		p.t.Fatal(err)
	}
	return c
}

// audit makes sure that everything that was acknowledged to senders comes from the stores of the
// nodes to an auditor who was away all the time. The nodes have been started anew.
func (p *pair) audit(senders []*sender) {
	p.t.Helper()
	var mu sync.Mutex
	missing := map[string]bool{}
	for _, s := range senders {
		for _, id := range s.acked {
			missing[id] = true
		}
	}
	for _, n := range p.nodes {
		c := p.auditor(n, func(m *imv1.MessageResponse) {
			mu.Lock()
			defer mu.Unlock()
			delete(missing, m.GetMessageId())
		})
		p.t.Cleanup(func() { c.Disconnect() })
	}
	soon(p.t, "everything that was acknowledged is in a store", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(missing) == 0
	})
}
