package biz_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// shelf is a biz.AudioRepo and biz.Blobs in memory. What is not committed is in unfinished.
type shelf struct {
	mu          sync.Mutex
	rows        map[biz.AudioID]biz.Audio
	transcripts map[biz.AudioID]bool
	blobs       map[string][]byte
	age         map[string]time.Time
	unfinished  int
	addErr      error
	lateAddErr  error // of an Add that has taken effect
	writeErr    error
	commitErr   error
	woken       int
	facts       biz.AudioFacts
	inspectErr  error
	waveform    string
	drawing     chan struct{} // a waveform waits for it; nil: for nothing
	drawn       chan biz.AudioID
	waste       map[biz.AudioID]bool
	deleteErr   error
}

func newShelf() *shelf {
	return &shelf{
		rows: map[biz.AudioID]biz.Audio{}, transcripts: map[biz.AudioID]bool{},
		blobs: map[string][]byte{}, age: map[string]time.Time{},
		drawn: make(chan biz.AudioID, 1), waste: map[biz.AudioID]bool{},
	}
}

// Inspect implements biz.AudioInspector: what a test says that the file is.
func (s *shelf) Inspect(ctx context.Context, r io.ReadSeeker, size int64) (biz.AudioFacts, error) {
	if b, err := io.ReadAll(r); err != nil || int64(len(b)) != size {
		return biz.AudioFacts{}, errors.New("other bytes than were declared")
	}
	return s.facts, errors.Join(ctx.Err(), s.inspectErr)
}

func (s *shelf) Waveform(ctx context.Context, _ io.ReadSeeker, _ int64, _ biz.AudioFacts) ([]byte, error) {
	if s.drawing != nil {
		select {
		case <-s.drawing:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return []byte(s.waveform), nil
}

func (s *shelf) SetWaveform(_ context.Context, id biz.AudioID, waveform string) error {
	s.mu.Lock()
	a := s.rows[id]
	a.Waveform = waveform
	s.rows[id] = a
	s.mu.Unlock()
	s.drawn <- id
	return nil
}

func (s *shelf) Missing(_ context.Context, ids []biz.AudioID) (missing []biz.AudioID, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		if _, ok := s.rows[id]; !ok {
			missing = append(missing, id)
		}
	}
	return missing, nil
}

func (s *shelf) Release(_ context.Context, room biz.RoomID, _ int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, a := range s.rows {
		if a.Room == room {
			delete(s.rows, id)
			s.waste[id] = true
		}
	}
	return nil
}

func (s *shelf) Waste(_ context.Context, limit int) (ids []biz.AudioID, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range s.waste {
		if len(ids) < limit {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

func (s *shelf) Cleared(_ context.Context, ids []biz.AudioID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		if _, there := s.blobs[string(id)]; there {
			return errors.New("cleared before its blob was gone")
		}
		delete(s.waste, id)
	}
	return nil
}

func (s *shelf) Add(ctx context.Context, a biz.Audio, transcribe bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := errors.Join(ctx.Err(), s.addErr); err != nil {
		return err
	}
	if _, whole := s.blobs[string(a.ID)]; !whole {
		return errors.New("a row before its blob")
	}
	s.rows[a.ID] = a
	s.transcripts[a.ID] = transcribe
	return s.lateAddErr
}

func (s *shelf) Audio(_ context.Context, id biz.AudioID) (biz.Audio, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.rows[id]
	if !ok {
		return biz.Audio{}, biz.ErrAudioNotFound(id)
	}
	return a, nil
}

// count returns how many blobs there are.
func (s *shelf) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.blobs)
}

func (s *shelf) Wake() { s.woken++ }

func (s *shelf) Create(_ context.Context, name string) (biz.BlobWriter, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unfinished++
	return &shelfWriter{shelf: s, name: name}, nil
}

type nopCloser struct{ io.ReadSeeker }

func (nopCloser) Close() error { return nil }

func (s *shelf) Open(_ context.Context, name string) (io.ReadSeekCloser, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.blobs[name]
	if !ok {
		return nil, biz.Errorf(biz.KindNotFound, "BLOB_NOT_FOUND", "no")
	}
	return nopCloser{bytes.NewReader(b)}, nil
}

func (s *shelf) Delete(ctx context.Context, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.deleteErr != nil {
		return s.deleteErr
	}
	delete(s.blobs, name)
	return ctx.Err()
}

func (s *shelf) Each(_ context.Context, before time.Time, f func(string) error) error {
	for name, at := range s.age {
		if at.Before(before) {
			if err := f(name); err != nil {
				return err
			}
		}
	}
	return nil
}

type shelfWriter struct {
	*shelf
	name string
	b    bytes.Buffer
}

func (w *shelfWriter) Write(p []byte) (int, error) {
	if w.writeErr != nil {
		return 0, w.writeErr
	}
	return w.b.Write(p)
}

func (w *shelfWriter) Commit() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unfinished--
	if w.commitErr == nil {
		w.blobs[w.name] = w.b.Bytes()
	}
	return w.commitErr
}

func (w *shelfWriter) Discard() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unfinished--
	return nil
}

// sending is a biz.AudioSource: the chunks come when step lets them.
type sending struct {
	biz.AudioDraft
	chunks   []string
	err      error         // after the chunks, io.EOF if nil
	step     chan struct{} // nil: at once
	asked    int           // calls of Next
	panicing bool
}

func (s *sending) wait(ctx context.Context) error {
	if s.step == nil {
		return ctx.Err()
	}
	select {
	case <-s.step:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *sending) Draft(ctx context.Context) (biz.AudioDraft, error) {
	return s.AudioDraft, s.wait(ctx)
}

func (s *sending) Next(ctx context.Context) ([]byte, error) {
	if s.panicing {
		panic("source")
	}
	if err := s.wait(ctx); err != nil {
		return nil, err
	}
	s.asked++
	if s.asked <= len(s.chunks) {
		return []byte(s.chunks[s.asked-1]), nil
	}
	if s.err != nil {
		return nil, s.err
	}
	return nil, io.EOF
}

// hall is rooms with recordings: r and t, where alice, carol and mute are, mute is muted, and t is
// transcribed; q takes no audio.
type hall struct {
	*store
	shelf  *shelf
	audios *biz.Audios
}

func newHall() *hall {
	s, shelf := newStore(), newShelf()
	s.put(durable("r"), "alice", "carol", "mute")
	s.members["r"][2].Muted = true
	t := durable("t")
	t.Config.AutoTranscribe = true
	s.put(t, "alice")
	q := durable("q")
	q.Config.AllowAudio = false
	s.put(q, "alice")
	rules := biz.AudioRules{
		MaxBytes: 10, Formats: []string{"opus", "mp3"}, MaxUploads: 3, MaxUploadsPerUser: 2,
		IdleTimeout: 10 * time.Second, UploadTimeout: time.Minute,
		URLs: biz.AudioURLRules{Keys: [][]byte{[]byte("first"), []byte("second")}, Lifetime: time.Hour},
	}
	stores := biz.AudioStores{Audios: shelf, Upkeep: shelf, Blobs: shelf, Inspector: shelf}
	return &hall{s, shelf, biz.NewAudios(s, s, stores, shelf, rules, slog.New(slog.DiscardHandler))}
}

// wantNothing fails unless the shelf is empty.
func (h *hall) wantNothing(t *testing.T) {
	t.Helper()
	if len(h.shelf.rows)+len(h.shelf.blobs)+h.shelf.unfinished > 0 {
		t.Errorf("left: rows %v, blobs %v, %d unfinished", h.shelf.rows, h.shelf.blobs, h.shelf.unfinished)
	}
}

func five() biz.AudioDraft {
	return biz.AudioDraft{Room: "r", User: "alice", Format: "opus", Size: 5, Seconds: 1.5}
}
