package session

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/transport"
)

var words = frame.NewFormat(frame.Encoders{
	Name: "words",
	Body: func(dst []byte, payload any) ([]byte, error) { return append(dst, payload.(string)...), nil },
})

// blocking is a connection whose writes wait until it is let go.
type blocking struct {
	mu   sync.Mutex
	got  []string
	gate chan struct{} // closed: nobody waits
}

func newBlocking() *blocking { return &blocking{gate: make(chan struct{})} }

func (*blocking) Read() ([]byte, error)      { return nil, io.EOF }
func (*blocking) Close(transport.Disconnect) {}

func (c *blocking) Write(out []transport.Outgoing) error {
	c.take(out)
	<-c.gate
	return nil
}

func (c *blocking) take(out []transport.Outgoing) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range out {
		c.got = append(c.got, string(o.Frame.Body()))
	}
}

func (c *blocking) texts() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.got
}

// eager is the same, and says so instead of waiting.
type eager struct {
	*blocking
	flushed int
}

func (c *eager) TryWrite(out []transport.Outgoing) (whole bool, err error) {
	c.take(out)
	select {
	case <-c.gate:
		return true, nil
	default:
		return false, nil
	}
}

func (c *eager) Flush() error {
	<-c.gate
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flushed++
	return nil
}

// running runs a writer of two workers.
func running(t *testing.T, test func(t *testing.T, core *Core)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core := NewCore(Config{QueueBytes: 1 << 20, StallTimeout: time.Hour}, slog.New(slog.DiscardHandler))
		core.Writer.base = 2
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- core.Writer.Run(ctx) }()
		test(t, core)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func open(core *Core, id string, conn transport.Conn) *Session {
	s := New(core, Options{ID: id, User: id, Format: words}, conn, time.Time{})
	s.Continue(conn)
	return s
}

func (w *Writer) staff() (workers, idle int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.workers, w.idle
}

// TestAStuckCrewIsReplacedAndItsSurplusEnds blocks many workers and lets them go again.
func TestAStuckCrewIsReplacedAndItsSurplusEnds(t *testing.T) {
	running(t, func(t *testing.T, core *Core) {
		const stuck = 100
		conns := make([]*blocking, stuck)
		for i := range conns {
			conns[i] = newBlocking()
			open(core, fmt.Sprint("stuck", i), conns[i]).Reply(frame.New("x"))
		}
		free := newBlocking()
		close(free.gate)
		open(core, "free", free).Reply(frame.New("x"))
		time.Sleep(10 * stallCheck)
		if len(free.texts()) != 1 {
			t.Errorf("%d stuck clients hold up another one for longer than %v", stuck, 10*stallCheck)
		}
		for _, c := range conns {
			close(c.gate)
		}
		time.Sleep(2 * stallCheck)
		synctest.Wait()
		if workers, idle := core.Writer.staff(); workers != 2 || idle != 2 {
			t.Errorf("%d workers are left, %d of them idle", workers, idle)
		}
	})
}

// TestASlowClientTakesNoWorker has more clients that take nothing at once than workers.
func TestASlowClientTakesNoWorker(t *testing.T) {
	running(t, func(t *testing.T, core *Core) {
		slow := make([]*eager, 10)
		sessions := make([]*Session, len(slow))
		for i := range slow {
			slow[i] = &eager{blocking: newBlocking()}
			sessions[i] = open(core, fmt.Sprint("slow", i), slow[i])
			sessions[i].Reply(frame.New("1"))
		}
		synctest.Wait()
		begun := time.Now()
		free := newBlocking()
		close(free.gate)
		open(core, "free", free).Reply(frame.New("x"))
		synctest.Wait()
		if len(free.texts()) != 1 || time.Since(begun) > 0 {
			t.Error("slow clients hold up another one")
		}
		for i, s := range sessions {
			s.Reply(frame.New("2"))
			synctest.Wait()
			if got := slow[i].texts(); len(got) != 1 {
				t.Fatalf("%q was written before the rest of what came first", got)
			}
			close(slow[i].gate)
			synctest.Wait()
			if got := slow[i].texts(); len(got) != 2 || got[1] != "2" || slow[i].flushed != 1 {
				t.Errorf("%q was written, and flushed %d times", got, slow[i].flushed)
			}
			select {
			case <-s.Drained():
			default:
				t.Error("the session is not at rest")
			}
		}
	})
}

type panics struct{}

func (panics) Spread() { panic("an encoder") }

func TestAFanoutThatPanicsEndsNobody(t *testing.T) {
	running(t, func(t *testing.T, core *Core) {
		for range 10 {
			core.Writer.Fan(panics{})
		}
		free := newBlocking()
		close(free.gate)
		open(core, "free", free).Reply(frame.New("x"))
		synctest.Wait()
		if len(free.texts()) != 1 {
			t.Error("the workers are gone")
		}
	})
}

// TestTheLineOfABusyWriterDoesNotGrow: it is as long as what waits in it, although it is never empty.
func TestTheLineOfABusyWriterDoesNotGrow(t *testing.T) {
	w := NewWriter(slog.New(slog.DiscardHandler))
	const waiting = 100
	sessions := make([]*Session, waiting)
	for i := range sessions {
		sessions[i] = &Session{}
	}
	w.Wake(sessions...)
	for i := range 100_000 {
		w.mu.Lock()
		next := w.takeLocked().session
		w.mu.Unlock()
		if next != sessions[i%waiting] {
			t.Fatalf("task %d is not the one whose turn it is", i)
		}
		w.Wake(next)
	}
	if n := cap(w.ready); n > 10*waiting {
		t.Errorf("there is room for %d tasks, and %d wait", n, waiting)
	}
}
