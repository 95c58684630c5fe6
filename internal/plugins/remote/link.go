package remote

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"google.golang.org/grpc"

	pluginv1 "github.com/game-im/hermod/api/plugin/v1"
	"github.com/game-im/hermod/internal/plugins/frames"
)

var (
	errAway = errors.New("its process is not there")
	errFull = fmt.Errorf("it has %d calls unanswered", frames.MaxUnanswered)
)

// maxGivenUp is how many calls may be without an answer that nobody waits for any more: with so many the
// plugin hangs, or forgets them.
const maxGivenUp = frames.MaxUnanswered / 2

// A plugin that says nothing for silentFor, while silentCalls are given up, hangs or is out of reach: with few calls it would take hours until it owes
// maxGivenUp.
const (
	silentFor   = 30 * time.Second
	silentCalls = 5
)

// stream is what a link sends and receives on.
type stream = grpc.BidiStreamingClient[pluginv1.NodeFrame, pluginv1.PluginFrame]

// link is one connection to a plugin that has said what it can do. Safe for concurrent use.
type link struct {
	out  *frames.Queue
	done chan struct{} // closed when it has failed

	mu      sync.Mutex
	last    uint64                           // the id of the latest call
	waiting map[uint64]chan *pluginv1.Answer // by id; nil: nobody waits for it any more
	givenUp int                              // how many are nil
	asked   time.Time                        // when it was asked first since it has said something last; zero: it was not
	unheard int                              // calls that were given up since then
	err     error
}

func newLink() *link {
	return &link{out: frames.NewQueue(), done: make(chan struct{}), waiting: map[uint64]chan *pluginv1.Answer{}}
}

// ask makes a call, which is the link's from then on, and waits for its answer until ctx is done.
func (l *link) ask(ctx context.Context, c *pluginv1.Call) (*pluginv1.Answer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if at, ok := ctx.Deadline(); ok {
		c.TimeoutMs = patience(time.Until(at))
	}
	answered := make(chan *pluginv1.Answer, 1)
	if err := l.enter(c, answered); err != nil {
		return nil, err
	}
	item, err := frames.Asked(c)
	if err != nil {
		l.forget(c.GetId())
		return nil, err
	}
	l.out.Put(item)
	select {
	case a := <-answered:
		return a, nil
	case <-l.done:
		return nil, l.failure()
	case <-ctx.Done():
		l.giveUp(c.GetId())
		return nil, ctx.Err()
	}
}

// patience is a time on the wire, where 0 would mean that there is no end.
func patience(d time.Duration) uint32 {
	return uint32(max(d.Round(time.Millisecond), time.Millisecond) / time.Millisecond) //nolint:gosec // the deadlines of calls are minutes
}

// enter gives a call its id.
func (l *link) enter(c *pluginv1.Call, answered chan *pluginv1.Answer) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.err != nil:
		return l.err
	case len(l.waiting) >= frames.MaxUnanswered:
		return errFull
	}
	l.last++
	c.Id = l.last
	if l.asked.IsZero() {
		l.asked = time.Now()
	}
	l.waiting[c.Id] = answered
	return nil
}

// forget undoes a call that was not made.
func (l *link) forget(id uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.waiting, id)
}

// giveUp tells the plugin that nobody waits for a call any more, unless it is answered already. It is in
// the table until it is answered.
func (l *link) giveUp(id uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.waiting[id] == nil || l.err != nil {
		return
	}
	l.waiting[id] = nil
	l.out.Put(frames.Cancelled(id))
	l.givenUp++
	l.unheard++
	if silence := time.Since(l.asked); l.givenUp >= maxGivenUp {
		l.failLocked(fmt.Errorf("it has not answered %d calls that were given up", l.givenUp))
	} else if l.unheard >= silentCalls && silence >= silentFor {
		l.failLocked(fmt.Errorf("it has said nothing for %s, while %d calls were given up", silence.Round(time.Second), l.unheard))
	}
}

// take hands out the answers of a frame. An error is a fault of the plugin's, with which it cannot go on.
func (l *link) take(f *pluginv1.PluginFrame) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked, l.unheard = time.Time{}, 0
	for _, a := range f.GetAnswers() {
		to, ok := l.waiting[a.GetId()]
		if !ok {
			return fmt.Errorf("it has answered call %d, which has no answer to come", a.GetId())
		}
		delete(l.waiting, a.GetId())
		if to == nil {
			l.givenUp--
			continue
		}
		to <- a
	}
	return nil
}

// fail ends the link, and all calls with it, for the first reason that is given.
func (l *link) fail(why error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failLocked(why)
}

func (l *link) failLocked(why error) {
	if l.err == nil {
		l.err = why
		close(l.done)
	}
}

func (l *link) failure() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// read hands out what comes until the stream ends, and returns why it has.
func (l *link) read(st stream) {
	for {
		f, err := st.Recv()
		if err == nil {
			err = l.take(f)
		}
		if err != nil {
			l.fail(err)
			return
		}
	}
}

// write sends what waits until the link has failed.
func (l *link) write(st stream) {
	var frame frames.Frame
	for {
		select {
		case <-l.out.More():
		case <-l.done:
			return
		}
		runtime.Gosched() // whoever is about to ask goes into the same frame
		frame = l.out.Take(frame)
		if len(frame) == 0 {
			continue
		}
		if st.SendMsg(frame) != nil {
			return // the reader is told why
		}
	}
}
