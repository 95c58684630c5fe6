package data

import (
	"testing"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// TestClaimsOutliveTheProcess: what a process was at when it ended is due again when the lease is
// over, and not before.
func TestClaimsOutliveTheProcess(t *testing.T) {
	t.Parallel()
	dir, at := t.TempDir(), time.Date(2031, 1, 2, 3, 4, 5, 678901000, time.UTC)
	audio := biz.Audio{ID: "a", Room: "r", User: "u", Format: "opus", Size: 1, CreatedAt: at}
	first, err := Open(t.Context(), Options{Dir: dir}, quiet())
	if err != nil {
		t.Fatal(err)
	}
	if err := NewAudios(first).Add(t.Context(), audio, true); err != nil {
		t.Fatal(err)
	}
	jobs, err := NewTranscripts(first).Claim(t.Context(), at, at.Add(time.Minute), 1)
	if err != nil || len(jobs) != 1 {
		t.Fatalf("claimed %+v, %v", jobs, err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = NewTranscripts(first).Finish(t.Context(), biz.TranscriptJob{Transcript: biz.Transcript{Status: biz.TranscriptFailed}})
	if kindOf(err) != biz.KindUnavailable {
		t.Errorf("a closed store answers %v", err)
	}

	second := NewTranscripts(openDB(t, dir))
	if early, err := second.Claim(t.Context(), at.Add(time.Minute-1000), at.Add(time.Hour), 1); err != nil || len(early) != 0 {
		t.Errorf("claimed %+v, %v while the lease lasts", early, err)
	}
	again, err := second.Claim(t.Context(), at.Add(time.Minute), at.Add(time.Hour), 1)
	if err != nil || len(again) != 1 || again[0].Audio != audio || again[0].Attempts != 2 {
		t.Errorf("claimed %+v, %v", again, err)
	}
}
