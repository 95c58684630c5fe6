package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/client"
	"github.com/game-im/hermod/sdk/discovery"
)

// crowd is who takes part in a soak: clients of the gateway protocol, and in rooms of ten, clients of
// the im.v1 stream, every other one of them with the SDK. Services push to all of them.
type crowd struct {
	t      *testing.T
	n      *Node
	seed   uint64
	doors  doors
	ledger *Ledger

	rovers []*rover
	seats  []*seat
	users  []*sdkUser

	stay    bool        // nobody moves without need
	quiet   atomic.Bool // nobody begins anything new
	life    context.Context
	end     context.CancelFunc
	running sync.WaitGroup // clients
	busy    sync.WaitGroup // services, and members that speak

	targets []target
}

// target is somebody to push to, by one of his names.
type target struct{ kind, id, receiver string }

func (t target) lane() string { return "push to " + t.receiver + " by " + t.kind }

// roomSize is how many members the rooms of a soak have.
const roomSize = 10

func newCrowd(t *testing.T, n *Node, seed uint64, d doors) *crowd {
	t.Helper()
	c := &crowd{t: t, n: n, seed: seed, doors: d, ledger: NewLedger()}
	c.life, c.end = context.WithCancel(context.Background())
	c.quiet.Store(true)
	return c
}

// enter brings clients in, who say nothing yet, and waits until they are there.
func (c *crowd) enter(rovers, members int) {
	c.t.Helper()
	for i := range rovers {
		r := newRover(strconv.Itoa(10_000+i), c.seed, c.doors, c.ledger, c.quiet.Load)
		r.stays = c.stay
		c.rovers = append(c.rovers, r)
		c.running.Go(func() { r.run(c.life) })
	}
	for i := range members {
		room := i - i%roomSize
		var others []string
		for j := room; j < min(room+roomSize, members); j++ {
			if j != i {
				others = append(others, strconv.Itoa(50_000+j))
			}
		}
		c.ledger.Open(speech(strconv.Itoa(50_000+i)), others...)
		c.sit(strconv.Itoa(50_000+i), fmt.Sprintf("room %d", i/roomSize), i%2 == 0)
	}
	for _, r := range c.rovers {
		c.await("a login", r.ready)
		for _, kind := range []string{"openid", "gid"} {
			c.aim(target{kind, r.openid, r.openid})
		}
		c.aim(target{"session", r.session, r.openid})
	}
	for _, s := range c.seats {
		c.await("a connection", s.ready)
		for _, name := range s.names() {
			c.aim(name)
		}
	}
	for _, u := range c.users {
		c.aim(u.name())
	}
}

// sit makes somebody a member of a room, whose client is the SDK's or shows everything.
func (c *crowd) sit(user, room string, sdk bool) {
	c.t.Helper()
	if !sdk {
		s := newSeat(user, room, c.seed, c.doors, c.ledger, c.quiet.Load)
		s.stays = c.stay
		c.seats = append(c.seats, s)
		c.running.Go(func() { s.run(c.life) })
		return
	}
	u := &sdkUser{id: user, room: room, ledger: c.ledger}
	if err := u.connect(c.doors.grpc); err != nil {
		c.t.Fatal(err)
	}
	c.users = append(c.users, u)
}

func (c *crowd) await(what string, event <-chan struct{}) {
	c.t.Helper()
	select {
	case <-event:
	case <-within(c.t).Done():
		c.t.Fatalf("not within %s: %s; so far %q", patience, what, c.ledger.Faults())
	}
}

func (c *crowd) aim(t target) {
	c.ledger.Open(t.lane(), t.receiver)
	c.targets = append(c.targets, t)
}

// begin lets services push and members speak. Each service has targets of its own, so that what one
// target gets has an order.
func (c *crowd) begin(services int, pause time.Duration) {
	c.quiet.Store(false)
	for i := range services {
		var mine []target
		for j := i; j < len(c.targets); j += services {
			mine = append(mine, c.targets[j])
		}
		pushes := c.n.Pushes()
		rng := rand.New(rand.NewPCG(c.seed, uint64(i)))
		c.busy.Go(func() {
			for !c.quiet.Load() && doze(c.life, pause) {
				c.push(pushes, mine[rng.IntN(len(mine))])
			}
		})
	}
	for i, u := range c.users {
		rng := rand.New(rand.NewPCG(c.seed, uint64(1000+i)))
		c.busy.Go(func() {
			for !c.quiet.Load() && doze(c.life, time.Second+time.Duration(rng.Int64N(int64(2*time.Second)))) {
				u.say(c.life)
			}
		})
	}
}

// push pushes to a target and notes what the node says of it.
func (c *crowd) push(pushes gatewayv1.GatewayServiceClient, to target) {
	ctx, cancel := context.WithTimeout(c.life, patience)
	defer cancel()
	number := c.ledger.Send(to.lane())
	resp, err := pushes.PushToClient(ctx, &gatewayv1.UnicastPushRequest{
		TargetType: to.kind, TargetId: to.id, MsgType: "soak", Data: []byte(letter(to.lane(), number)),
	})
	switch {
	case err != nil:
		if c.life.Err() == nil {
			c.ledger.Wrong("%s: %v", to.lane(), err)
		}
	case resp.GetSuccess():
		c.ledger.Settle(to.lane(), number, accepted)
	default:
		c.ledger.Settle(to.lane(), number, rejected)
		if resp.GetErrorCode() != "TARGET_SLOW" {
			c.ledger.Wrong("%s: %d was refused: %v", to.lane(), number, resp)
		}
	}
}

// settle ends the talk and waits, for as long as it may take a loaded machine, until all of it has
// arrived.
func (c *crowd) settle() {
	c.t.Helper()
	c.quiet.Store(true)
	c.busy.Wait()
	deadline := time.Now().Add(4 * patience)
	for c.ledger.Missing() > 0 || c.ledger.unanswered() {
		if time.Now().After(deadline) {
			return // Faults says what is missing
		}
		time.Sleep(50 * pollEvery)
	}
}

// leave ends every session and waits until nobody is connected any more.
func (c *crowd) leave() {
	c.t.Helper()
	for _, r := range c.rovers {
		close(r.done)
	}
	for _, s := range c.seats {
		close(s.done)
	}
	for _, u := range c.users {
		if err := u.Disconnect(); err != nil {
			c.t.Error(err)
		}
	}
	c.running.Wait()
	// Who leaves over a connection that the storm has broken is not heard: his session waits for him.
	c.n.within(4*patience, "nobody is connected", func() bool { return c.n.Metric("hermod_sessions", `state="active"`) == 0 })
}

// renewals is how often a client of the im.v1 stream had to begin anew.
func (c *crowd) renewals() (times int64) {
	for _, s := range c.seats {
		times += s.renewals.Load()
	}
	for _, u := range c.users {
		times += int64(u.renewals())
	}
	return times
}

// abandon ends everything, whatever has happened before.
func (c *crowd) abandon() {
	c.quiet.Store(true)
	c.end()
	c.busy.Wait()
	c.running.Wait()
	for _, u := range c.users {
		_ = u.Disconnect() // returns nil
	}
}

// sdkUser is a member with the SDK's client, which removes repetitions itself.
type sdkUser struct {
	*client.Client
	id, room string
	ledger   *Ledger

	mu     sync.Mutex
	place  int64  // the last seq of the room
	begins uint64 // renewals that are known
}

func (u *sdkUser) name() target { return target{"openid", u.id, u.id} }

// renewals is how often the client came back to a new session.
func (u *sdkUser) renewals() uint64 {
	stats := u.Stats()
	return max(stats.Connects, 1) - 1 - stats.Resumed
}

// connected notes when the client had to begin anew, as a seat does.
func (u *sdkUser) connected() {
	u.mu.Lock()
	defer u.mu.Unlock()
	if n := u.renewals(); n > u.begins {
		u.begins = n
		u.ledger.Excuse(u.name().lane(), false)
	}
}

func (u *sdkUser) connect(addr string) (err error) {
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return err
	}
	u.Client, err = client.NewClient(&client.Config{
		Services: []*discovery.ServiceInfo{{Address: host, Port: port}},
		UserID:   u.id, DefaultRoomID: u.room, DeviceID: "sdk",
		ConnectTimeout: attempt, RequestTimeout: 4 * patience, HeartbeatInterval: beatEvery,
		MaxRetries: -1, Backoff: func(int) time.Duration { return rand.N(300 * time.Millisecond) },
		OnMessage: u.hear, OnConnect: u.connected,
	})
	if err != nil {
		return err
	}
	return u.Connect()
}

func (u *sdkUser) hear(m *imv1.MessageResponse) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if m.GetSeq() > 0 {
		if m.GetSeq() <= u.place {
			u.ledger.Wrong("%s: seq %d after %d", u.id, m.GetSeq(), u.place)
		}
		u.place = m.GetSeq()
	}
	switch m.GetType() {
	case imv1.MessageType_MESSAGE_TYPE_TEXT, imv1.MessageType_MESSAGE_TYPE_SYSTEM:
		if m.GetFromUserId() == u.id {
			return // sent by a session before this one
		}
		lane, number := address(string(m.GetContent()))
		u.ledger.Hear(u.id, lane, number)
	}
}

// say says the next thing in the user's room until the node has taken it, under one id.
func (u *sdkUser) say(ctx context.Context) {
	number := u.ledger.Send(speech(u.id))
	text := letter(speech(u.id), number)
	for ctx.Err() == nil {
		_, err := u.Send(ctx, &imv1.MessageRequest{MessageId: text, RoomId: u.room, Type: imv1.MessageType_MESSAGE_TYPE_TEXT, Content: []byte(text)})
		if err == nil {
			u.ledger.Settle(speech(u.id), number, accepted)
			return
		}
	}
}
