//go:build linux

package e2e

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	imv1 "github.com/game-im/hermod/api/im/v1"
)

const (
	stalledQueue = 64 << 10
	// stalledCost is what a client that does not read may cost: its queue, with the half that is there
	// for answers; a write that is under way; and a connection with the goroutines that serve it.
	stalledCost = stalledQueue*3/2 + 64<<10 + 96<<10
	largeBytes  = 16 << 10
	floods      = 8 // services that push to them
)

// stalled are clients that read nothing, and what floods them.
type stalled struct {
	t     *testing.T
	c     *crowd
	rooms int

	users []string // of the gateway's

	mu    sync.Mutex
	conns map[carrier]string // and their transports
	slow  int                // pushes that were refused since a queue was full
}

// TestStalledClients: 1,000 clients of all transports and protocols stop reading while pushes and rooms
// go on. The node's memory stays within what its configuration gives each of them, it closes them as
// slow, and those that do read lose nothing and wait for nobody.
func TestStalledClients(t *testing.T) {
	many, timeout := 100, 6*time.Second
	if _, long := soakTime(t); long {
		many, timeout = 1000, 10*time.Second
	}
	quic := freeAddr(t)
	n := Start(t, fmt.Sprintf(`
session: {queue_bytes: %d, stall_timeout: %s, resume_window: 1h, heartbeat: 5s}
server: {ops: {pprof: true}}
`, stalledQueue, timeout), "-quic", quic)
	d := doors{grpc: n.IM, http: n.HTTP, quic: quic}
	c := newCrowd(t, n, soakSeed(t), d)
	c.stay = true
	defer c.abandon()
	c.enter(30, 2*roomSize)
	c.begin(4, 20*time.Millisecond)
	c.hearsMore(500)
	calm := percentiles(c.ledger.Delays())
	before := n.vitals()

	s := &stalled{t: t, c: c, rooms: 2, conns: map[carrier]string{}}
	s.enter(d, many)
	s.flood()
	peak := before.heap
	n.within(6*patience, "all of them are closed as slow", func() bool {
		peak = max(peak, n.vitals().heap)
		return n.Metric("hermod_session_disconnects_total", `code="3001"`) >= float64(many)
	})
	c.hearsMore(500)
	busy := percentiles(c.ledger.Delays())
	c.settle()
	t.Logf("%.0f KiB for each of those that stalled; until others received something: %s before, %s meanwhile; %d pushes refused",
		(peak-before.heap)/1024/float64(many), calm, busy, s.slow)
	if most := before.heap + float64(many*stalledCost); peak > most {
		t.Errorf("%.1f MiB of memory in use, at most %.1f MiB are allowed", peak/(1<<20), most/(1<<20))
	}
	// Whoever waited for a client that does not read would wait for as long as the node does.
	if busy.p99 > max(timeout/2, 5*calm.p99) {
		t.Errorf("others waited: %s", busy)
	}
	if s.slow == 0 {
		t.Error("no push was refused as too much")
	}
	for _, fault := range c.ledger.Faults() {
		t.Error(fault)
	}
	told := s.endings()
	t.Logf("when they read again, they find these codes: %v", told)
	if quic := told[overQUIC]; len(quic) != 1 || quic[3001] == 0 {
		t.Errorf("over QUIC, where there is always room for it, the codes are %v", quic)
	}
	for kind, codes := range told {
		for code := range codes {
			if code != 0 && code != 3001 {
				t.Errorf("%d over %s were told %d", codes[code], kind, code)
			}
		}
	}
	if got := n.Metric("hermod_session_disconnects_total"); got != float64(many) {
		t.Errorf("%g connections were closed, and %d did not read", got, many)
	}
}

// enter brings them in and has them read no more: a third over each transport, of those over gRPC and
// WebSocket half in rooms.
func (s *stalled) enter(d doors, many int) {
	s.t.Helper()
	var wg sync.WaitGroup
	places := make(chan struct{}, 32)
	for i := range many {
		kind := carriers[i%len(carriers)]
		user, room := strconv.Itoa(70_000+i), ""
		if kind != overQUIC && i%2 == 0 {
			room = "room " + strconv.Itoa(i/2%s.rooms)
		} else {
			s.users = append(s.users, user)
		}
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			ctx, cancel := context.WithTimeout(s.t.Context(), patience)
			defer cancel()
			conn, err := d.stall(ctx, kind, user, room)
			if err != nil {
				s.t.Errorf("client %d over %s: %v", i, kind, err)
				return
			}
			s.t.Cleanup(conn.hangUp)
			s.mu.Lock()
			defer s.mu.Unlock()
			s.conns[conn] = kind
		})
	}
	wg.Wait()
	if s.t.Failed() {
		s.t.FailNow()
	}
}

// flood sends much to them, and in their rooms to others as well, until the crowd falls quiet.
func (s *stalled) flood() {
	big := strings.Repeat("x", largeBytes)
	pushes, im := s.c.n.Pushes(), s.c.n.Calls()
	for i := range floods {
		s.c.busy.Go(func() {
			for next := i; !s.c.quiet.Load() && doze(s.c.life, time.Millisecond); next += floods {
				s.push(pushes, s.users[next%len(s.users)], big)
			}
		})
	}
	for room := range s.rooms {
		name, lane := fmt.Sprint("room ", room), fmt.Sprint("shouts in room ", room)
		join(s.t, im, name, "shouter")
		s.c.ledger.Open(lane, s.c.membersOf(name)...)
		s.c.busy.Go(func() {
			for !s.c.quiet.Load() && doze(s.c.life, 200*time.Millisecond) {
				number := s.c.ledger.Send(lane)
				_, err := im.SendMessage(s.c.life, &imv1.SendMessageRequest{
					UserId: "shouter", RoomId: name, Type: text, Content: []byte(letter(lane, number) + "|" + big),
				})
				if err != nil {
					if s.c.life.Err() == nil {
						s.c.ledger.Wrong("%s: %v", lane, err)
					}
					return
				}
				s.c.ledger.Settle(lane, number, accepted)
			}
		})
	}
}

// push pushes to one of them. Each push is a frame of its own, so that nothing is shared in memory.
func (s *stalled) push(pushes gatewayv1.GatewayServiceClient, user, data string) {
	resp, err := pushes.PushToClient(s.c.life, &gatewayv1.UnicastPushRequest{TargetType: "openid", TargetId: user, MsgType: "flood", Data: []byte(data)})
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil:
		if s.c.life.Err() == nil {
			s.c.ledger.Wrong("flood: %v", err)
		}
	case resp.GetErrorCode() == "TARGET_SLOW":
		s.slow++
	case !resp.GetSuccess():
		s.c.ledger.Wrong("flood: %v", resp)
	}
}

// endings has all of them read what is there, and returns how often each code is found at the end, by
// transport; 0: the connection is just gone, since there was no room for a last word.
func (s *stalled) endings() map[string]map[int]int {
	codes := map[string]map[int]int{overGRPC: {}, overWebSocket: {}, overQUIC: {}}
	var wg sync.WaitGroup
	for conn, kind := range s.conns {
		wg.Go(func() {
			defer time.AfterFunc(patience, conn.hangUp).Stop()
			var err error
			for err == nil {
				_, err = conn.receive()
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			codes[kind][codeOf(err)]++
		})
	}
	wg.Wait()
	return codes
}

// membersOf returns the members of a room that read.
func (c *crowd) membersOf(room string) (users []string) {
	for _, s := range c.seats {
		if s.hello.Room == room {
			users = append(users, s.hello.User)
		}
	}
	for _, u := range c.users {
		if u.room == room {
			users = append(users, u.id)
		}
	}
	return users
}

// hearsMore waits until the crowd has received so much more.
func (c *crowd) hearsMore(more int) {
	c.t.Helper()
	_, _, _, have := c.ledger.Totals()
	c.n.eventually(fmt.Sprintf("%d messages more are received", more), func() bool {
		_, _, _, arrived := c.ledger.Totals()
		return arrived >= have+more
	})
}

// spread is how delays are distributed.
type spread struct {
	p50, p99, longest time.Duration
	of                int
}

func percentiles(sorted []time.Duration) spread {
	at := func(percent int) time.Duration { return sorted[(len(sorted)-1)*percent/100] }
	return spread{at(50), at(99), at(100), len(sorted)}
}

func (s spread) String() string {
	return fmt.Sprintf("p50 %v, p99 %v, longest %v of %d", s.p50.Round(time.Microsecond), s.p99.Round(time.Microsecond), s.longest.Round(time.Microsecond), s.of)
}
