package data

import (
	"fmt"
	"sync"
	"testing"

	"github.com/game-im/hermod/internal/biz"
)

// gatherer is a Deliverer that notes what came at once.
type gatherer struct {
	recorder
	mu    sync.Mutex
	times map[biz.RoomID]int
}

func (g *gatherer) DeliverAll(ds []*biz.Draft) {
	g.mu.Lock()
	g.times[ds[0].Room]++
	g.mu.Unlock()
	for _, d := range ds {
		g.Deliver(d)
	}
}

// TestWhatWasStoredTogetherIsDeliveredTogether: of one commit each room has its messages at once and in their order,
// and a refusal is answered at its place.
func TestWhatWasStoredTogetherIsDeliveredTogether(t *testing.T) {
	t.Parallel()
	const rooms, each = 3, 20
	db := openDB(t, t.TempDir())
	live := &gatherer{times: make(map[biz.RoomID]int)}
	l, err := NewMessageLog(db, live, LogOptions{Publishers: 2}, quiet())
	if err != nil {
		t.Fatal(err)
	}
	for r := range rooms {
		joinRoom(t, db, benchRoom(r), "u")
	}
	var mu sync.Mutex
	answers := make(map[biz.RoomID][]string)
	var answered sync.WaitGroup
	say := func(room biz.RoomID, id, text string) {
		answered.Add(1)
		l.Append(textDraft(room, "u", id, text), func(r biz.Receipt, err error) {
			defer answered.Done()
			mu.Lock()
			defer mu.Unlock()
			answers[room] = append(answers[room], fmt.Sprint(text, " ", r.Seq, " ", err == nil))
		})
	}
	var want []string
	for i := range each {
		for r := range rooms {
			say(benchRoom(r), fmt.Sprint(i), fmt.Sprint(i))
		}
		want = append(want, fmt.Sprint(i, " ", i+1, " true"))
	}
	say(benchRoom(0), "0", "another text for an id that is taken")
	say(benchRoom(0), "", "last")
	runUntil(t, l.Run)
	answered.Wait()
	for r := range rooms {
		times, more := 1, []string(nil)
		if r == 0 { // what is refused stands between
			times, more = 2, []string{"another text for an id that is taken 0 false", fmt.Sprint("last ", each+1, " true")}
		}
		live.mu.Lock()
		if n := live.times[benchRoom(r)]; n != times {
			t.Errorf("room %d: delivered in %d parts, want %d", r, n, times)
		}
		live.mu.Unlock()
		mu.Lock()
		if got, all := fmt.Sprint(answers[benchRoom(r)]), fmt.Sprint(append(want[:each:each], more...)); got != all {
			t.Errorf("room %d: answered %s, want %s", r, got, all)
		}
		mu.Unlock()
		for i, m := range live.delivered(benchRoom(r)) {
			if m.Seq != int64(i+1) {
				t.Errorf("room %d: message %d came as number %d", r, m.Seq, i+1)
			}
		}
	}
}
