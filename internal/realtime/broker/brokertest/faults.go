package brokertest

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/game-im/hermod/internal/realtime/broker/cluster"
)

// Faults says how often a faulty bus does what. The rest comes as it was sent.
type Faults struct {
	Lose, Repeat, Delay float64       // of each message, 0 to 1; what is delayed is overtaken
	Most                time.Duration // that one is delayed
}

// harsh is what the suite injects: all four, often.
var harsh = Faults{Lose: 0.2, Repeat: 0.2, Delay: 0.4, Most: 50 * time.Millisecond}

// done counts what was done to messages.
type done struct{ lost, repeated, delayed atomic.Int64 }

// faulty is a bus that loses, repeats, delays and reorders what another one receives. Each receiver has
// its own faults.
type faulty struct {
	cluster.Bus
	faults Faults
	done   *done

	mu      sync.Mutex
	random  *rand.Rand
	pending sync.WaitGroup
}

func newFaulty(bus cluster.Bus, f Faults, seed uint64, d *done) *faulty {
	return &faulty{Bus: bus, faults: f, done: d, random: rand.New(rand.NewPCG(seed, seed))}
}

// Run implements cluster.Bus.
func (f *faulty) Run(ctx context.Context, sink cluster.Sink) error {
	defer f.pending.Wait()
	return f.Bus.Run(ctx, &faultySink{sink, f})
}

type faultySink struct {
	cluster.Sink
	*faulty
}

// Receive implements cluster.Sink.
func (f *faultySink) Receive(subject string, data []byte) {
	f.mu.Lock()
	what, how := f.random.Float64(), f.random.Float64()
	f.mu.Unlock()
	later := time.Duration(how * float64(f.faults.Most))
	switch {
	case what < f.faults.Lose:
		f.done.lost.Add(1)
	case what < f.faults.Lose+f.faults.Repeat:
		f.done.repeated.Add(1)
		f.Sink.Receive(subject, append([]byte(nil), data...))
		f.receiveAfter(later, subject, data)
	case what < f.faults.Lose+f.faults.Repeat+f.faults.Delay:
		f.done.delayed.Add(1)
		f.receiveAfter(later, subject, data)
	default:
		f.Sink.Receive(subject, data)
	}
}

func (f *faultySink) receiveAfter(d time.Duration, subject string, data []byte) {
	f.pending.Add(1)
	time.AfterFunc(d, func() {
		defer f.pending.Done()
		f.Sink.Receive(subject, data)
	})
}
