package bench

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	openParallel = 32 // clients that connect at a time
	// sweepEvery is how often frames are acknowledged. With an ACK for each, ACKs would be what is
	// measured.
	sweepEvery = 20 * time.Millisecond
	// beatEvery is how often clients show that they are there: nodes want to hear from them every
	// 30 s, and are patient.
	beatEvery = 20 * time.Second
)

// fleet is all the clients of a run, and what they need while they are connected.
type fleet struct {
	load   *load
	dialer dialer
	stop   context.CancelFunc // of attend
	wg     sync.WaitGroup     // of readers and attend

	mu   sync.Mutex
	open []*client
}

// newFleet makes one that nobody has joined. Whoever made it closes it.
func newFleet(l *load) *fleet {
	f := &fleet{load: l, dialer: newDialer(l.plan)}
	ctx, stop := context.WithCancel(context.Background())
	f.stop = stop
	f.wg.Go(func() { f.attend(ctx) })
	return f
}

// connect opens a connection for each client and returns once the node has answered on all of them.
func (f *fleet) connect(ctx context.Context, clients []*client) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(openParallel)
	for i, c := range clients {
		if ctx.Err() != nil {
			break
		}
		group.Go(func() error {
			err := c.open(ctx, f.dialer, f.wg.Go)
			if c.link != nil {
				f.mu.Lock()
				f.open = append(f.open, c)
				f.mu.Unlock()
			}
			if err != nil {
				return fmt.Errorf("client %d of %d could not connect: %w", i+1, len(clients), err)
			}
			return nil
		})
	}
	return group.Wait()
}

// connected returns those who are, and those who have been.
func (f *fleet) connected() []*client {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.open)
}

// attend acknowledges for the clients and sends their heartbeats.
func (f *fleet) attend(ctx context.Context) {
	sweep, beat := time.NewTicker(sweepEvery), time.NewTicker(beatEvery)
	defer sweep.Stop()
	defer beat.Stop()
	for {
		var say func(speech) []byte
		select {
		case <-ctx.Done():
			return
		case <-sweep.C:
			if f.load.plan.Protocol == IM {
				continue // its clients have nothing to acknowledge
			}
			say = speech.acknowledge
		case <-beat.C:
			say = speech.beat
		}
		for _, c := range f.connected() {
			if b := say(c.speech); b != nil && !c.lost() {
				_ = c.link.send(b) // its reader is told when that fails
			}
		}
	}
}

// frames counts everything that all have received.
func (f *fleet) frames() int64 {
	n := int64(0)
	for _, c := range f.connected() {
		n += c.frames.Load()
	}
	return n
}

// quiet waits until nothing comes any more, such as notices of people joining, for at most limit.
func (f *fleet) quiet(ctx context.Context, limit time.Duration) {
	const silence = 300 * time.Millisecond
	last, since, deadline := int64(-1), time.Now(), time.Now().Add(limit)
	for ctx.Err() == nil && time.Now().Before(deadline) && time.Since(since) < silence {
		if n := f.frames(); n != last {
			last, since = n, time.Now()
		}
		pause(ctx, 10*time.Millisecond)
	}
}

// allLost tells whether there were connections and none is left.
func (f *fleet) allLost() bool {
	all := f.connected()
	return len(all) > 0 && !slices.ContainsFunc(all, func(c *client) bool { return !c.lost() })
}

// countLost counts the connections that have ended, by why. It is called before close, which ends the
// others.
func (f *fleet) countLost() {
	for _, c := range f.connected() {
		if c.cut = c.lost(); c.cut {
			f.load.tally.add(kindOf(c.err), 1, fmt.Sprintf("%s: %v", c.who.user, c.err))
		}
	}
}

// close ends all connections and waits for their readers, whose ledgers may be read then.
func (f *fleet) close() error {
	f.stop()
	for _, c := range f.connected() {
		c.link.close()
	}
	err := f.dialer.close()
	f.wg.Wait()
	for _, c := range f.connected() {
		c.end()
	}
	return err
}

// pause waits, and tells whether ctx goes on.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
