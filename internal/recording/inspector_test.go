package recording_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/recording"
)

// files are two seconds of a tone, the second of them eight times as loud.
var files = map[string]struct {
	format   string
	measured bool
	decoded  bool
}{
	"opus.ogg":   {"opus", true, true},
	"vorbis.ogg": {"vorbis", true, true},
	"vbr.mp3":    {"mp3", true, true},
	"cbr.mp3":    {"mp3", true, true},
	"tone.wav":   {"wav", true, true},
	"tone24.wav": {"wav", true, true},
	"float.wav":  {"wav", true, true},
	"mulaw.wav":  {"wav", true, false},
	"tone.m4a":   {"m4a", true, false},
	"frag.m4a":   {"m4a", true, false},
	"tone.aac":   {"aac", false, false},
	"tone.webm":  {"webm", false, false},
	"tone.flac":  {"flac", false, false},
}

func file(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func inspect(t testing.TB, b []byte) biz.AudioFacts {
	t.Helper()
	facts, err := recording.Inspector{}.Inspect(t.Context(), bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return facts
}

func waveform(t testing.TB, b []byte, facts biz.AudioFacts) []byte {
	t.Helper()
	w, err := recording.Inspector{}.Waveform(t.Context(), bytes.NewReader(b), int64(len(b)), facts)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestFormatAndDurationAreRead(t *testing.T) {
	t.Parallel()
	for name, want := range files {
		facts := inspect(t, file(t, name))
		if facts.Format != want.format || !slices.Contains(facts.Names, want.format) {
			t.Errorf("%s is %q, %v", name, facts.Format, facts.Names)
		}
		switch off := math.Abs(facts.Duration.Seconds() - 2); {
		case want.measured && off > 0.15:
			t.Errorf("%s lasts %s", name, facts.Duration)
		case !want.measured && facts.Duration != 0:
			t.Errorf("%s lasts %s, which nobody can know", name, facts.Duration)
		}
	}
}

func TestWaveformIsHeard(t *testing.T) {
	t.Parallel()
	for name, want := range files {
		b := file(t, name)
		w := waveform(t, b, inspect(t, b))
		if !want.decoded {
			if w != nil {
				t.Errorf("%s: %v", name, w)
			}
			continue
		}
		if len(w) != 64 || slices.Max(w) != 255 {
			t.Errorf("%s: %v", name, w)
			continue
		}
		for i, v := range w {
			quiet := i > 3 && i < 29 // apart from where it begins and where it turns
			loud := i > 35 && i < 60
			if quiet && (v < 10 || v > 80) || loud && v < 180 {
				t.Errorf("%s: part %d is %d", name, i, v)
			}
		}
	}
}

func TestSilenceIsNoLoudness(t *testing.T) {
	t.Parallel()
	b := file(t, "tone.wav")
	clear(b[44:])
	if w := waveform(t, b, inspect(t, b)); !bytes.Equal(w, make([]byte, 64)) {
		t.Errorf("got %v", w)
	}
}

func TestUnknownIsNothing(t *testing.T) {
	t.Parallel()
	for _, b := range [][]byte{nil, {0}, []byte("0123456789"), bytes.Repeat([]byte("x"), 1<<20), {0xff, 0xfb}, bytes.Repeat([]byte{0xff}, 5000), []byte("ID3")} {
		if facts := inspect(t, b); facts.Format != "" || facts.Names != nil || facts.Duration != 0 {
			t.Errorf("%.10q is %+v", b, facts)
		}
	}
}

// TestLengthsInHeadersAreNotBelieved: what a file says is bounded by what is there.
func TestLengthsInHeadersAreNotBelieved(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		file   string
		change func(b []byte) []byte
		least  time.Duration
		most   time.Duration
	}{
		"wav: endless":         {"tone.wav", func(b []byte) []byte { copy(b[40:], "\xff\xff\xff\xff"); return b }, 1900 * time.Millisecond, 2100 * time.Millisecond},
		"wav: never finished":  {"tone.wav", func(b []byte) []byte { clear(b[40:44]); return b }, 1900 * time.Millisecond, 2100 * time.Millisecond},
		"wav: a byte a second": {"tone.wav", func(b []byte) []byte { copy(b[28:], "\x01\x00\x00\x00"); return b }, 1900 * time.Millisecond, 2100 * time.Millisecond},
		"wav: cut off":         {"tone.wav", func(b []byte) []byte { return b[:16044] }, 900 * time.Millisecond, 1100 * time.Millisecond},
		"opus: cut off":        {"opus.ogg", func(b []byte) []byte { return b[:len(b)/2] }, 300 * time.Millisecond, 1500 * time.Millisecond},
		"vorbis: cut off":      {"vorbis.ogg", func(b []byte) []byte { return b[:len(b)*9/10] }, 0, 2100 * time.Millisecond},
		"mp3: cut off":         {"cbr.mp3", func(b []byte) []byte { return b[:len(b)/2] }, 900 * time.Millisecond, 1200 * time.Millisecond},
		"m4a: cut off":         {"tone.m4a", func(b []byte) []byte { return b[:len(b)/2] }, 0, 0},
		"m4a: a year": {"tone.m4a", func(b []byte) []byte {
			at := bytes.Index(b, []byte("mvhd")) + 20
			copy(b[at:], "\x7f\xff\xff\xff")
			return b
		}, 0, 0},
		"opus: a year": {"opus.ogg", func(b []byte) []byte {
			at := bytes.LastIndex(b, []byte("OggS")) + 6
			copy(b[at:], "\xff\xff\xff\xff\xff\x0f\x00\x00")
			return b
		}, 1900 * time.Millisecond, 2100 * time.Millisecond},
		"vorbis: a year": {"vorbis.ogg", func(b []byte) []byte {
			at := bytes.LastIndex(b, []byte("OggS")) + 6
			copy(b[at:], "\xff\xff\xff\xff\xff\x0f\x00\x00")
			return b
		}, 0, 10 * time.Second},
		"mp3: a tag of 256 MB": {"cbr.mp3", func(b []byte) []byte { return append([]byte("ID3\x04\x00\x00\x7f\x7f\x7f\x7f"), b...) }, 0, 0},
	} {
		b := test.change(file(t, test.file))
		facts := inspect(t, b)
		if facts.Duration < test.least || facts.Duration > test.most {
			t.Errorf("%s: lasts %s", name, facts.Duration)
		}
		waveform(t, b, facts)
	}
}

func TestTagsAreSkipped(t *testing.T) {
	t.Parallel()
	tag := append([]byte("ID3\x04\x00\x00\x00\x00\x10\x00"), bytes.Repeat([]byte{0xff, 0xfb}, 1024)...)
	for name, format := range map[string]string{"cbr.mp3": "mp3", "tone.aac": "aac", "tone.flac": "flac"} {
		facts := inspect(t, append(slices.Clone(tag), file(t, name)...))
		if facts.Format != format || format == "mp3" && math.Abs(facts.Duration.Seconds()-2) > 0.15 {
			t.Errorf("%s: %+v", name, facts)
		}
	}
}

// stalled is a file whose reading ends a context.
type stalled struct {
	io.ReadSeeker
	cancel context.CancelFunc
	after  int
}

func (s *stalled) Read(p []byte) (int, error) {
	if s.after--; s.after < 0 {
		s.cancel()
	}
	return s.ReadSeeker.Read(p)
}

func TestInspectionEndsWithItsContext(t *testing.T) {
	t.Parallel()
	b := file(t, "tone.wav")
	for range 12 {
		b = append(b, b[44:]...)
	}
	copy(b[40:], "\xff\xff\xff\xff")
	facts := inspect(t, b)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := recording.Inspector{}.Waveform(ctx, &stalled{bytes.NewReader(b), cancel, 3}, int64(len(b)), facts)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	_, err = recording.Inspector{}.Inspect(ctx, bytes.NewReader(b), int64(len(b)))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// broken is a file that cannot be read.
type broken struct{ io.ReadSeeker }

func (broken) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestFaultsOfReadingAreTold(t *testing.T) {
	t.Parallel()
	b := file(t, "tone.wav")
	_, err := recording.Inspector{}.Inspect(t.Context(), broken{bytes.NewReader(b)}, int64(len(b)))
	_, errWave := recording.Inspector{}.Waveform(t.Context(), broken{bytes.NewReader(b)}, int64(len(b)), inspect(t, b))
	if !errors.Is(err, io.ErrClosedPipe) || !errors.Is(errWave, io.ErrClosedPipe) {
		t.Errorf("got %v and %v", err, errWave)
	}
}

// FuzzInspector: no file makes it panic, hang, hold much, or say what cannot be.
func FuzzInspector(f *testing.F) {
	for name := range files {
		b := file(f, name)
		f.Add(b)
		f.Add(b[:len(b)/2])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		begun := time.Now()
		defer func() {
			if took := time.Since(begun); took > 20*time.Second {
				t.Errorf("%d bytes took %s", len(b), took)
			}
		}()
		facts := inspect(t, b)
		if facts.Duration < 0 || facts.Duration.Seconds()*25 > float64(len(b))+25 {
			t.Fatalf("%d bytes last %s", len(b), facts.Duration)
		}
		if w := waveform(t, b, facts); w != nil && len(w) != 64 {
			t.Fatalf("%d parts", len(w))
		}
	})
}

func BenchmarkWaveform(b *testing.B) {
	for _, name := range []string{"opus.ogg", "vorbis.ogg", "cbr.mp3", "tone.wav"} {
		b.Run(name, func(b *testing.B) {
			text := file(b, name)
			facts := inspect(b, text)
			for b.Loop() {
				waveform(b, text, facts)
			}
		})
	}
}
