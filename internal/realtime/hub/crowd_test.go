package hub_test

import (
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/hub"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/realtime/transport/transporttest"
)

// crowd is more sessions than are served at once.
const crowd = 40

// turns is a Waker whose channels have their turn when the test says so.
type turns struct {
	*session.Writer
	mu   sync.Mutex
	line []session.Fanout
}

// Fan implements hub.Waker.
func (w *turns) Fan(f session.Fanout) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.line = append(w.line, f)
}

func (w *turns) next() (spread int) {
	w.mu.Lock()
	line := w.line
	w.line = nil
	w.mu.Unlock()
	for _, f := range line {
		f.Spread()
	}
	return len(line)
}

// inTurn runs a test with a crowd on the channel "room".
func inTurn(t *testing.T, test func(t *testing.T, b *bench, w *turns, conns []*transporttest.Conn)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core := session.NewCore(session.Config{QueueBytes: 1 << 20}, slog.New(slog.DiscardHandler))
		w := &turns{Writer: core.Writer}
		b := &bench{hub.New(w, core.Log), core}
		defer b.write(t)()
		var conns []*transporttest.Conn
		for i := range crowd {
			s, conn := b.add(session.Options{ID: fmt.Sprint(i), User: fmt.Sprint("user", i), Replies: true})
			b.Subscribe(s, "room", nil, 0)
			conns = append(conns, conn)
		}
		test(t, b, w, conns)
	})
}

func (b *bench) publish(from, to int) {
	for i := from; i < to; i++ {
		b.Deliver(&frame.Publication{
			Channel: "room", Frame: frame.New(fmt.Sprint(i)), Origin: "7", Reply: frame.New(fmt.Sprint("reply ", i)),
		})
	}
}

func numbers(format string, from, to int) []string {
	texts := []string{}
	for i := from; i < to; i++ {
		texts = append(texts, fmt.Sprintf(format, i))
	}
	return texts
}

func TestACrowdGetsInOneGoWhatCameBeforeItsTurn(t *testing.T) {
	inTurn(t, func(t *testing.T, b *bench, w *turns, conns []*transporttest.Conn) {
		b.publish(0, 50)
		synctest.Wait()
		if got := conns[0].Texts(); len(got) != 0 {
			t.Errorf("got %q before its turn", got)
		}
		if n := w.next(); n != 1 {
			t.Errorf("the channel was put in line %d times", n)
		}
		synctest.Wait()
		for i, c := range conns {
			want := numbers("%d", 0, 50)
			if i == 7 {
				want = numbers("reply %d", 0, 50)
			}
			if got := c.Texts(); !slices.Equal(got, want) {
				t.Errorf("session %d got %q", i, got)
			}
			if c.Writes() != 1 {
				t.Errorf("session %d took %d writes", i, c.Writes())
			}
		}
		b.publish(50, 51)
		w.next()
		synctest.Wait()
		if got := conns[0].Texts(); !slices.Equal(got, numbers("%d", 0, 51)) {
			t.Errorf("got %q after another turn", got)
		}
	})
}

// TestWhoComesAndGoesSeesItsOwnTime lets a session come and one go while something waits.
func TestWhoComesAndGoesSeesItsOwnTime(t *testing.T) {
	inTurn(t, func(t *testing.T, b *bench, w *turns, conns []*transporttest.Conn) {
		b.publish(0, 3)
		late, conn := b.add(session.Options{ID: "late", User: "late"})
		b.Subscribe(late, "room", nil, 0)
		b.publish(3, 6)
		b.Unsubscribe(b.Session("0"), "room")
		b.publish(6, 9)
		w.next()
		synctest.Wait()
		for who, test := range map[string]struct {
			conn *transporttest.Conn
			want []string
		}{
			"who came":   {conn, numbers("%d", 3, 9)},
			"who left":   {conns[0], numbers("%d", 0, 6)},
			"who stayed": {conns[1], numbers("%d", 0, 9)},
		} {
			if got := test.conn.Texts(); !slices.Equal(got, test.want) {
				t.Errorf("%s got %q, want %q", who, got, test.want)
			}
		}
	})
}

// TestTooMuchDoesNotWaitForItsTurn publishes more than may wait.
func TestTooMuchDoesNotWaitForItsTurn(t *testing.T) {
	inTurn(t, func(t *testing.T, b *bench, _ *turns, conns []*transporttest.Conn) {
		b.publish(0, 1000)
		synctest.Wait()
		got := conns[0].Texts()
		if len(got) < 500 || !slices.Equal(got, numbers("%d", 0, len(got))) {
			t.Errorf("got %d without a turn, the last ones %q", len(got), got[max(0, len(got)-3):])
		}
		b.Spread()
		synctest.Wait()
		if got := conns[0].Texts(); !slices.Equal(got, numbers("%d", 0, 1000)) {
			t.Errorf("got %d in the end", len(got))
		}
	})
}
