package biz_test

import (
	"context"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

func TestUpload(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		by     biz.Identity
		change func(*biz.AudioDraft)
		want   biz.Audio
	}{
		"own":                {alice, func(*biz.AudioDraft) {}, biz.Audio{Room: "r", User: "alice", Format: "opus", Duration: 1500 * time.Millisecond}},
		"says who":           {devEmpty, func(*biz.AudioDraft) {}, biz.Audio{Room: "r", User: "alice", Format: "opus", Duration: 1500 * time.Millisecond}},
		"for somebody":       {backend, func(d *biz.AudioDraft) { d.User = "carol" }, biz.Audio{Room: "r", User: "carol", Format: "opus", Duration: 1500 * time.Millisecond}},
		"unnamed":            {alice, func(d *biz.AudioDraft) { d.User = "" }, biz.Audio{Room: "r", User: "alice", Format: "opus", Duration: 1500 * time.Millisecond}},
		"in capitals":        {alice, func(d *biz.AudioDraft) { d.Format, d.Seconds = "MP3", 0 }, biz.Audio{Room: "r", User: "alice", Format: "mp3"}},
		"to be transcribed":  {alice, func(d *biz.AudioDraft) { d.Room, d.Seconds = "t", 86400 }, biz.Audio{Room: "t", User: "alice", Format: "opus", Duration: 24 * time.Hour}},
		"less than a second": {alice, func(d *biz.AudioDraft) { d.Seconds = 0.0000014 }, biz.Audio{Room: "r", User: "alice", Format: "opus", Duration: time.Microsecond}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHall()
			d := five()
			test.change(&d)
			got, err := h.audios.Upload(t.Context(), test.by, &sending{AudioDraft: d, chunks: []string{"ab", "", "cde"}})
			wantError(t, err, 0, "")
			if got.ID == "" || time.Since(got.CreatedAt) > time.Minute {
				t.Errorf("got %+v", got)
			}
			if string(h.shelf.blobs[string(got.ID)]) != "abcde" || h.shelf.rows[got.ID] != got || h.shelf.unfinished != 0 {
				t.Errorf("kept %+v", h.shelf)
			}
			if spoken := d.Room == "t"; h.shelf.transcripts[got.ID] != spoken || (h.shelf.woken == 1) != spoken {
				t.Errorf("transcript %v, woken %d", h.shelf.transcripts[got.ID], h.shelf.woken)
			}
			got.ID, got.CreatedAt = "", time.Time{}
			if test.want.Size = 5; got != test.want {
				t.Errorf("got  %+v\nwant %+v", got, test.want)
			}
		})
	}
}

func TestUploadRefusals(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		by     biz.Identity
		change func(*biz.AudioDraft)
		kind   biz.Kind
		reason string
	}{
		"nobody":           {nobody, func(d *biz.AudioDraft) { d.User = "" }, biz.KindInvalid, "INVALID_ARGUMENT"},
		"somebody else":    {bob, func(*biz.AudioDraft) {}, biz.KindPermissionDenied, "FOREIGN_USER"},
		"a bad name":       {devEmpty, func(d *biz.AudioDraft) { d.User = "\xff" }, biz.KindInvalid, "INVALID_ARGUMENT"},
		"no room":          {alice, func(d *biz.AudioDraft) { d.Room = "" }, biz.KindInvalid, "INVALID_ARGUMENT"},
		"a long room":      {alice, func(d *biz.AudioDraft) { d.Room = biz.RoomID(strings.Repeat("r", 256)) }, biz.KindInvalid, "INVALID_ARGUMENT"},
		"an unknown room":  {alice, func(d *biz.AudioDraft) { d.Room = "x" }, biz.KindNotFound, "ROOM_NOT_FOUND"},
		"not a member":     {bob, func(d *biz.AudioDraft) { d.User = "" }, biz.KindPermissionDenied, "NOT_A_MEMBER"},
		"muted":            {backend, func(d *biz.AudioDraft) { d.User = "mute" }, biz.KindPermissionDenied, "MUTED"},
		"no audio here":    {alice, func(d *biz.AudioDraft) { d.Room = "q" }, biz.KindPermissionDenied, "AUDIO_NOT_ALLOWED"},
		"no format":        {alice, func(d *biz.AudioDraft) { d.Format = "" }, biz.KindInvalid, "AUDIO_FORMAT"},
		"another format":   {alice, func(d *biz.AudioDraft) { d.Format = "exe" }, biz.KindInvalid, "AUDIO_FORMAT"},
		"nothing":          {alice, func(d *biz.AudioDraft) { d.Size = 0 }, biz.KindInvalid, "AUDIO_SIZE"},
		"less than that":   {alice, func(d *biz.AudioDraft) { d.Size = math.MinInt64 }, biz.KindInvalid, "AUDIO_SIZE"},
		"too large":        {alice, func(d *biz.AudioDraft) { d.Size = 11 }, biz.KindInvalid, "AUDIO_TOO_LARGE"},
		"much too large":   {alice, func(d *biz.AudioDraft) { d.Size = math.MaxInt64 }, biz.KindInvalid, "AUDIO_TOO_LARGE"},
		"before it begins": {alice, func(d *biz.AudioDraft) { d.Seconds = -0.1 }, biz.KindInvalid, "AUDIO_DURATION"},
		"for ever":         {alice, func(d *biz.AudioDraft) { d.Seconds = math.Inf(1) }, biz.KindInvalid, "AUDIO_DURATION"},
		"no number":        {alice, func(d *biz.AudioDraft) { d.Seconds = math.NaN() }, biz.KindInvalid, "AUDIO_DURATION"},
		"more than a day":  {alice, func(d *biz.AudioDraft) { d.Seconds = 86401 }, biz.KindInvalid, "AUDIO_DURATION"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHall()
			d := five()
			test.change(&d)
			src := &sending{AudioDraft: d, chunks: []string{"abcde"}}
			_, err := h.audios.Upload(t.Context(), test.by, src)
			wantError(t, err, test.kind, test.reason)
			if src.asked > 0 {
				t.Error("bytes were asked for")
			}
			h.wantNothing(t)
		})
	}
}

func TestBrokenUploadsLeaveNothing(t *testing.T) {
	t.Parallel()
	gone := errors.New("gone")
	for name, test := range map[string]struct {
		chunks []string
		err    error
		shelf  func(*shelf)
		kind   biz.Kind
		reason string
	}{
		"too few":           {chunks: []string{"abcd"}, kind: biz.KindInvalid, reason: "AUDIO_SIZE"},
		"none":              {kind: biz.KindInvalid, reason: "AUDIO_SIZE"},
		"too many":          {chunks: []string{"abc", "def"}, kind: biz.KindInvalid, reason: "AUDIO_SIZE"},
		"too many at last":  {chunks: []string{"abcde", "f"}, kind: biz.KindInvalid, reason: "AUDIO_SIZE"},
		"cut":               {chunks: []string{"abc"}, err: context.Canceled, kind: biz.KindCanceled, reason: "CANCELED"},
		"cut at the end":    {chunks: []string{"abcde"}, err: context.Canceled, kind: biz.KindCanceled, reason: "CANCELED"},
		"a full disk":       {chunks: []string{"abcde"}, shelf: func(s *shelf) { s.writeErr = gone }, reason: "INTERNAL"},
		"a disk that fails": {chunks: []string{"abcde"}, shelf: func(s *shelf) { s.commitErr = gone }, reason: "INTERNAL"},
		"a store that does": {chunks: []string{"abcde"}, shelf: func(s *shelf) { s.addErr = gone }, reason: "INTERNAL"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHall()
			if test.shelf != nil {
				test.shelf(h.shelf)
			}
			_, err := h.audios.Upload(t.Context(), alice, &sending{AudioDraft: five(), chunks: test.chunks, err: test.err})
			wantError(t, err, test.kind, test.reason)
			h.wantNothing(t)
		})
	}
}

// TestUploadInDoubtIsLeft: where the row may be there, its bytes stay.
func TestUploadInDoubtIsLeft(t *testing.T) {
	t.Parallel()
	h := newHall()
	h.shelf.lateAddErr = errors.New("did it?")
	_, err := h.audios.Upload(t.Context(), alice, &sending{AudioDraft: five(), chunks: []string{"abcde"}})
	wantError(t, err, biz.KindInternal, "INTERNAL")
	if len(h.shelf.rows) != 1 || len(h.shelf.blobs) != 1 {
		t.Errorf("rows %v, blobs %v", h.shelf.rows, h.shelf.blobs)
	}
}

func TestUploadThatPanicsLeavesNothing(t *testing.T) {
	t.Parallel()
	h := newHall()
	func() {
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		_, _ = h.audios.Upload(t.Context(), alice, &sending{AudioDraft: five(), panicing: true})
	}()
	h.wantNothing(t)
	for range 3 { // nor does it keep its place
		_, err := h.audios.Upload(t.Context(), alice, &sending{AudioDraft: five(), chunks: []string{"abcde"}})
		wantError(t, err, 0, "")
	}
}

func TestOpenAudio(t *testing.T) {
	t.Parallel()
	h := newHall()
	up, err := h.audios.Upload(t.Context(), alice, &sending{AudioDraft: five(), chunks: []string{"abcde"}})
	wantError(t, err, 0, "")
	carol := biz.Identity{User: "carol"}
	for name, test := range map[string]struct {
		by     biz.Identity
		id     biz.AudioID
		kind   biz.Kind
		reason string
	}{
		"who uploaded it":  {alice, up.ID, 0, ""},
		"another member":   {carol, up.ID, 0, ""},
		"who is muted":     {biz.Identity{User: "mute"}, up.ID, 0, ""},
		"a service":        {backend, up.ID, 0, ""},
		"a trusted caller": {devEmpty, up.ID, 0, ""},
		"nobody":           {nobody, up.ID, biz.KindUnauthenticated, "UNAUTHENTICATED"},
		"not a member":     {bob, up.ID, biz.KindPermissionDenied, "NOT_A_MEMBER"},
		"trusted, and not": {biz.Identity{User: "bob", Trusted: true}, up.ID, biz.KindPermissionDenied, "NOT_A_MEMBER"},
		"unknown":          {alice, "x", biz.KindNotFound, "AUDIO_NOT_FOUND"},
		"no id":            {alice, "", biz.KindInvalid, "INVALID_ARGUMENT"},
		"a bad id":         {alice, "\xff", biz.KindInvalid, "INVALID_ARGUMENT"},
	} {
		audio, r, err := h.audios.Open(t.Context(), test.by, test.id)
		t.Run(name, func(t *testing.T) {
			wantError(t, err, test.kind, test.reason)
			if err != nil {
				return
			}
			if b, err := io.ReadAll(r); string(b) != "abcde" || audio != up || err != nil {
				t.Errorf("%+v %q, %v", audio, b, err)
			}
		})
	}
	_, err = h.audios.Audio(t.Context(), bob, "alice", up.ID)
	wantError(t, err, biz.KindPermissionDenied, "FOREIGN_USER")
	_, err = h.audios.Audio(t.Context(), devEmpty, "bob", up.ID)
	wantError(t, err, biz.KindPermissionDenied, "NOT_A_MEMBER")
	_, err = h.audios.Audio(t.Context(), devEmpty, "carol", up.ID)
	wantError(t, err, 0, "")
	delete(h.shelf.blobs, string(up.ID))
	_, _, err = h.audios.Open(t.Context(), alice, up.ID)
	wantError(t, err, biz.KindInternal, "AUDIO_LOST")
}

func TestSweep(t *testing.T) {
	t.Parallel()
	const kept, orphan, fresh, foreign = "019ab000-0000-7000-8000-000000000001", "019ab000-0000-7000-8000-000000000002",
		"019ab000-0000-7000-8000-000000000003", "not-ours"
	now := time.Now()
	h := newHall()
	for name, age := range map[string]time.Duration{kept: 2 * time.Hour, orphan: 61 * time.Minute, fresh: 59 * time.Minute, foreign: 2 * time.Hour} {
		h.shelf.blobs[name], h.shelf.age[name] = nil, now.Add(-age)
	}
	if err := h.audios.Sweep(t.Context(), now); err != nil || len(h.shelf.blobs) != 4 {
		t.Errorf("in a store that knows none of them: %v, %v", h.shelf.blobs, err)
	}
	h.shelf.rows[kept] = biz.Audio{}
	if err := h.audios.Sweep(t.Context(), now); err != nil {
		t.Error(err)
	}
	if _, there := h.shelf.blobs[orphan]; there || len(h.shelf.blobs) != 3 {
		t.Errorf("left: %v", h.shelf.blobs)
	}
}

func TestSweepsRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const kept, orphan = "019ab000-0000-7000-8000-000000000001", "019ab000-0000-7000-8000-000000000002"
		h := newHall()
		h.shelf.rows[kept] = biz.Audio{}
		for _, name := range []string{kept, orphan} {
			h.shelf.blobs[name], h.shelf.age[name] = nil, time.Now()
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- h.audios.Run(ctx) }()
		time.Sleep(time.Hour + time.Second)
		synctest.Wait()
		if h.shelf.count() != 2 { // an hour old, and not older
			t.Errorf("%d are left", h.shelf.count())
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if h.shelf.count() != 1 {
			t.Errorf("%d are left", h.shelf.count())
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
