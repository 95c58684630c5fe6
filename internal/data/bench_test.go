package data

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/game-im/hermod/internal/biz"
)

// BenchmarkAppend has 1,000 senders in 100 rooms, each with one message of 128 bytes in flight, on
// synchronous=FULL.
func BenchmarkAppend(b *testing.B) {
	for _, bench := range []struct {
		name     string
		clientID bool
	}{{"plain", false}, {"clientid", true}} {
		b.Run(bench.name, func(b *testing.B) { benchmarkAppend(b, bench.clientID) })
	}
}

func benchmarkAppend(b *testing.B, clientID bool) {
	const senders, rooms = 1000, 100
	dir, err := os.MkdirTemp("", "hermod-bench")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			b.Error(err)
		}
	})
	db := openDB(b, dir)
	for i := range rooms {
		joinRoom(b, db, benchRoom(i), "owner")
	}
	l, _ := runLog(b, db, &discard{}, LogOptions{})
	content := make([]byte, 128)
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for i := range senders {
		wg.Go(func() { benchSender(b, l, i, benchRoom(i%rooms), content, clientID, &left) })
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msgs/s")
}

func benchSender(b *testing.B, l *MessageLog, i int, room biz.RoomID, content []byte, clientID bool, left *atomic.Int64) {
	sender := biz.UserID(fmt.Sprintf("user-%d", i))
	done := make(chan error, 1)
	answer := func(_ biz.Receipt, err error) { done <- err }
	for n := left.Add(-1); n >= 0; n = left.Add(-1) {
		d := &biz.Draft{Message: biz.Message{Room: room, Sender: sender, Type: biz.TypeText, Content: content}}
		if clientID {
			d.ClientID = fmt.Sprintf("%016x", n)
		}
		l.Append(d, answer)
		if err := <-done; err != nil {
			b.Error(err)
			return
		}
	}
}

func benchRoom(i int) biz.RoomID { return biz.RoomID(fmt.Sprintf("room-%d", i)) }

type discard struct{ biz.Deliverer }

func (discard) Deliver(*biz.Draft) {}
