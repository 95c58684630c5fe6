package store

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/data"
)

// during measures a load in this process, which counts what it has stored, after its warm-up. It goes on until
// something was stored, however slow the machine is, or the load has failed.
func during(tb testing.TB, to target, p pace, run func(ctx context.Context, stored *atomic.Int64)) figure {
	tb.Helper()
	var stored atomic.Int64
	ended := make(chan struct{})
	ctx, cancel := context.WithCancel(tb.Context())
	defer func() {
		cancel()
		<-ended
	}()
	go func() {
		defer close(ended)
		run(ctx, &stored)
	}()
	time.Sleep(p.warmUp)
	cpu, count, start := ownCPU(tb)+to.cpu(), stored.Load(), time.Now()
	wait := time.NewTimer(p.duration)
	defer wait.Stop()
	for over := false; !over; {
		select {
		case <-wait.C:
			over = stored.Load() > count
			wait.Reset(10 * time.Millisecond)
		case <-ended:
			over = true
		}
	}
	n, seconds := float64(stored.Load()-count), time.Since(start).Seconds()
	cpu = ownCPU(tb) + to.cpu() - cpu
	return figure{n / seconds, n / cpu.Seconds()}
}

// storeFromSenders has each member of each room send the next message when the last one is stored.
func storeFromSenders(tb testing.TB, to target, p pace) figure {
	tb.Helper()
	db := openStore(tb, to.empty())
	defer closeAll(tb, db)
	rooms, members := data.NewRooms(db), data.NewMembers(db)
	log, err := data.NewMessageLog(db, nobody{}, data.LogOptions{}, quiet())
	if err != nil {
		tb.Fatal(err)
	}
	messages := biz.NewMessages(rooms, log, nobody{}, biz.MessageRules{MaxContentBytes: 1 << 16, MaxMetadataBytes: 1 << 16})
	joinAll(tb, members)
	ctx, stop := context.WithCancel(context.Background())
	var committing sync.WaitGroup
	committing.Go(func() {
		if err := log.Run(ctx); err != nil {
			tb.Error(err)
		}
	})
	defer committing.Wait()
	defer stop()
	return during(tb, to, p, func(ctx context.Context, stored *atomic.Int64) {
		var sending sync.WaitGroup
		for i := range roomCount * roomMembers {
			sending.Go(func() { sendAll(ctx, tb, messages, i, stored) })
		}
		sending.Wait()
	})
}

func sendAll(ctx context.Context, tb testing.TB, messages *biz.Messages, i int, stored *atomic.Int64) {
	done := make(chan error, 1)
	answer := func(_ biz.Receipt, err error) { done <- err }
	for ctx.Err() == nil {
		id, err := uuid.NewV7()
		if err != nil {
			tb.Error(err)
			return
		}
		d := &biz.Draft{Message: biz.Message{
			Room: roomOf(i), Sender: userOf(i), ClientID: id.String(), Type: biz.TypeText, Content: make([]byte, payloadSize),
		}}
		// Not ctx, which ends with the measurement: what is under way shall be stored.
		messages.Send(context.Background(), biz.Identity{User: userOf(i)}, d, answer)
		if err := <-done; err != nil {
			tb.Error(err)
			return
		}
		stored.Add(1)
	}
}

func roomOf(i int) biz.RoomID { return biz.RoomID(fmt.Sprintf("room-%d", i%roomCount)) }
func userOf(i int) biz.UserID { return biz.UserID(fmt.Sprintf("user-%d", i)) }

func joinAll(tb testing.TB, members *data.Members) {
	tb.Helper()
	for i := range roomCount * roomMembers {
		room, user := roomOf(i), userOf(i)
		_, err := members.Join(tb.Context(), room, user, func(s biz.JoinState) (biz.JoinPlan, error) {
			now := time.Now()
			plan := biz.JoinPlan{Member: biz.Member{Room: room, User: user, Role: biz.RoleUser, JoinedAt: now}}
			if s.Room == nil {
				plan.Create = &biz.Room{ID: room, Name: string(room), Config: biz.DefaultRoomConfig(), CreatedAt: now, LastActive: now}
			}
			return plan, nil
		})
		if err != nil {
			tb.Fatal(err)
		}
	}
}

// nobody is delivered to.
type nobody struct{ biz.Deliverer }

func (nobody) Deliver(*biz.Draft) {}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func openStore(tb testing.TB, opts data.Options) *data.DB {
	tb.Helper()
	db, err := data.Open(tb.Context(), opts, quiet())
	if err != nil {
		tb.Fatal(err)
	}
	return db
}

func closeAll(tb testing.TB, closers ...io.Closer) {
	tb.Helper()
	for _, c := range closers {
		if err := c.Close(); err != nil {
			tb.Error(err)
		}
	}
}
