package im_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/protocol/im"
	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/node"
	"github.com/game-im/hermod/internal/realtime/presence"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/realtime/transport"
	"github.com/game-im/hermod/internal/realtime/transport/transporttest"
)

// bench is a handler on a node in a synctest bubble.
type bench struct {
	t        *testing.T
	store    *store
	inbox    *inbox
	node     *node.Node
	rooms    *biz.Rooms
	messages *biz.Messages
	pushes   *biz.Pushes
	handler  *im.Handler
	auth     *refresher
	watches  *protocol.Watches
}

// refresher lets a session have the token "good"; with it the session's user becomes a service.
type refresher struct{ calls int }

func (r *refresher) Refresh(_ context.Context, held biz.Identity, token string) (biz.Identity, error) {
	r.calls++
	if token != "good" {
		return biz.Identity{}, biz.Errorf(biz.KindUnauthenticated, "UNAUTHENTICATED", "a bad token")
	}
	held.Roles, held.Expiry = []string{biz.RoleService}, time.Now().Add(time.Hour)
	return held, nil
}

var config = im.Config{Heartbeat: 30 * time.Second, StartTimeout: time.Minute}

func run(t *testing.T, cfg im.Config, test func(t *testing.T, b *bench)) {
	t.Helper()
	t.Parallel()
	inBubble(t, cfg, test)
}

func inBubble(t *testing.T, cfg im.Config, test func(t *testing.T, b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		quiet := slog.New(slog.DiscardHandler)
		core := session.NewCore(session.Config{
			QueueBytes: 1 << 20, ResumeWindow: time.Minute, StallTimeout: time.Minute, ExpiryGrace: 30 * time.Second,
		}, quiet)
		b := &bench{t: t, store: newStore(), inbox: &inbox{}, auth: &refresher{}}
		b.node = node.New(core, broker.NewMemory(), presence.New(0))
		b.node.ReadFrom(protocol.NewRoomLog(b.store, nil))
		live := protocol.NewDeliverer(b.node)
		b.store.live = live
		b.rooms = biz.NewRooms(b.store, b.store, b.store, live, live, biz.RoomRules{AutoCreate: true, Defaults: biz.DefaultRoomConfig()})
		b.messages = biz.NewMessages(b.store, b.store, live, biz.MessageRules{MaxContentBytes: 100, MaxMetadataBytes: 100})
		b.pushes = biz.NewPushes(protocol.NewPusher(b.node), b.inbox, nil, biz.PushRules{MaxBytes: 100, MaxTargets: 9, InboxTTL: time.Hour, Inbox: biz.InboxLimits{Pushes: 9, Bytes: 1 << 20}})
		rules := im.Rules{
			Rooms: b.rooms, Messages: b.messages, Backlog: biz.NewBacklog(b.store, b.store, b.store, b.store), Pushes: b.pushes,
			Ephemerals: biz.NewEphemerals(b.store, live, biz.EphemeralRules{PerSecond: 5, Burst: 5}),
			Watches:    protocol.NewWatches(b.node, biz.NewPresences(live, b.store, b.store, b.store, biz.PresenceRules{MaxNamed: 10}), b.store, quiet),
		}
		b.watches = rules.Watches
		b.handler = im.NewHandler(b.node, rules, b.auth, cfg, quiet)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 2)
		go func() { done <- b.node.Run(ctx) }()
		go func() { done <- b.watches.Run(ctx) }()
		test(t, b)
		cancel()
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
}

// client is a connection whose client sends what a test tells it to.
type client struct {
	*transporttest.Conn
	t       *testing.T
	in      chan []byte
	gone    chan struct{}
	goOnce  sync.Once
	welcome chan im.Welcome
	result  chan error // of Serve
}

// errLost is how a connection is lost.
var errLost = errors.New("the network is gone")

func (c *client) Read() ([]byte, error) {
	select {
	case data, ok := <-c.in:
		if !ok {
			return nil, io.EOF
		}
		return data, nil
	case <-c.gone:
		return nil, errLost
	}
}

func (c *client) Close(why transport.Disconnect) {
	c.Conn.Close(why)
	c.lose()
}

func (c *client) lose() { c.goOnce.Do(func() { close(c.gone) }) }

// open has the handler serve a client, until there is nothing more to do.
func (b *bench) open(o im.Opening) *client {
	c := &client{
		Conn: transporttest.NewConn(), t: b.t, in: make(chan []byte, 1000), gone: make(chan struct{}),
		welcome: make(chan im.Welcome, 1), result: make(chan error, 1),
	}
	go func() {
		err := b.handler.Serve(b.t.Context(), c, o, func(w im.Welcome) error {
			if n := len(c.Got()); n > 0 {
				b.t.Errorf("%d frames were written before the greeting", n)
			}
			c.welcome <- w
			return nil
		})
		c.Close(transport.Ended) // as a server does; without effect after another reason
		c.result <- err
	}()
	synctest.Wait() // so that clients arrive one after another
	return c
}

// as is what a stream of a user in room r opens with.
func as(user biz.UserID) im.Opening {
	return im.Opening{Identity: biz.Identity{User: user}, Room: "r"}
}

func (c *client) send(reqs ...*imv1.MessageRequest) {
	c.t.Helper()
	for _, req := range reqs {
		c.in <- bytesOf(c.t, req)
	}
}

func text(content string) *imv1.MessageRequest {
	return &imv1.MessageRequest{MessageId: "id of " + content, Type: imv1.MessageType_MESSAGE_TYPE_TEXT, Content: []byte(content)}
}

func heartbeat() *imv1.MessageRequest {
	return &imv1.MessageRequest{Type: imv1.MessageType_MESSAGE_TYPE_HEARTBEAT, Content: []byte("ping")}
}

// frames is what was written so far, with its numbers.
func (c *client) frames() (frames []*imv1.MessageResponse) {
	c.t.Helper()
	synctest.Wait()
	for _, g := range c.Got() {
		m := parse(c.t, []byte(g.Text))
		m.LinkSeq = g.Link
		frames = append(frames, m)
	}
	return frames
}

// words is what was written so far, a few words for each frame.
func (c *client) words() []string {
	c.t.Helper()
	said := []string{}
	for _, m := range c.frames() {
		switch m.Type {
		case imv1.MessageType_MESSAGE_TYPE_ACK:
			a := &imv1.AckContent{}
			unmarshal(c.t, m.Content, a)
			if a.Success {
				said = append(said, fmt.Sprintf("ack %s at %d", a.OriginalMessageId, m.Seq))
			} else {
				said = append(said, fmt.Sprintf("refused %s: %s", a.OriginalMessageId, m.Metadata["reason"]))
			}
		case imv1.MessageType_MESSAGE_TYPE_HEARTBEAT:
			said = append(said, "heartbeat "+string(m.Content))
		case imv1.MessageType_MESSAGE_TYPE_JOIN_ROOM:
			said = append(said, "joined "+m.FromUserId)
		case imv1.MessageType_MESSAGE_TYPE_LEAVE_ROOM:
			said = append(said, "left "+m.FromUserId)
		case imv1.MessageType_MESSAGE_TYPE_SYSTEM:
			if floor, ok := m.Metadata["floor_seq"]; ok {
				said = append(said, "gone up to "+floor)
				continue
			}
			said = append(said, "push "+m.Metadata["title"])
		default:
			said = append(said, fmt.Sprintf("%s from %s", m.Content, m.FromUserId))
		}
	}
	return said
}

func (c *client) want(words ...string) {
	c.t.Helper()
	if got := c.words(); !slices.Equal(got, words) {
		c.t.Errorf("got  %q\nwant %q", got, words)
	}
}

// wantResult waits until Serve has returned.
func (c *client) wantResult(want error) {
	c.t.Helper()
	if err := <-c.result; !errors.Is(err, want) {
		c.t.Errorf("Serve: %v, want %v", err, want)
	}
}

// wantRefusal waits until Serve has returned a refusal; nothing was written.
func (c *client) wantRefusal(reason string) {
	c.t.Helper()
	if err := <-c.result; err == nil || biz.AsError(err).Reason != reason {
		c.t.Errorf("Serve: %v, want %s", err, reason)
	}
	select {
	case w := <-c.welcome:
		c.t.Errorf("greeted with %+v", w)
	default:
	}
	c.want()
}
