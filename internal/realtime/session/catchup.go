package session

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/transport"
)

const (
	catchers    = 4   // logs read at once on a node
	pageEntries = 256 // entries of one page
	retryAfter  = 500 * time.Millisecond
)

// Catcher reads the log for sessions that are behind, a page at a time each in turn, so that a
// long backlog does not hold up the others. A session whose queue is half full waits until it has
// drained: the log is read as fast as the client reads.
type Catcher struct {
	log     *slog.Logger
	mu      sync.Mutex
	wake    sync.Cond
	ready   []*Session
	stopped bool
	outage  outage
}

// outage is that logs cannot be read, as it is told in the node's own log: once, however many sessions are tried for
// however often, and once more when all of them that are still behind have been read. It is under Catcher.mu.
type outage struct {
	told    bool
	failed  int                   // tries since it was told
	without map[*Session]struct{} // for whom the last try failed
}

// NewCatcher returns a Catcher without goroutines; Run starts them.
func NewCatcher(log *slog.Logger) *Catcher {
	c := &Catcher{log: log, outage: outage{without: make(map[*Session]struct{})}}
	c.wake.L = &c.mu
	return c
}

// Wake hands over a session that is behind. It does not block.
func (c *Catcher) Wake(s *Session) {
	c.mu.Lock()
	c.ready = append(c.ready, s)
	c.mu.Unlock()
	c.wake.Signal()
}

// Run works until ctx ends, which also cancels what is being read.
func (c *Catcher) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		c.mu.Lock()
		c.stopped = true
		c.mu.Unlock()
		c.wake.Broadcast()
	})
	defer stop()
	var wg sync.WaitGroup
	for range catchers {
		wg.Go(func() { c.work(ctx) })
	}
	wg.Wait()
	return nil
}

func (c *Catcher) work(ctx context.Context) {
	for {
		s := c.next()
		if s == nil {
			return
		}
		again, err := s.catchUp(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			s.core.Metrics.BacklogErrors.Inc()
			c.failed(s, err)
			time.AfterFunc(retryAfter, func() { c.Wake(s) })
		case err == nil:
			c.succeeded(s, again)
			if again {
				c.Wake(s)
			}
		}
	}
}

func (c *Catcher) failed(s *Session, err error) {
	c.mu.Lock()
	o := &c.outage
	o.without[s] = struct{}{}
	o.failed++
	news := !o.told
	o.told = true
	c.mu.Unlock()
	if news {
		c.log.Warn("a backlog cannot be read; trying again, for this session and others", "session", s.ID, "error", err)
	}
}

// succeeded follows what was no failure. That nothing was read, since the session is behind no longer or gone, does not
// say that the log is there.
func (c *Catcher) succeeded(s *Session, read bool) {
	c.mu.Lock()
	o := &c.outage
	if !o.told {
		c.mu.Unlock()
		return
	}
	delete(o.without, s)
	over := read && len(o.without) == 0
	failed := o.failed
	if over {
		o.told, o.failed = false, 0
	}
	c.mu.Unlock()
	if over {
		c.log.Info("backlogs are read again", "failures", failed)
	}
}

func (c *Catcher) next() *Session {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.ready) == 0 {
		if c.stopped {
			return nil
		}
		c.wake.Wait()
	}
	if c.stopped {
		return nil
	}
	s := c.ready[0]
	c.ready[0] = nil
	c.ready = c.ready[1:]
	return s
}

// catchUpLocked sees to it that the session is read for, if it is behind and has room.
func (s *Session) catchUpLocked() {
	if s.catching || len(s.behind) == 0 || !s.roomyLocked() {
		return
	}
	s.catching = true
	s.core.Catcher.Wake(s)
}

// roomyLocked leaves half of the queue for what has no log to be read from.
func (s *Session) roomyLocked() bool {
	return s.state == Active && s.queue.bytes < s.core.queueBytes()/2
}

// catchUp reads one page for the first subscription that is behind, and tells whether there is
// more to do now.
func (s *Session) catchUp(ctx context.Context) (again bool, err error) {
	s.mu.Lock()
	if len(s.behind) == 0 || !s.roomyLocked() {
		s.catching = false
		s.mu.Unlock()
		return false, nil
	}
	sub := s.behind[0]
	after := sub.next - 1
	s.mu.Unlock()

	page, err := sub.source.Page(ctx, after, pageEntries)
	if err != nil {
		return false, s.cannotCatchUp(err)
	}
	if len(page) == 0 {
		if sub.channel.TryLive(sub) {
			s.core.Metrics.CaughtUp.Inc()
			s.mu.Lock()
			s.unread = time.Time{}
			s.notBehindLocked(sub)
			wake := s.letGoLocked()
			s.mu.Unlock()
			if wake {
				s.core.Writer.Wake(s)
			}
		}
		return true, nil
	}
	s.mu.Lock()
	s.unread = time.Time{}
	wake := !sub.gone && s.queuePageLocked(sub, page)
	s.mu.Unlock()
	if wake {
		s.core.Writer.Wake(s)
	}
	return true, nil
}

// queuePageLocked queues what there is room for; the rest is read again later.
func (s *Session) queuePageLocked(sub *Subscription, page []Entry) (wake bool) {
	for _, e := range page {
		if e.Seq < sub.next || sub.live {
			continue
		}
		if e.Frame == nil || sub.repliedLocked(e.Seq) && !e.Gap {
			sub.next = e.Seq + 1
			s.passLocked(sub, e.Seq)
			continue
		}
		if !s.roomyLocked() {
			break
		}
		sub.next = e.Seq + 1
		wake = s.readLocked(item{sub: sub, seq: e.Seq, required: e.AckRequired}, e.Frame) || wake
	}
	return wake
}

// readLocked queues a frame that was read from the log. Where there is room to read, it goes in whatever its size: to
// wait until it fits, the log would be read over and over, and in a session that is never at rest a large one would
// wait for ever.
func (s *Session) readLocked(it item, f *frame.Frame) (wake bool) {
	enc, err := f.In(s.format)
	if err != nil {
		s.cannotEncode(err)
		return false
	}
	it.enc = enc
	s.queue.push(it)
	return s.wakeLocked()
}

// cannotCatchUp closes the connection when the log has been out of reach for so long that the
// client, which cannot be told of the gap otherwise, would take silence for completeness.
func (s *Session) cannotCatchUp(err error) error {
	s.mu.Lock()
	if s.unread.IsZero() {
		s.unread = time.Now()
	}
	tooLong := s.state == Active && time.Since(s.unread) > s.core.Config().StallTimeout
	s.mu.Unlock()
	if tooLong {
		s.Disconnect(transport.StoreGone)
	}
	return err
}
