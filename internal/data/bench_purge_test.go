package data

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// BenchmarkAppendDuringPurge has 100 senders in 10 rooms, each with one message of 128 bytes in flight:
// first for some seconds by themselves, and then for as long as it takes to delete a million messages of
// other rooms, which have had their time, or are more bytes than rooms keep. Run it with -benchtime=1x.
func BenchmarkAppendDuringPurge(b *testing.B) {
	for name, keep := range map[string]biz.Retention{"age": {MaxAge: time.Hour}, "bytes": {MaxBytes: 1 << 10}} {
		b.Run(name, func(b *testing.B) { appendDuringPurge(b, keep) })
	}
}

func appendDuringPurge(b *testing.B, keep biz.Retention) {
	b.Helper()
	const rooms, each, alone = 20, 50_000, 8 * time.Second
	for b.Loop() {
		db := openDB(b, b.TempDir())
		for i := range rooms {
			fill(b, db, biz.RoomID(fmt.Sprintf("full-%d", i)), each, time.Now().Add(-2*time.Hour))
		}
		l, stop := runLog(b, db, &discard{}, LogOptions{})
		before := make(chan struct{})
		time.AfterFunc(alone, func() { close(before) })
		report(b, "alone", latencies(b, db, l, before), alone)

		during := make(chan struct{})
		began := time.Now()
		go func() {
			defer close(during)
			purge(b, db, time.Now(), keep)
			for countRows(b, db) > 0 { // a sweep ends after a while, and the next goes on
				purge(b, db, time.Now(), keep)
			}
		}()
		took := latencies(b, db, l, during)
		report(b, "purging", took, time.Since(began))
		b.ReportMetric(rooms*each/time.Since(began).Seconds(), "purged-rows/s")
		stop()
	}
}

func countRows(b *testing.B, db *DB) (left int) {
	b.Helper()
	if err := db.reader.scanning(b.Context())("SELECT count(*) FROM rooms WHERE id LIKE 'full%' AND floor_seq < head_seq - 8", nil, &left); err != nil {
		b.Error(err)
	}
	return left
}

// latencies sends until end is closed, and returns how long each message took.
func latencies(b *testing.B, db *DB, l *MessageLog, end <-chan struct{}) (all []time.Duration) {
	b.Helper()
	const senders, rooms = 100, 10
	var mu sync.Mutex
	var sending sync.WaitGroup
	for i := range senders {
		joinRoom(b, db, benchRoom(i%rooms), "owner")
		sending.Go(func() {
			var own []time.Duration
			for {
				select {
				case <-end:
					mu.Lock()
					all = append(all, own...)
					mu.Unlock()
					return
				default:
				}
				began := time.Now()
				if o := <-appendAsync(l, textDraft(benchRoom(i%rooms), biz.UserID(fmt.Sprint(i)), "", string(make([]byte, 128)))); o.err != nil {
					b.Error(o.err)
				}
				own = append(own, time.Since(began))
			}
		})
	}
	sending.Wait()
	slices.Sort(all)
	return all
}

func report(b *testing.B, phase string, took []time.Duration, within time.Duration) {
	b.Helper()
	b.ReportMetric(float64(len(took))/within.Seconds(), phase+"-msgs/s")
	for name, at := range map[string]int{"p50": 50, "p99": 99} {
		b.ReportMetric(float64(took[len(took)*at/100].Microseconds())/1000, phase+"-"+name+"-ms")
	}
	b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, phase+"-max-ms")
}
