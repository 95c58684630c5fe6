package biz_test

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/data/datatest"
)

// desk keeps uploads and their transcripts in memory. TestDesk holds it against what every store
// must do.
type desk struct {
	mu     sync.Mutex
	audios map[biz.AudioID]biz.Audio
	jobs   map[biz.AudioID]*biz.TranscriptJob // Until is when they are due
	over   map[biz.AudioID]bool               // settled
}

func newDesk() *desk {
	return &desk{
		audios: map[biz.AudioID]biz.Audio{}, jobs: map[biz.AudioID]*biz.TranscriptJob{}, over: map[biz.AudioID]bool{},
	}
}

func TestDesk(t *testing.T) {
	t.Parallel()
	datatest.RunTranscripts(t, func(*testing.T, biz.Deliverer) datatest.Stores {
		s := newDesk()
		return datatest.Stores{Transcripts: s, Queue: s, Audios: s}
	})
}

func (s *desk) Add(_ context.Context, a biz.Audio, transcribe bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.audios[a.ID] = a
	if transcribe {
		s.request(a.ID, a.CreatedAt)
	}
	return nil
}

func (s *desk) request(id biz.AudioID, at time.Time) {
	s.jobs[id] = &biz.TranscriptJob{
		Audio: s.audios[id], Until: at,
		Transcript: biz.Transcript{Audio: id, Status: biz.TranscriptPending, CreatedAt: at, UpdatedAt: at},
	}
}

func (s *desk) Audio(_ context.Context, id biz.AudioID) (biz.Audio, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, ok := s.audios[id]
	if !ok {
		return a, biz.Errorf(biz.KindNotFound, "AUDIO_NOT_FOUND", "audio %q does not exist", id)
	}
	return a, nil
}

func (s *desk) Transcript(_ context.Context, id biz.AudioID) (biz.Transcript, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	job, ok := s.jobs[id]
	if !ok {
		return biz.Transcript{}, biz.Errorf(biz.KindNotFound, "TRANSCRIPT_NOT_FOUND", "nobody asked")
	}
	return job.Transcript, nil
}

func (s *desk) Request(ctx context.Context, id biz.AudioID, at time.Time) (biz.Transcript, error) {
	s.mu.Lock()
	_, there := s.audios[id]
	if _, ok := s.jobs[id]; there && !ok {
		s.request(id, at)
	}
	s.mu.Unlock()
	return s.Transcript(ctx, id)
}

func (s *desk) Claim(_ context.Context, now, until time.Time, limit int) (claimed []biz.TranscriptJob, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var due []*biz.TranscriptJob
	for id, job := range s.jobs {
		if !s.over[id] && !job.Until.After(now) {
			due = append(due, job)
		}
	}
	slices.SortFunc(due, func(a, b *biz.TranscriptJob) int {
		return cmp.Or(a.Until.Compare(b.Until), cmp.Compare(a.Audio.ID, b.Audio.ID))
	})
	for _, job := range due[:min(limit, len(due))] {
		if !job.Transcript.Status.Ended() {
			job.Attempts++
		}
		if job.Transcript.Status == biz.TranscriptPending {
			job.Transcript.Status, job.Transcript.UpdatedAt = biz.TranscriptProcessing, now
		}
		job.Until = until
		claimed = append(claimed, *job)
	}
	return claimed, nil
}

// change calls f with what is stored if the claim is held and f's condition is true.
func (s *desk) change(job biz.TranscriptJob, when func(biz.TranscriptStatus) bool, f func(*biz.TranscriptJob)) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept, ok := s.jobs[job.Audio.ID]
	if !ok || s.over[job.Audio.ID] || !kept.Until.Equal(job.Until) || !when(kept.Transcript.Status) {
		return false, nil
	}
	f(kept)
	return true, nil
}

func always(biz.TranscriptStatus) bool { return true }

func (s *desk) Hold(_ context.Context, job *biz.TranscriptJob, until time.Time) (bool, error) {
	held, err := s.change(*job, always, func(kept *biz.TranscriptJob) { kept.Until = until })
	if held {
		job.Until = until
	}
	return held, err
}

func (s *desk) Release(_ context.Context, job biz.TranscriptJob, at time.Time) (bool, error) {
	return s.change(job, always, func(kept *biz.TranscriptJob) { kept.Until, kept.Attempts = at, job.Attempts })
}

func (s *desk) Finish(_ context.Context, job biz.TranscriptJob) (bool, error) {
	if !job.Transcript.Status.Ended() {
		return false, biz.Errorf(biz.KindInternal, "INTERNAL", "that is no end")
	}
	processing := func(s biz.TranscriptStatus) bool { return s == biz.TranscriptProcessing }
	return s.change(job, processing, func(kept *biz.TranscriptJob) { kept.Transcript = job.Transcript })
}

func (s *desk) Settle(_ context.Context, job biz.TranscriptJob) (bool, error) {
	return s.change(job, biz.TranscriptStatus.Ended, func(*biz.TranscriptJob) { s.over[job.Audio.ID] = true })
}

// settled tells whether nothing is left to do for an upload.
func (s *desk) settled(id biz.AudioID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.over[id]
}

// blobs has the bytes of every upload but those that are named gone.
type blobs struct{ biz.Blobs }

type bytesOf struct{ *strings.Reader }

func (bytesOf) Close() error { return nil }

func (blobs) Open(_ context.Context, name string) (io.ReadSeekCloser, error) {
	if name == "gone" {
		return nil, biz.Errorf(biz.KindNotFound, "BLOB_NOT_FOUND", "there is no blob %q", name)
	}
	return bytesOf{strings.NewReader("bytes of " + name)}, nil
}

// onceLog is a log that remembers the ids of its messages, as every durable one does.
type onceLog struct {
	*store
	mu   sync.Mutex
	told []*biz.Draft
	down bool // nothing can be stored
}

func (l *onceLog) Append(d *biz.Draft, done func(biz.Receipt, error)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		done(biz.Receipt{}, biz.Errorf(biz.KindUnavailable, "STORE_UNAVAILABLE", "not now"))
		return
	}
	for _, first := range l.told {
		if first.Room == d.Room && first.Sender == d.Sender && first.ClientID == d.ClientID {
			if !bytes.Equal(first.Content, d.Content) {
				done(biz.Receipt{}, biz.Errorf(biz.KindConflict, "MESSAGE_ID_CONFLICT", "another message"))
				return
			}
			done(biz.Receipt{ID: first.ID, Seq: first.Seq, Duplicate: true}, nil)
			return
		}
	}
	l.told = append(l.told, d)
	l.store.Append(d, done)
}

func (l *onceLog) set(down bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = down
}

func (l *onceLog) messages() []*biz.Draft {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.told)
}
