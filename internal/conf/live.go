package conf

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// When a running node looks at its sources.
const (
	// quiet is how long nothing must have changed before the sources are read: an editor and a
	// volume that is updated change several things in a row.
	quiet = 200 * time.Millisecond
	// mostQuiet bounds the wait for that, where something changes all the time.
	mostQuiet = 2 * time.Second
	// pollEvery is for what no watch has told of, and finds out that a source does not answer.
	pollEvery = 15 * time.Second
)

// Live keeps the configuration of a running node current. It reads everything again when a source
// has changed or somebody asks; refuses what is wrong, and then the node runs on with what it has;
// hands on the keys that take effect at once; and remembers which ones wait for a restart.
//
// Run belongs to one goroutine. The other methods are safe for concurrent use.
type Live struct {
	set     Set
	log     *slog.Logger
	metrics liveMetrics
	woken   chan struct{}
	asked   chan struct{}

	// Of the goroutine that runs.
	started *Config
	running *Config
	swaps   func(plugin string) bool
	seen    string // the fingerprint of what was read last
	refused bool   // that was wrong
	told    string // what the log has of it
	away    bool   // a source does not answer

	mu      sync.Mutex
	waiting []Change
}

// NewLive returns what keeps a node current that starts with m, which was loaded from set.
func NewLive(set Set, m *Merged, log *slog.Logger) *Live {
	l := &Live{
		set: set, log: log, started: m.Config, running: m.Config, seen: m.fingerprint, metrics: newLiveMetrics(),
		woken: make(chan struct{}, 1), asked: make(chan struct{}, 1),
	}
	l.metrics.loaded.SetToCurrentTime()
	return l
}

// Reload asks for reading everything again, even if nothing seems to have changed. It does not wait.
func (l *Live) Reload() { poke(l.asked) }

// Waiting returns the keys that wait for a restart, sorted.
func (l *Live) Waiting() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	paths := make([]string, len(l.waiting))
	for i, c := range l.waiting {
		paths[i] = c.Path
	}
	slices.Sort(paths)
	return paths
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Run watches the sources until ctx ends. apply is given every configuration that differs from the
// one before in keys that take effect at once, and in none that do not; the one that the node runs with as well when
// somebody has asked, for what could not be done before. swaps tells which plugins take keys of their own at once.
func (l *Live) Run(ctx context.Context, apply func(*Config), swaps func(plugin string) bool) error {
	l.swaps = swaps
	var watches sync.WaitGroup
	defer watches.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for _, s := range l.set.Sources {
		watches.Go(func() { s.Watch(ctx, func() { poke(l.woken) }) })
	}
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		asked := false
		select {
		case <-ctx.Done():
			return nil
		case <-l.asked:
			asked = true
		case <-l.woken:
			l.settle(ctx)
		case <-tick.C:
		}
		l.check(ctx, asked, apply)
	}
}

// settle waits until nothing has changed for a moment.
func (l *Live) settle(ctx context.Context) {
	end := time.After(mostQuiet)
	for {
		select {
		case <-l.woken:
		case <-time.After(quiet):
			return
		case <-end:
			return
		case <-ctx.Done():
			return
		}
	}
}

func (l *Live) check(ctx context.Context, asked bool, apply func(*Config)) {
	docs, err := l.set.read(ctx)
	var problems Problems
	if err != nil && !errors.As(err, &problems) {
		if ctx.Err() == nil {
			l.lost(err)
		}
		return
	}
	if l.away {
		l.away = false
		l.log.Info("configuration: every source answers again")
	}
	read := fingerprint(docs, problems)
	if read != l.seen || asked {
		l.told = ""
	} else if !l.refused { // what was refused may have lacked a file that is there by now
		return
	}
	l.seen = read
	next, err := l.set.merge(docs, problems)
	if err != nil {
		l.refuse(err)
		return
	}
	l.take(next.Config, asked, apply)
}

// lost says once that a source is away.
func (l *Live) lost(err error) {
	l.metrics.reloads.WithLabelValues("unreachable").Inc()
	if !l.away {
		l.log.Warn("the running configuration stays: a source does not answer", "error", err)
	}
	l.away = true
}

// refuse says what is wrong with a version, and again when it is something else or somebody asks.
func (l *Live) refuse(err error) {
	l.refused = true
	if l.told == err.Error() {
		return
	}
	l.told = err.Error()
	l.metrics.reloads.WithLabelValues("refused").Inc()
	l.log.Error("the running configuration stays: the new one is wrong", "error", err)
}

func (l *Live) take(next *Config, asked bool, apply func(*Config)) {
	running, changes := blend(l.running, l.started, next, l.swaps)
	if err := newProblems(l.running, running); err != nil {
		l.refuse(err)
		return
	}
	if len(changes) == 0 && (asked || l.refused) {
		l.log.Info("configuration read again: it is the one that the node runs with")
	}
	l.refused = false
	l.apply(running, changes, asked, apply)
	waiting := l.wait(changes)
	l.metrics.loaded.SetToCurrentTime()
	l.metrics.waiting.Set(float64(waiting))
	if waiting > 0 {
		l.metrics.reloads.WithLabelValues("waiting").Inc()
	} else {
		l.metrics.reloads.WithLabelValues("applied").Inc()
	}
}

// newProblems tells what the new values break in combination with those that wait for a restart.
// What was wrong before, such as a key file that is gone, is not their fault.
func newProblems(before, after *Config) error {
	known := inspect(before)
	return slices.DeleteFunc(inspect(after), func(p Problem) bool { return slices.Contains(known, p) }).err()
}

func (l *Live) apply(running *Config, changes []Change, asked bool, apply func(*Config)) {
	changes = slices.DeleteFunc(slices.Clone(changes), func(c Change) bool { return !c.Live })
	if len(changes) == 0 {
		if asked {
			apply(l.running)
		}
		return
	}
	tell := func() {
		for _, c := range changes {
			l.log.Info("configuration changed", "key", c.Path, "old", c.Old, "new", c.New)
		}
	}
	// The level of the log may be among them: it must not swallow the line that tells of it.
	told := l.log.Enabled(context.Background(), slog.LevelInfo)
	if told {
		tell()
	}
	apply(running)
	l.running = running
	if !told {
		tell()
	}
}

// wait remembers what waits for a restart, says so of what did not wait before, and returns the
// number of keys.
func (l *Live) wait(changes []Change) int {
	changes = slices.DeleteFunc(changes, func(c Change) bool { return c.Live })
	slices.SortFunc(changes, func(a, b Change) int { return cmp.Compare(a.Path, b.Path) })
	l.mu.Lock()
	before := l.waiting
	l.waiting = changes
	l.mu.Unlock()
	for _, c := range changes {
		known := slices.ContainsFunc(before, func(b Change) bool { return b.Path == c.Path && b.next.Equal(c.next) })
		if !known {
			l.log.Warn("configuration changed, and waits for a restart", "key", c.Path, "old", c.Old, "new", c.New)
		}
	}
	return len(changes)
}
