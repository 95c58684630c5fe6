package e2e

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/client"
	"github.com/game-im/hermod/sdk/discovery"
)

const (
	fleetRoomSize = 10
	fleetConns    = 4 // that clients share
)

// TestRestartUnderClients: a node is restarted, and then killed, under 500 clients that talk. They
// all come back without being told; each gets every message of its room once and in order, and no
// callback that calls its client is stuck.
func TestRestartUnderClients(t *testing.T) {
	t.Run("own connections", func(t *testing.T) {
		restartUnderClients(t, func(n *Node) func(*client.Config) (*client.Client, error) {
			return func(c *client.Config) (*client.Client, error) {
				c.Services = []*discovery.ServiceInfo{{Address: n.IM}}
				return client.NewClient(c)
			}
		})
	})
	t.Run("injected", func(t *testing.T) {
		restartUnderClients(t, injected)
	})
}

// injected makes clients that share a few connections.
func injected(n *Node) func(*client.Config) (*client.Client, error) {
	stubs := make(chan imv1.IMServiceClient, fleetConns)
	for range fleetConns {
		conn, err := grpc.NewClient(n.IM, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			n.t.Fatal(err)
		}
		n.t.Cleanup(func() { _ = conn.Close() }) // closing twice is its only error
		stubs <- imv1.NewIMServiceClient(conn)
	}
	return func(c *client.Config) (*client.Client, error) {
		stub := <-stubs
		defer func() { stubs <- stub }()
		return client.NewClientWithGRPCAndConfig(stub, c)
	}
}

// restartUnderClients is not parallel to any other test, so that the goroutines are its own.
func restartUnderClients(t *testing.T, mode func(*Node) func(*client.Config) (*client.Client, error)) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) }) // after those of the connections
	n := Start(t, "")
	f := newFleet(t, 500, mode(n))
	defer f.disconnect()
	f.startTalking(50 * time.Millisecond)
	f.everybodyHears(5)
	n.Restart()
	f.everybodyIsBack(2)
	f.everybodyHears(5)
	n.Kill()
	n.Boot()
	f.everybodyIsBack(3)
	f.everybodyHears(5)
	f.stopTalking()
}

// fleet is many clients in rooms of ten. Of each room one talks, and one answers from within
// OnMessage.
type fleet struct {
	t       *testing.T
	members []*fleetMember
	life    context.Context // of everything that a member says
	over    context.CancelFunc
	quiet   context.CancelFunc // ends the talk
	talking sync.WaitGroup
}

// fleetMember is one client and what it was told.
type fleetMember struct {
	*client.Client
	user, room string
	life       context.Context
	answers    bool

	connects, busy atomic.Int64
	said           atomic.Int64 // how many of its own messages were acknowledged

	mu     sync.Mutex
	heard  map[string]int64 // the last number, by sender
	wrongs []string
}

func newFleet(t *testing.T, size int, construct func(*client.Config) (*client.Client, error)) *fleet {
	t.Helper()
	f := &fleet{t: t, members: make([]*fleetMember, size), quiet: func() {}}
	f.life, f.over = context.WithCancel(context.Background())
	f.each(func(i int) error {
		m := &fleetMember{
			user:    "user " + strconv.Itoa(i),
			room:    "room " + strconv.Itoa(i/fleetRoomSize),
			life:    f.life,
			answers: i%fleetRoomSize == 1,
			heard:   map[string]int64{},
		}
		c, err := construct(m.config())
		if err != nil {
			return err
		}
		m.Client, f.members[i] = c, m
		return c.Connect()
	})
	return f
}

// each does something with every member, many at a time.
func (f *fleet) each(do func(i int) error) {
	f.t.Helper()
	var wg sync.WaitGroup
	places := make(chan struct{}, 64)
	for i := range f.members {
		places <- struct{}{}
		wg.Go(func() {
			defer func() { <-places }()
			if err := do(i); err != nil {
				f.t.Errorf("member %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if f.t.Failed() {
		f.t.FailNow()
	}
}

func (m *fleetMember) config() *client.Config {
	return &client.Config{
		UserID:        m.user,
		DefaultRoomID: m.room,
		MaxRetries:    -1,
		RetryInterval: 500 * time.Millisecond,
		OnMessage:     m.hear,
		OnConnect:     func() { m.connects.Add(1); m.callBack() },
		OnDisconnect:  func(error) { m.callBack() },
		OnError:       func(error) { m.callBack() },
	}
}

// callBack is what programs do in their callbacks. What the client answers depends on the moment;
// that it answers does not.
func (m *fleetMember) callBack() {
	m.busy.Add(1)
	defer m.busy.Add(-1)
	m.IsConnected()
	m.Stats()
	_, _ = m.GetRoomInfo(m.room)
}

func (m *fleetMember) hear(msg *imv1.MessageResponse) {
	m.busy.Add(1)
	defer m.busy.Add(-1)
	if msg.GetType() != text {
		return
	}
	number, err := strconv.ParseInt(string(msg.GetContent()), 10, 64)
	m.mu.Lock()
	last := m.heard[msg.GetFromUserId()]
	if err != nil || number != last+1 || msg.GetRoomId() != m.room {
		m.wrongs = append(m.wrongs, fmt.Sprintf("%q from %s in %s after %d", msg.GetContent(), msg.GetFromUserId(), msg.GetRoomId(), last))
	}
	m.heard[msg.GetFromUserId()] = number
	m.mu.Unlock()
	if m.answers && number%10 == 0 {
		m.say()
	}
}

// say sends the member's next number until it is acknowledged, under one id: a send that has failed
// may have been stored.
func (m *fleetMember) say() {
	number := strconv.FormatInt(m.said.Load()+1, 10)
	req := &imv1.MessageRequest{MessageId: m.user + " " + number, RoomId: m.room, Type: text, Content: []byte(number)}
	for m.life.Err() == nil {
		if _, err := m.Send(m.life, req); err == nil {
			m.said.Add(1)
			return
		}
	}
}

// startTalking has one member of each room say something at every beat.
func (f *fleet) startTalking(pace time.Duration) {
	ctx, quiet := context.WithCancel(f.life)
	f.quiet = quiet
	for i := 0; i < len(f.members); i += fleetRoomSize {
		f.talking.Go(func() {
			beat := time.NewTicker(pace)
			defer beat.Stop()
			for {
				select {
				case <-beat.C:
					f.members[i].say()
				case <-ctx.Done():
					return
				}
			}
		})
	}
}

// everybodyHears waits until each talker has said more, and its room has heard it.
func (f *fleet) everybodyHears(more int64) {
	f.t.Helper()
	least := make([]int64, len(f.members))
	for i := 0; i < len(f.members); i += fleetRoomSize {
		least[i] = f.members[i].said.Load() + more
	}
	eventually(f.t, fmt.Sprintf("everybody hears %d more messages", more), func() bool {
		for i, m := range f.members {
			talker := i - i%fleetRoomSize
			if i != talker && m.last(f.members[talker].user) < least[talker] {
				return false
			}
		}
		return true
	})
}

func (m *fleetMember) last(sender string) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.heard[sender]
}

// everybodyIsBack waits until each member is connected, for at least the given time.
func (f *fleet) everybodyIsBack(connects int64) {
	f.t.Helper()
	eventually(f.t, "everybody is back", func() bool {
		for _, m := range f.members {
			if m.connects.Load() < connects || !m.IsConnected() {
				return false
			}
		}
		return true
	})
}

// stopTalking ends the talk, waits until everybody has heard all of it, and tells what was wrong.
func (f *fleet) stopTalking() {
	f.t.Helper()
	f.quiet()
	f.talking.Wait()
	eventually(f.t, "everybody has heard everything, and no callback is stuck", func() bool {
		for i, m := range f.members {
			room := f.members[i-i%fleetRoomSize:][:fleetRoomSize]
			for _, other := range room {
				if other != m && m.last(other.user) < other.said.Load() {
					return false
				}
			}
			if m.busy.Load() > 0 {
				return false
			}
		}
		return true
	})
	for _, m := range f.members {
		m.mu.Lock()
		if len(m.wrongs) > 0 {
			f.t.Errorf("%s: %d messages out of order, the first: %s", m.user, len(m.wrongs), m.wrongs[0])
		}
		m.mu.Unlock()
	}
}

// disconnect ends everything, whatever has happened before.
func (f *fleet) disconnect() {
	f.over()
	f.talking.Wait()
	for _, m := range f.members {
		if err := m.Disconnect(); err != nil {
			f.t.Error(err)
		}
	}
}
