package imactions_test

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/data"
	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/protocol/gateway"
	"github.com/game-im/hermod/internal/protocol/im"
	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/node"
	"github.com/game-im/hermod/internal/realtime/presence"
	"github.com/game-im/hermod/internal/realtime/session"
)

// BenchmarkLargeRoom is what a message, a join with a leave, and looking at the room cost in a room of 1,000 members and
// in one of 100,000. In each of them 1,000 are there, who get all that is told, and it is stored.
func BenchmarkLargeRoom(b *testing.B) {
	rooms := []*largeRoom{newLargeRoom(b, 1_000), newLargeRoom(b, 100_000)}
	for _, what := range []string{"send", "join and leave", "info"} {
		for _, r := range rooms {
			do := map[string]func(i int) error{"send": r.send, "join and leave": r.comeAndGo, "info": r.info}[what]
			b.Run(fmt.Sprintf("%s/%d", what, r.members), func(b *testing.B) {
				for i := range b.N {
					if err := do(i); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// largeRoom is a room "r" on a node with a store.
type largeRoom struct {
	members int
	rooms   *biz.Rooms
	said    *biz.Messages
}

func newLargeRoom(b *testing.B, members int) *largeRoom {
	b.Helper()
	quiet := slog.New(slog.DiscardHandler)
	db, err := data.Open(b.Context(), data.Options{Driver: "sqlite", Dir: b.TempDir(), Synchronous: "normal"}, quiet)
	if err != nil {
		b.Fatal(err)
	}
	core := session.NewCore(session.Config{QueueBytes: 1 << 30, ResumeWindow: time.Hour, StallTimeout: time.Hour, AckTimeout: time.Hour}, quiet)
	n := node.New(core, broker.NewMemory(), presence.New(0))
	live := protocol.NewDeliverer(n)
	log, err := data.NewMessageLog(db, live, data.LogOptions{Events: im.EventContent}, quiet)
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, run := range []func(context.Context) error{n.Run, log.Run} {
		running.Go(func() {
			if err := run(ctx); err != nil {
				b.Error(err)
			}
		})
	}
	b.Cleanup(func() {
		cancel()
		running.Wait()
		if err := db.Close(); err != nil {
			b.Error(err)
		}
	})
	repo := data.NewRooms(db)
	r := &largeRoom{members: members}
	r.rooms = biz.NewRooms(repo, data.NewMembers(db), log, live, live, biz.RoomRules{AutoCreate: true, Defaults: biz.DefaultRoomConfig()})
	r.said = biz.NewMessages(repo, log, live, biz.MessageRules{MaxContentBytes: 1000, MaxMetadataBytes: 1000})
	r.fill(b)
	attend(n, 1000)
	return r
}

// fill has the members join, before anybody is there.
func (r *largeRoom) fill(b *testing.B) {
	b.Helper()
	var next atomic.Int64
	var joining sync.WaitGroup
	for range 128 { // who share their transactions
		joining.Go(func() {
			for i := next.Add(1); i <= int64(r.members); i = next.Add(1) {
				if err := r.join(fmt.Sprint("member ", i)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	joining.Wait()
}

// attend has members follow the room, whose clients take everything.
func attend(n *node.Node, count int) {
	var written atomic.Int64
	for i := range count {
		s := session.New(n.Core(), session.Options{ID: fmt.Sprint("session ", i), User: fmt.Sprint("member ", i+1), Format: gateway.Proto}, sink{&written}, time.Time{})
		n.Open(s)
		n.Subscribe(s, protocol.RoomChannel("r"), nil, 0)
		s.Continue(sink{&written})
	}
}

func (r *largeRoom) join(user string) error {
	_, err := r.rooms.Join(context.Background(), biz.Identity{User: biz.UserID(user)}, biz.JoinRequest{Room: "r"})
	return err
}

func (r *largeRoom) send(int) error {
	done := make(chan error, 1)
	d := &biz.Draft{Message: biz.Message{Room: "r", Type: biz.TypeText, Content: make([]byte, 128)}}
	r.said.Send(context.Background(), biz.Identity{User: "member 1"}, d, func(_ biz.Receipt, err error) { done <- err })
	return <-done
}

func (r *largeRoom) comeAndGo(i int) error {
	user := fmt.Sprint("visitor ", i)
	if err := r.join(user); err != nil {
		return err
	}
	return r.rooms.Leave(context.Background(), biz.Identity{User: biz.UserID(user)}, "r", "")
}

func (r *largeRoom) info(int) error {
	view, err := r.rooms.Info(context.Background(), biz.Identity{User: "member 1"}, "r", "")
	if err == nil && (view.There != 1000 || view.Room.Members != r.members) {
		err = fmt.Errorf("%d of %d are there", view.There, view.Room.Members)
	}
	return err
}
