package biz_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/plugin"
)

// scribe is a transcriber made of a function, which remembers when it was called for what.
type scribe struct {
	write func(ctx context.Context, a plugin.Audio, call int) (plugin.Transcript, error)

	mu    sync.Mutex
	calls map[string][]time.Time
	now   int
	most  int // that ran at once
}

func (s *scribe) Name() string { return "scribe" }

func (s *scribe) Transcribe(ctx context.Context, a plugin.Audio) (plugin.Transcript, error) {
	s.mu.Lock()
	if s.calls == nil {
		s.calls = map[string][]time.Time{}
	}
	s.calls[a.ID] = append(s.calls[a.ID], time.Now())
	call := len(s.calls[a.ID])
	s.now++
	s.most = max(s.most, s.now)
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.now--
	}()
	return s.write(ctx, a, call)
}

func (s *scribe) times(id string) []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls[id])
}

// reading writes down the bytes that it was given.
func reading(ctx context.Context, a plugin.Audio, _ int) (plugin.Transcript, error) {
	r, err := a.Open(ctx)
	if err != nil {
		return plugin.Transcript{}, err
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	return plugin.Transcript{Text: string(b), Confidence: 0.5}, err
}

// blocking waits for the end of its context.
func blocking(ctx context.Context, _ plugin.Audio, _ int) (plugin.Transcript, error) {
	<-ctx.Done()
	return plugin.Transcript{}, ctx.Err()
}

// meter counts outcomes.
type meter struct {
	mu     sync.Mutex
	began  int
	counts map[string]int
}

func (m *meter) Began() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.began++
}

func (m *meter) Ended(o biz.TranscriptOutcome, took time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.counts[o.String()]++
	if took < 0 {
		m.counts["before it began"]++
	}
}

var transcriptRules = biz.TranscriptRules{Workers: 2, Timeout: 5 * time.Minute, Attempts: 3, Backoff: 10 * time.Second}

// office is a room r of alice and bob, and a room v that keeps nothing, with what nodes share.
type office struct {
	t     *testing.T
	log   *onceLog
	desk  *desk
	live  *live
	meter *meter
	rules biz.TranscriptRules
	max   int // bytes of a message's content
}

func newOffice(t *testing.T) *office {
	s := newStore()
	s.put(durable("r"), "alice", "bob")
	s.put(biz.Room{ID: "v"}, "alice", "bob")
	return &office{
		t: t, log: &onceLog{store: s}, desk: newDesk(), live: &live{},
		meter: &meter{counts: map[string]int{}}, rules: transcriptRules, max: 1 << 10,
	}
}

// asJSON is an encoder whose contents the tests can read.
func asJSON(e biz.Event) ([]byte, error) {
	said := maps.Clone(e.Data)
	said["event"] = string(e.Type)
	return json.Marshal(said)
}

func (o *office) transcripts(s *scribe, queue biz.TranscriptQueue, log biz.MessageLog) *biz.Transcripts {
	stores := biz.TranscriptStores{
		Transcripts: o.desk, Queue: queue, Audios: o.desk, Blobs: blobs{}, Rooms: o.log.store, Members: o.log.store,
	}
	messages := biz.NewMessages(o.log.store, log, o.live, biz.MessageRules{MaxContentBytes: o.max, MaxMetadataBytes: 100})
	return biz.NewTranscripts(stores, s, messages, asJSON, o.rules, o.meter, slog.New(slog.DiscardHandler))
}

// open runs a node with that transcriber until stop is called.
func (o *office) open(s *scribe) (tr *biz.Transcripts, stop func()) {
	tr = o.transcripts(s, o.desk, o.log)
	return tr, o.run(tr)
}

func (o *office) run(tr *biz.Transcripts) (stop func()) {
	ctx, cancel := context.WithCancel(o.t.Context())
	done := make(chan error, 1)
	go func() { done <- tr.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			o.t.Error(err)
		}
	}
}

func (o *office) upload(ids ...biz.AudioID) {
	for _, id := range ids {
		o.uploadTo("r", id)
	}
}

func (o *office) uploadTo(room biz.RoomID, id biz.AudioID) {
	a := biz.Audio{ID: id, Room: room, User: "alice", Format: "opus", Size: 1, CreatedAt: time.Now()}
	if err := o.desk.Add(o.t.Context(), a, true); err != nil {
		o.t.Fatal(err)
	}
}

// wait lets the clock run.
func (o *office) wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (o *office) transcript(id biz.AudioID) biz.Transcript {
	o.t.Helper()
	tr, err := o.desk.Transcript(o.t.Context(), id)
	if err != nil {
		o.t.Fatal(err)
	}
	return tr
}

// want fails unless a transcript has ended, is settled, and its room was told, once and of just that.
func (o *office) want(id biz.AudioID, status biz.TranscriptStatus, says string) {
	o.t.Helper()
	tr := o.transcript(id)
	if tr.Status != status || tr.Text+tr.Reason != says {
		o.t.Errorf("%s is %+v; want %d %q", id, tr, status, says)
	}
	if !o.desk.settled(id) {
		o.t.Errorf("%s is not settled", id)
	}
	event := map[biz.TranscriptStatus]string{3: "transcript_completed", 4: "transcript_failed"}[status]
	var told []string
	for _, d := range o.log.messages() {
		if d.Metadata["audio_id"] != string(id) {
			continue
		}
		said := map[string]string{}
		if err := json.Unmarshal(d.Content, &said); err != nil {
			o.t.Fatal(err)
		}
		if d.Room != "r" || d.Sender != "alice" || d.Type != biz.TypeSystem || d.Metadata["event_type"] != event ||
			said["event"] != event || said["audio_id"] != string(id) || said["user_id"] != "alice" {
			o.t.Errorf("%s: the room is told %+v %s", id, d, d.Content)
		}
		told = append(told, said["text"]+said["reason"])
	}
	if !slices.Equal(told, []string{says}) {
		o.t.Errorf("%s: the room is told %q; want once %q", id, told, says)
	}
}

func (o *office) counted(want map[string]int) {
	o.t.Helper()
	o.meter.mu.Lock()
	defer o.meter.mu.Unlock()
	all := 0
	for _, n := range o.meter.counts {
		all += n
	}
	if !maps.Equal(o.meter.counts, want) || o.meter.began != all {
		o.t.Errorf("counted %v, and %d begun; want %v", o.meter.counts, o.meter.began, want)
	}
}
