package biz_test

import (
	"cmp"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

func TestDeclaredIsCompared(t *testing.T) {
	t.Parallel()
	opus := []string{"opus", "ogg"}
	for name, test := range map[string]struct {
		facts  biz.AudioFacts
		err    error
		kind   biz.Kind
		reason string
		lasts  time.Duration // of what was declared as 1.5 s
		format string        // empty: opus, as declared
		wave   string
	}{
		"nothing is recognised": {facts: biz.AudioFacts{}, lasts: 1500 * time.Millisecond},
		"it is as declared":     {facts: biz.AudioFacts{Format: "opus", Names: opus, Duration: 1500 * time.Millisecond}, lasts: 1500 * time.Millisecond, wave: "wave"},
		"another length":        {facts: biz.AudioFacts{Format: "opus", Names: opus, Duration: time.Minute}, lasts: time.Minute, wave: "wave"},
		"by another name":       {facts: biz.AudioFacts{Format: "vorbis", Names: []string{"vorbis", "opus"}}, lasts: 1500 * time.Millisecond},
		"by its own name":       {facts: biz.AudioFacts{Format: "mp3", Names: []string{"mp3", "opus"}}, lasts: 1500 * time.Millisecond, format: "mp3"},
		"another format":        {facts: biz.AudioFacts{Format: "wav", Names: []string{"wav"}}, kind: biz.KindInvalid, reason: "AUDIO_FORMAT"},
		"longer than a day":     {facts: biz.AudioFacts{Format: "opus", Names: opus, Duration: 25 * time.Hour}, kind: biz.KindInvalid, reason: "AUDIO_DURATION"},
		"it cannot be read":     {err: errors.New("a disk"), lasts: 1500 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHall()
			h.shelf.facts, h.shelf.inspectErr, h.shelf.waveform = test.facts, test.err, "wave"
			audio, err := h.audios.Upload(t.Context(), alice, &sending{AudioDraft: five(), chunks: []string{"abcde"}})
			wantError(t, err, test.kind, test.reason)
			if err != nil {
				h.wantNothing(t)
				return
			}
			if audio.Duration != test.lasts || audio.Measured != (test.facts.Duration > 0) || audio.Waveform != test.wave {
				t.Errorf("%+v", audio)
			}
			if want := cmp.Or(test.format, "opus"); audio.Format != want {
				t.Errorf("format %s, want %s", audio.Format, want)
			}
			if h.shelf.rows[audio.ID] != audio {
				t.Errorf("kept %+v", h.shelf.rows[audio.ID])
			}
		})
	}
}

// TestLateWaveform: an upload does not wait long for its waveform, which is kept all the same.
func TestLateWaveform(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		h.shelf.facts = biz.AudioFacts{Format: "opus", Names: []string{"opus"}, Duration: time.Second}
		h.shelf.waveform, h.shelf.drawing = "wave", make(chan struct{})
		begun := time.Now()
		audio := h.uploaded(t)
		if took := time.Since(begun); took != time.Second || audio.Waveform != "" {
			t.Errorf("after %s: %+v", took, audio)
		}
		close(h.shelf.drawing)
		if id := <-h.shelf.drawn; id != audio.ID || h.shelf.rows[id].Waveform != "wave" {
			t.Errorf("%s: %+v", id, h.shelf.rows[id])
		}
	})
}

// TestStopGivesWaveformsUp: a node that stops waits for none.
func TestStopGivesWaveformsUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		h.shelf.facts = biz.AudioFacts{Format: "opus", Names: []string{"opus"}, Duration: time.Second}
		h.shelf.drawing = make(chan struct{}) // for ever
		h.uploaded(t)
		begun := time.Now()
		if err := h.audios.Stop(t.Context()); err != nil || time.Since(begun) > 0 {
			t.Errorf("after %s: %v", time.Since(begun), err)
		}
	})
}

// TestBytesGoBeforeTheyAreForgotten: what could not be deleted is tried again.
func TestBytesGoBeforeTheyAreForgotten(t *testing.T) {
	t.Parallel()
	h := newHall()
	audio := h.uploaded(t)
	wantError(t, h.audios.Release(t.Context(), audio.Room, 1), 0, "")
	h.shelf.deleteErr = errors.New("a disk")
	if err := h.audios.Clear(t.Context()); err == nil || !h.shelf.waste[audio.ID] {
		t.Errorf("%v, waste %v", err, h.shelf.waste)
	}
	h.shelf.deleteErr = nil
	for range 2 {
		wantError(t, h.audios.Clear(t.Context()), 0, "")
		if len(h.shelf.waste) > 0 || len(h.shelf.blobs) > 0 {
			t.Errorf("left: %v, %v", h.shelf.waste, h.shelf.blobs)
		}
	}
}
