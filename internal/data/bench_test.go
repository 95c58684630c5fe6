package data

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/test/databases"
)

// BenchmarkAppend has 1,000 senders in 100 rooms, each with one message of 128 bytes in flight, on
// synchronous=FULL.
func BenchmarkAppend(b *testing.B) {
	for name, clientID := range map[string]func() (uuid.UUID, error){
		"plain":  func() (uuid.UUID, error) { return uuid.UUID{}, nil },
		"uuidv4": uuid.NewRandom,
		"uuidv7": uuid.NewV7,
	} {
		b.Run(name, func(b *testing.B) { benchmarkAppend(b, clientID) })
	}
}

// BenchmarkAppendOnServers does it on PostgreSQL and MariaDB, which do not wait for their disks; see
// test/databases.
func BenchmarkAppendOnServers(b *testing.B) {
	for driver, start := range databases.Start {
		b.Run(driver, func(b *testing.B) {
			s := start(b)
			appendTo(b, openWith(b, Options{Driver: driver, DSN: s.Create()}), uuid.NewV7)
		})
	}
}

func benchmarkAppend(b *testing.B, clientID func() (uuid.UUID, error)) {
	b.Helper()
	appendTo(b, openDB(b, b.TempDir()), clientID)
}

func appendTo(b *testing.B, db *DB, clientID func() (uuid.UUID, error)) {
	b.Helper()
	const senders, rooms = 1000, 100
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

func benchSender(b *testing.B, l *MessageLog, i int, room biz.RoomID, content []byte, clientID func() (uuid.UUID, error), left *atomic.Int64) {
	b.Helper()
	sender := biz.UserID(fmt.Sprintf("user-%d", i))
	done := make(chan error, 1)
	answer := func(_ biz.Receipt, err error) { done <- err }
	for n := left.Add(-1); n >= 0; n = left.Add(-1) {
		d := &biz.Draft{Message: biz.Message{Room: room, Sender: sender, Type: biz.TypeText, Content: content}}
		id, err := clientID()
		if err != nil {
			b.Error(err)
			return
		}
		if id != (uuid.UUID{}) {
			d.ClientID = id.String()
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
