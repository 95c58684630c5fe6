// Package recording reads of an audio file what it is: its format, how long it lasts, and how loud it is
// from beginning to end.
//
// Files come from anybody. No length in a header is believed: what is read is bounded by the bytes that
// are there, what is held by constants of this package, and a fault in a decoder ends that one reading. All
// functions stop soon after their context has ended, and are safe for concurrent use.
//
// Decoders are libraries; containers that are a few fields (RIFF, the pages of Ogg) are read here, since
// the libraries for them take the memory that a header asks for.
package recording

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// Inspector is a biz.AudioInspector.
type Inspector struct{}

// errUnreadable is what readers of broken files answer beside the errors of their libraries.
var errUnreadable = errors.New("recording: the file is broken")

// format is how one kind of file is read.
type format struct {
	names []string // that clients may call it by; the first is its own
	// measure returns how long it lasts; nil: nobody here can tell.
	measure func(in *input) (time.Duration, error)
	// decode calls p.add with all samples; nil: nobody here can.
	decode func(in *input, p *peaks) error
}

// Inspect tells what a file of size bytes is. It says nothing of what it does not know: no format
// when nothing is recognised, no duration when the file is broken or of a kind that is not measured. The
// error is of reading, or of ctx.
func (Inspector) Inspect(ctx context.Context, r io.ReadSeeker, size int64) (biz.AudioFacts, error) {
	in := newInput(ctx, r, size)
	f, err := in.recognise()
	if err != nil || f == nil {
		return biz.AudioFacts{}, err
	}
	facts := biz.AudioFacts{Format: f.names[0], Names: f.names}
	if f.measure == nil {
		return facts, nil
	}
	d, err := guard(func() (time.Duration, error) { return f.measure(in) })
	if in.failed != nil {
		return facts, in.failed
	}
	if err == nil && d > 0 && plausible(d, size) {
		facts.Duration = d
	}
	return facts, nil
}

// leastBytes is what a second of speech takes at the very least: what claims to have less is a lie, or
// silence that nobody would send.
const leastBytes = 25

func plausible(d time.Duration, size int64) bool {
	return d.Seconds()*leastBytes <= float64(size)+leastBytes
}

// Waveform returns how loud each of 64 equal parts of a file is, the loudest of them 255. It returns nothing
// for a file that is not decoded here, is broken, or whose facts have no duration.
func (Inspector) Waveform(ctx context.Context, r io.ReadSeeker, size int64, facts biz.AudioFacts) ([]byte, error) {
	f := formatOf(facts.Format)
	if f == nil || f.decode == nil || facts.Duration <= 0 {
		return nil, nil
	}
	in, p := newInput(ctx, r, size), newPeaks(facts.Duration)
	_, err := guard(func() (struct{}, error) { return struct{}{}, f.decode(in, p) })
	if in.failed != nil {
		return nil, in.failed
	}
	if err != nil && p.seen == 0 {
		return nil, nil
	}
	return p.values(), nil // of a file that is cut off, as much as there is
}

// guard makes an error of a panic: decoders index what files tell them to.
func guard[T any](f func() (T, error)) (v T, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", errUnreadable, p)
		}
	}()
	return f()
}
