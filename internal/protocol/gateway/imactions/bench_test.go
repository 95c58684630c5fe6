package imactions_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/data"
	"github.com/game-im/hermod/internal/imcall"
	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/protocol/gateway"
	"github.com/game-im/hermod/internal/protocol/gateway/imactions"
	"github.com/game-im/hermod/internal/protocol/im"
	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/node"
	"github.com/game-im/hermod/internal/realtime/presence"
	"github.com/game-im/hermod/internal/realtime/session"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a test waits for something that must happen.
const patience = 60 * time.Second

// bench is a node with a store, whose clients talk to it from memory.
type bench struct {
	t        *testing.T
	node     *node.Node
	rooms    *biz.Rooms
	messages *biz.Messages
	handler  *gateway.Handler
	log      *messageLog
	cursors  *cursors
	places   *rooms // as following a room reads them
}

// messageLog is a log that can be told to keep what it is given to itself.
type messageLog struct {
	biz.MessageLog
	mu   sync.Mutex
	hold bool
	held []func()
}

func (l *messageLog) Append(d *biz.Draft, done func(biz.Receipt, error)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.hold {
		l.held = append(l.held, func() { l.MessageLog.Append(d, done) })
		return
	}
	l.MessageLog.Append(d, done)
}

// setHold makes what is sent from now on wait; unset, it lets all of it happen.
func (l *messageLog) setHold(hold bool) {
	l.mu.Lock()
	held := l.held
	l.hold, l.held = hold, nil
	l.mu.Unlock()
	for _, commit := range held {
		commit()
	}
}

// cursors are cursors that cannot be read while err is set.
type cursors struct {
	biz.CursorRepo
	mu  sync.Mutex
	err error
}

func (c *cursors) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
}

func (c *cursors) Cursors(ctx context.Context, user biz.UserID, device biz.DeviceID, rooms []biz.RoomID) (map[biz.RoomID]biz.CursorState, error) {
	c.mu.Lock()
	err := c.err
	c.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return c.CursorRepo.Cursors(ctx, user, device, rooms)
}

// rooms are rooms that have something done once it is read who is in them, and before anybody knows.
type rooms struct {
	biz.RoomRepo
	before func()
}

func (r *rooms) Memberships(ctx context.Context, user biz.UserID, asked []biz.RoomID) ([]biz.Membership, error) {
	found, err := r.RoomRepo.Memberships(ctx, user, asked)
	if before := r.before; before != nil {
		r.before = nil
		before()
	}
	return found, err
}

// trusting is an Authenticator that believes everybody.
type trusting struct{}

func (trusting) Prove(_ context.Context, _ string, user biz.UserID, device biz.DeviceID) (biz.Identity, error) {
	return biz.Identity{User: user, Device: device}, nil
}

func (trusting) Refresh(context.Context, biz.Identity, string) (biz.Identity, error) {
	return biz.Identity{}, errors.New("no tokens here")
}

// services are those behind the gateway, which must never be asked for an action of the node's own.
type services struct {
	biz.Builtin
	t *testing.T
}

func (s services) Process(ctx context.Context, r *biz.UpstreamRequest) (*biz.UpstreamResponse, error) {
	if len(r.Action) > 3 && r.Action[2] == '.' {
		s.t.Errorf("a service was asked for %s", r.Action)
	}
	return s.Builtin.Process(ctx, r)
}

// settings are what tests choose.
type settings struct {
	gateway  gateway.Config
	defaults biz.RoomConfig
	queue    int
}

func usual() settings {
	return settings{
		gateway: gateway.Config{
			Heartbeat: 30 * time.Second, StartTimeout: patience, RequestTimeout: patience,
			MaxRequests: 64, SendBurst: 1000, Devices: gateway.Allow, MaxDevices: 5,
		},
		defaults: biz.DefaultRoomConfig(), queue: 1 << 20,
	}
}

func newBench(t *testing.T, s settings) *bench {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	db, err := data.Open(t.Context(), data.Options{Driver: "sqlite", Dir: t.TempDir(), Synchronous: "normal"}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // after what runs in the background has ended
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	core := session.NewCore(session.Config{
		QueueBytes: s.queue, ResumeWindow: patience, StallTimeout: patience, ExpiryGrace: patience, AckTimeout: patience, MaxResends: 2,
	}, quiet)
	b := &bench{t: t, node: node.New(core, broker.NewMemory(), presence.New(0))}
	live := protocol.NewDeliverer(b.node)
	stored, err := data.NewMessageLog(db, live, data.LogOptions{Events: im.EventContent}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	inRooms, members, kept, inbox := data.NewRooms(db), data.NewMembers(db), data.NewCursors(db, quiet), data.NewInbox(db, quiet)
	b.log, b.cursors, b.places = &messageLog{MessageLog: stored}, &cursors{CursorRepo: kept}, &rooms{RoomRepo: inRooms}
	b.rooms = biz.NewRooms(inRooms, members, stored, live, live, biz.RoomRules{AutoCreate: true, Defaults: s.defaults})
	b.messages = biz.NewMessages(inRooms, b.log, live, biz.MessageRules{MaxContentBytes: 1000, MaxMetadataBytes: 1000})
	pushes := biz.NewPushes(protocol.NewPusher(b.node), inbox, data.NewPushKeys(db, quiet), biz.PushRules{MaxBytes: 1000, MaxTargets: 9, InboxTTL: time.Hour, Inbox: biz.InboxLimits{Pushes: 9, Bytes: 1 << 20}})
	history, seen := biz.NewHistory(data.NewHistory(db)), data.NewAcquaintances(db, quiet)
	presences := biz.NewPresences(live, seen, inRooms, members, biz.PresenceRules{MaxNamed: 10})
	watches := protocol.NewWatches(b.node, presences, seen, quiet)
	b.background(b.node.Run, kept.Run, inbox.Run, stored.Run, seen.Run, watches.Run, data.NewIndexer(db, imcall.Reader{}, quiet).Run)
	actions := imactions.New(b.node, imactions.Rules{
		Rooms: b.rooms, Messages: b.messages, Backlog: biz.NewBacklog(b.places, members, b.log, b.cursors), History: history,
		Admin:      biz.NewRoomAdmin(b.rooms, data.NewRoomBook(db), history, im.EventContent),
		Revisions:  biz.NewRevisions(b.messages, history, data.NewRevisions(db), imcall.Transcribed, quiet),
		Search:     biz.NewSearch(data.NewSearch(db), data.NewHistory(db), imcall.Reader{}, biz.SearchRules{Enabled: true}),
		Ephemerals: biz.NewEphemerals(inRooms, live, biz.EphemeralRules{PerSecond: 1, Burst: 5}),
		Watermarks: biz.NewWatermarks(history, data.NewWatermarks(db), inRooms, members, live, biz.WatermarkRules{MaxTold: 10}),
		Presences:  presences, Watches: watches,
	}, quiet)
	b.handler = gateway.NewHandler(b.node, pushes, services{t: t}, actions, trusting{}, s.gateway, quiet)
	return b
}

// background runs what runs in the background, until the test ends.
func (b *bench) background(runs ...func(context.Context) error) {
	b.t.Helper()
	for _, run := range runs {
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() { done <- run(ctx) }()
		b.t.Cleanup(func() {
			cancel()
			if err := <-done; err != nil {
				b.t.Error(err)
			}
		})
	}
}

// member makes a user a member by a call, which no session of his asks for.
func (b *bench) member(room biz.RoomID, user biz.UserID) {
	b.t.Helper()
	if _, err := b.rooms.Join(b.t.Context(), biz.Identity{User: user}, biz.JoinRequest{Room: room}); err != nil {
		b.t.Fatal(err)
	}
}

// say sends a text by a call and waits until it is stored.
func (b *bench) say(room biz.RoomID, user biz.UserID, text string) {
	b.t.Helper()
	done := make(chan error, 1)
	b.messages.Send(b.t.Context(), biz.Identity{User: user}, &biz.Draft{Message: biz.Message{
		Room: room, Type: biz.TypeText, Content: []byte(text),
	}}, func(_ biz.Receipt, err error) { done <- err })
	if err := <-done; err != nil {
		b.t.Fatal(err)
	}
}

// live waits until so many subscriptions have reached the live edge, inboxes included.
func (b *bench) live(subscriptions int) {
	b.t.Helper()
	r := prometheus.NewRegistry()
	r.MustRegister(b.node.Core().Metrics.CaughtUp)
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		families, err := r.Gather()
		if err != nil {
			b.t.Fatal(err)
		}
		now := families[0].GetMetric()[0].GetCounter().GetValue()
		if now >= float64(subscriptions) {
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("%v subscriptions are live, not %d", now, subscriptions)
		}
	}
}
