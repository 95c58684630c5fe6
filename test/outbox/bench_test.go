package outbox

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/game-im/hermod/sdk/outbox"
)

// BenchmarkOutbox takes orders, each in a transaction with a message, and then has one relay deliver the messages to a node: how fast
// each of the two is, with all messages in one room, which are sent one behind the other, and in 64 rooms.
func BenchmarkOutbox(b *testing.B) {
	for driver := range dialectors {
		for _, rooms := range []int{1, 64} {
			b.Run(fmt.Sprint(driver, "/rooms=", rooms), func(b *testing.B) { benchmark(b, newScene(b, driver), rooms) })
		}
	}
}

func benchmark(b *testing.B, s *scene, rooms int) {
	b.Helper()
	const orders, writers = 5000, 16
	for room := range rooms {
		s.join(fmt.Sprint("room ", room), "ann")
	}
	var adding, delivering time.Duration
	b.ResetTimer()
	for round := 0; b.Loop(); round++ {
		began := time.Now()
		var all sync.WaitGroup
		for w := range writers {
			all.Go(func() {
				for n := w; n < orders; n += writers {
					if err := order(s.db, s.box, round*orders+n, nil, text(fmt.Sprint("room ", n%rooms), "ann", "an order of a buyer is in")); err != nil {
						b.Error(err)
					}
				}
			})
		}
		all.Wait()
		adding += time.Since(began)
		began = time.Now()
		left := make(chan outbox.End, orders)
		_, stop := s.relay(outbox.Options{OnEnd: func(e outbox.End) { left <- e }})
		for range orders {
			if e := <-left; e.Result != outbox.Sent {
				b.Fatalf("%+v has left; want it sent", e)
			}
		}
		delivering += time.Since(began)
		stop()
	}
	items := float64(b.N * orders)
	b.ReportMetric(items/adding.Seconds(), "added/s")
	b.ReportMetric(items/delivering.Seconds(), "delivered/s")
	b.ReportMetric(0, "ns/op")
}
