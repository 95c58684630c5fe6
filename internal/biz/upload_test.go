package biz_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// uploading begins an upload that takes a step whenever one is sent to step.
func (h *hall) uploading(ctx context.Context, user biz.UserID) (step chan struct{}, done chan error) {
	step, done = make(chan struct{}), make(chan error, 1)
	d := five()
	d.User = user
	go func() {
		_, err := h.audios.Upload(ctx, devEmpty, &sending{AudioDraft: d, chunks: []string{"abc", "de"}, step: step})
		done <- err
	}()
	return step, done
}

func TestUploadsAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		h.put(durable("r"), "dave", "erin")
		finish := func(step chan struct{}, done chan error) {
			t.Helper()
			for range 3 {
				step <- struct{}{}
			}
			wantError(t, <-done, 0, "")
		}
		begin := func(user biz.UserID) (step chan struct{}, done chan error) {
			step, done = h.uploading(t.Context(), user)
			step <- struct{}{}
			synctest.Wait()
			return step, done
		}
		wantLimit := func(user biz.UserID) {
			t.Helper()
			_, done := begin(user)
			wantError(t, <-done, biz.KindResourceLimit, "TOO_MANY_UPLOADS")
		}
		first, firstDone := begin("alice")
		second, secondDone := begin("alice")
		wantLimit("alice")
		third, thirdDone := begin("dave")
		wantLimit("erin")
		wantLimit("dave")
		finish(first, firstDone)
		fourth, fourthDone := begin("erin")
		wantLimit("alice")
		finish(second, secondDone)
		finish(third, thirdDone)
		finish(fourth, fourthDone)
		finish(begin("alice"))
	})
}

func TestUploadTimeouts(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		steps  int
		every  time.Duration
		after  time.Duration
		reason string
	}{
		"says nothing":         {0, 0, 10 * time.Second, "UPLOAD_STALLED"},
		"sends nothing":        {1, 0, 10 * time.Second, "UPLOAD_STALLED"},
		"stalls":               {2, 9 * time.Second, 28 * time.Second, "UPLOAD_STALLED"},
		"stalls after it all":  {3, 9 * time.Second, 37 * time.Second, "UPLOAD_STALLED"},
		"slow, and not too so": {4, 9 * time.Second, 36 * time.Second, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h := newHall()
				start := time.Now()
				step, done := h.uploading(t.Context(), "alice")
				for range test.steps {
					time.Sleep(test.every)
					step <- struct{}{}
				}
				wantError(t, <-done, biz.KindUnavailable, test.reason)
				if took := time.Since(start); took != test.after {
					t.Errorf("it took %v, want %v", took, test.after)
				}
				if test.reason != "" {
					h.wantNothing(t)
				}
			})
		})
	}
}

// TestUploadTakesTooLong: a byte now and then does not keep an upload alive for ever.
func TestUploadTakesTooLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		start, step, done := time.Now(), make(chan struct{}), make(chan struct{})
		var err error
		var took time.Duration
		go func() {
			_, err = h.audios.Upload(t.Context(), alice, &sending{AudioDraft: five(), chunks: make([]string, 100), step: step})
			took = time.Since(start)
			close(done)
		}()
		for running := true; running; {
			select {
			case step <- struct{}{}:
				time.Sleep(7 * time.Second)
			case <-done:
				running = false
			}
		}
		wantError(t, err, biz.KindUnavailable, "UPLOAD_TIMEOUT")
		if took != time.Minute {
			t.Errorf("it took %v", took)
		}
		h.wantNothing(t)
	})
}

func TestUploadEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		ctx, cancel := context.WithCancel(t.Context())
		step, done := h.uploading(ctx, "alice")
		step <- struct{}{}
		cancel()
		wantError(t, <-done, biz.KindCanceled, "CANCELED")
		h.wantNothing(t)
	})
}

func TestStopCutsUploads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		step, done := h.uploading(t.Context(), "alice")
		step <- struct{}{}
		_, silent := h.uploading(t.Context(), "alice")
		synctest.Wait()
		if err := h.audios.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		h.wantNothing(t) // once Stop has returned
		wantError(t, <-done, biz.KindUnavailable, "NOT_SERVING")
		wantError(t, <-silent, biz.KindUnavailable, "NOT_SERVING")
		_, err := h.audios.Upload(t.Context(), alice, &sending{AudioDraft: five()})
		wantError(t, err, biz.KindUnavailable, "NOT_SERVING")
		if err := h.audios.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestStopDoesNotWaitForEver: a source that does not give up holds up nobody but itself.
func TestStopDoesNotWaitForEver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		src := &stuck{make(chan struct{})}
		done := make(chan error, 1)
		go func() {
			_, err := h.audios.Upload(t.Context(), alice, src)
			done <- err
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := h.audios.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		close(src.free)
		<-done
	})
}

// stuck is a source that takes no notice of its context.
type stuck struct{ free chan struct{} }

func (s *stuck) Draft(context.Context) (biz.AudioDraft, error) {
	<-s.free
	return biz.AudioDraft{}, io.ErrUnexpectedEOF
}

func (s *stuck) Next(context.Context) ([]byte, error) { return nil, io.EOF }
