package session

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/transport/transporttest"
)

func encoded(t rapid.TB, text string) *frame.Encoded {
	t.Helper()
	e, err := frame.New(text).In(transporttest.Text)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestQueueAgainstModel drives a queue at random and compares it with slices that do the same.
func TestQueueAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var q queue
		var kept []string // unacknowledged, from number acked+1 on
		sent, acked, pushed := 0, 0, 0
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				text := fmt.Sprint("frame ", pushed)
				pushed++
				q.push(item{enc: encoded(t, text)})
				kept = append(kept, text)
			},
			"take": func(t *rapid.T) {
				n := rapid.IntRange(1, 5).Draw(t, "frames")
				got, first := q.take(nil, n, 1<<20, true)
				if want := uint64(acked + sent + 1); first != want {
					t.Fatalf("first number %d, want %d", first, want)
				}
				for i, it := range got {
					if want := kept[sent+i]; string(it.enc.Body()) != want {
						t.Fatalf("took %q, want %q", it.enc.Body(), want)
					}
				}
				if want := min(n, len(kept)-sent); len(got) != want {
					t.Fatalf("took %d, want %d", len(got), want)
				}
				sent += len(got)
			},
			"ack": func(t *rapid.T) {
				for range rapid.IntRange(0, sent).Draw(t, "frames") {
					if it := q.drop(); string(it.enc.Body()) != kept[0] {
						t.Fatalf("dropped %q, want %q", it.enc.Body(), kept[0])
					}
					kept = kept[1:]
					sent--
					acked++
				}
			},
			"rewind": func(t *rapid.T) {
				if again := q.rewind(); again != sent {
					t.Fatalf("rewound %d, want %d", again, sent)
				}
				sent = 0
			},
			"": func(t *rapid.T) {
				bytes := 0
				for _, text := range kept {
					bytes += encoded(t, text).Size()
				}
				if q.len() != len(kept) || q.unsent() != len(kept)-sent || q.bytes != bytes || q.lastSent() != uint64(acked+sent) {
					t.Fatalf("len %d unsent %d bytes %d last %d; want %d %d %d %d",
						q.len(), q.unsent(), q.bytes, q.lastSent(), len(kept), len(kept)-sent, bytes, acked+sent)
				}
			},
		})
	})
}

func TestAnEmptyQueueTakesAnyFrame(t *testing.T) {
	var q queue
	if !q.fits(1000, 10) {
		t.Error("a frame above the limit does not fit into an empty queue")
	}
	q.push(item{enc: encoded(t, "x")})
	if q.fits(1000, 10) {
		t.Error("a frame above the limit fits behind another")
	}
}

func TestAWriteIsBounded(t *testing.T) {
	var q queue
	for range 10 {
		q.push(item{enc: encoded(t, "0123456789")}) // 13 bytes as an item
	}
	if got, _ := q.take(nil, 100, 30, true); len(got) != 2 {
		t.Errorf("took %d frames of 13 bytes under a limit of 30", len(got))
	}
	if got, _ := q.take(nil, 100, 1, true); len(got) != 1 {
		t.Errorf("took %d frames under a limit of 1 byte, want one all the same", len(got))
	}
}

func TestAQueueAtRestHoldsNoBuffer(t *testing.T) {
	var q queue
	for range 1000 {
		q.push(item{enc: encoded(t, "x")})
	}
	for q.len() > 0 {
		q.take(nil, 64, 1<<20, false)
	}
	q.trim()
	if cap(q.items) > compactAt {
		t.Errorf("an empty queue keeps room for %d frames", cap(q.items))
	}
}
