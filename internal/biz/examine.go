package biz

import (
	"context"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// inspectTimeout bounds reading what a file is. What takes longer, from a store that is slow, is believed as declared.
	inspectTimeout = 10 * time.Second
	// waveformPatience is how long an upload waits for its waveform; it is kept all the same when it comes later.
	waveformPatience = time.Second
	// waveformTimeout is how long making one may take: some ten minutes of Opus, more of what is simpler.
	waveformTimeout = 20 * time.Second
	// maxWaveforms bounds those that wait for their turn; beyond it recordings have none.
	maxWaveforms = 256
)

// examine compares what an upload was declared to be with what it is. Where the file says nothing, or cannot
// be read now, the declaration stands; a length that differs is corrected.
func (a *Audios) examine(ctx context.Context, audio *Audio) (AudioFacts, error) {
	ctx, cancel := context.WithTimeout(ctx, inspectTimeout)
	defer cancel()
	r, err := a.stores.Blobs.Open(ctx, string(audio.ID))
	if err != nil {
		return AudioFacts{}, err
	}
	defer func() { _ = r.Close() }() // it was only read
	facts, err := a.stores.Inspector.Inspect(ctx, r, audio.Size)
	if err != nil {
		a.log.Warn("an upload is kept as it was declared, since it could not be read", "audio", audio.ID, "error", err)
		return facts, nil
	}
	switch {
	case facts.Format != "" && !slices.Contains(facts.Names, audio.Format):
		return facts, Errorf(KindInvalid, "AUDIO_FORMAT", "format %s was declared and the file is %s; declare it as %s",
			audio.Format, facts.Format, strings.Join(facts.Names, " or "))
	case facts.Duration > maxRecording:
		return facts, Errorf(KindInvalid, "AUDIO_DURATION", "the recording lasts %s; %s are allowed",
			facts.Duration.Round(time.Second), maxRecording)
	}
	if slices.Contains(a.rules.Load().Formats, facts.Format) { // which says more than, for example, ogg
		audio.Format = facts.Format
	}
	if facts.Duration > 0 {
		audio.Duration, audio.Measured = facts.Duration.Round(time.Microsecond), true
	}
	return facts, nil
}

// waveforms makes those of new recordings, in the background and half of the machine's processors at a
// time. Safe for concurrent use.
type waveforms struct {
	stores  AudioStores
	log     *slog.Logger
	ctx     context.Context //nolint:containedctx // of all that run, until stop
	cancel  context.CancelFunc
	slots   chan struct{}
	mu      sync.Mutex // guards the beginning of one against stop
	running sync.WaitGroup
	waiting atomic.Int32
}

func newWaveforms(stores AudioStores, log *slog.Logger) *waveforms {
	w := &waveforms{stores: stores, log: log, slots: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	return w
}

// stop ends those that run and waits for them.
func (w *waveforms) stop() {
	w.mu.Lock()
	w.cancel()
	w.mu.Unlock()
	w.running.Wait()
}

// drawing is a waveform in the making.
type drawing struct {
	done   chan struct{} // closed when values is set
	values string
	kept   chan bool // whether the recording was kept without it
}

// begin makes a recording's waveform, unless too many wait. It returns nil when there will be none.
func (w *waveforms) begin(audio Audio, facts AudioFacts) *drawing {
	w.mu.Lock()
	defer w.mu.Unlock()
	if facts.Duration <= 0 || w.ctx.Err() != nil || w.waiting.Load() >= maxWaveforms {
		return nil
	}
	w.waiting.Add(1)
	d := &drawing{done: make(chan struct{}), kept: make(chan bool, 1)}
	w.running.Go(func() {
		defer w.waiting.Add(-1)
		w.run(audio, facts, d)
	})
	return d
}

func (w *waveforms) run(audio Audio, facts AudioFacts, d *drawing) {
	d.values = w.draw(audio, facts)
	close(d.done)
	if !<-d.kept || d.values == "" {
		return
	}
	if err := w.stores.Upkeep.SetWaveform(w.ctx, audio.ID, d.values); err != nil && w.ctx.Err() == nil {
		w.log.Warn("a waveform could not be kept", "audio", audio.ID, "error", err)
	}
}

func (w *waveforms) draw(audio Audio, facts AudioFacts) string {
	select {
	case w.slots <- struct{}{}:
		defer func() { <-w.slots }()
	case <-w.ctx.Done():
		return ""
	}
	ctx, cancel := context.WithTimeout(w.ctx, waveformTimeout)
	defer cancel()
	r, err := w.stores.Blobs.Open(ctx, string(audio.ID))
	if err != nil {
		return "" // it was refused or deleted meanwhile, or the store says so elsewhere
	}
	defer func() { _ = r.Close() }() // it was only read
	values, err := w.stores.Inspector.Waveform(ctx, r, audio.Size, facts)
	if err != nil {
		w.log.Debug("a recording has no waveform", "audio", audio.ID, "error", err)
		return ""
	}
	return string(values)
}

// within waits a moment for the waveform, empty when it is not there by then.
func (d *drawing) within(ctx context.Context, patience time.Duration) string {
	if d == nil {
		return ""
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-d.done:
		return d.values
	case <-timer.C:
	case <-ctx.Done():
	}
	return ""
}

// without tells what to do with a waveform that comes late: late is whether the recording was kept
// without it. It is called once.
func (d *drawing) without(late bool) {
	if d != nil {
		d.kept <- late
	}
}
