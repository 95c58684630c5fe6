package client_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/client"
	"google.golang.org/grpc"
)

// TestReconnectStorm cuts the shared connections of many clients again and again while every
// callback of each calls its client and everybody sends. Nothing may hang, every message that was
// accepted arrives once and in order, rooms are still followed, and nothing is left behind.
func TestReconnectStorm(t *testing.T) {
	const clients, rounds = 24, 6
	relay := client.NewRelay(t, client.StartNode(t))
	conns := []*grpc.ClientConn{dial(t, relay.Addr()), dial(t, relay.Addr())}
	s := &storm{t: t, got: make(map[string][]string)}
	members := make([]*client.Client, clients)
	for i := range members {
		members[i] = s.join(newImServiceClient(conns[i%len(conns)]), fmt.Sprintf("storm-%d", i))
	}
	for round := range rounds {
		for _, c := range members[:4] {
			s.senders.Go(func() { s.send(c, round) })
		}
		time.Sleep(50 * time.Millisecond) // somewhere in the middle
		relay.Cut()
	}
	s.senders.Wait()
	s.await(members)
	for _, c := range members {
		if err := c.Disconnect(); err != nil {
			t.Error(err)
		}
		if c.IsConnected() {
			t.Error("connected after Disconnect")
		}
	}
	if s.reconnects.Load() < clients {
		t.Errorf("%d reconnects: that was no storm", s.reconnects.Load())
	}
}

type storm struct {
	t          *testing.T
	senders    sync.WaitGroup
	accepted   atomic.Int64
	reconnects atomic.Int64

	mu  sync.Mutex
	got map[string][]string // by client: sender and content, in the order of arrival
}

// join returns a client that follows one room by its metadata and one by JoinRoom.
func (s *storm) join(stub imv1.IMServiceClient, user string) *client.Client {
	s.t.Helper()
	var c *client.Client
	var ready sync.WaitGroup
	ready.Add(1)
	connects := 0
	use := func() {
		ready.Wait()
		c.IsConnected()
		c.Stats()
		_, _ = c.GetRoomInfo("storm")
	}
	c, err := client.NewClientWithGRPCAndConfig(stub, &client.Config{
		UserID:        user,
		DeviceID:      "storm",
		DefaultRoomID: "storm",
		Backoff:       func(int) time.Duration { return 10 * time.Millisecond },
		OnConnect: func() {
			use()
			if connects++; connects > 1 {
				s.reconnects.Add(1)
			}
		},
		OnDisconnect: func(err error) {
			use()
			if !errors.Is(err, client.ErrDisconnected) {
				_ = c.Connect()
			}
		},
		OnError: func(error) { c.IsConnected() },
		OnMessage: func(m *imv1.MessageResponse) {
			c.IsConnected()
			if m.GetType() != imv1.MessageType_MESSAGE_TYPE_TEXT {
				return
			}
			s.mu.Lock()
			s.got[user] = append(s.got[user], m.GetFromUserId()+" "+string(m.GetContent()))
			s.mu.Unlock()
		},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	ready.Done()
	if err := c.Connect(); err != nil {
		s.t.Fatal(err)
	}
	if _, err := c.JoinRoom("storm-joined", nil); err != nil {
		s.t.Fatal(err)
	}
	return c
}

// send sends to both rooms, one message after another.
func (s *storm) send(c *client.Client, round int) {
	for i := range 10 {
		for _, room := range []string{"storm", "storm-joined"} {
			if err := c.SendTextMessage(room, fmt.Sprintf("%s %d %d", room, round, i)); err != nil {
				s.t.Errorf("send: %v", err)
				continue
			}
			s.accepted.Add(1)
		}
	}
}

// await waits until all have everything: those who sent do not get their own.
func (s *storm) await(members []*client.Client) {
	s.t.Helper()
	all := int(s.accepted.Load())
	deadline := time.Now().Add(patience)
	for i := range members {
		user := fmt.Sprintf("storm-%d", i)
		want := all
		if i < 4 {
			want -= all / 4
		}
		for s.count(user) < want && time.Now().Before(deadline) {
			time.Sleep(5 * time.Millisecond)
		}
		s.check(user, want)
	}
}

func (s *storm) count(user string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.got[user])
}

func (s *storm) check(user string, want int) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.got[user]) != want {
		s.t.Errorf("%s got %d messages, want %d", user, len(s.got[user]), want)
	}
	next := make(map[string]int) // by sender, room and round
	for _, m := range s.got[user] {
		at := strings.LastIndexByte(m, ' ')
		if got := m[at+1:]; got != strconv.Itoa(next[m[:at]]) {
			s.t.Errorf("%s got %q, want number %d of these", user, m, next[m[:at]])
		}
		next[m[:at]]++
	}
}
