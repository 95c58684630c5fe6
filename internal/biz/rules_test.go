package biz_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/plugin"
)

// TestRulesAreReplaced: what is asked after SetRules follows the new rules.
func TestRulesAreReplaced(t *testing.T) {
	t.Parallel()
	s, l := newStore(), &live{}
	rooms := newRooms(s, l, biz.RoomRules{})
	alice := biz.Identity{User: "alice"}
	join := func(room biz.RoomID) error {
		_, err := rooms.Join(t.Context(), alice, biz.JoinRequest{Room: room})
		return err
	}
	if err := join("a"); biz.KindOf(err) != biz.KindNotFound {
		t.Errorf("a room is made against the rules: %v", err)
	}
	rooms.SetRules(openRules)
	if err := join("a"); err != nil {
		t.Error(err)
	}

	messages := biz.NewMessages(s, s, l, biz.MessageRules{MaxContentBytes: 3, MaxMetadataBytes: 100})
	send := func() (err error) {
		d := &biz.Draft{Message: biz.Message{Room: "a", Type: biz.TypeText, Content: []byte("four")}}
		messages.Send(context.Background(), alice, d, func(_ biz.Receipt, e error) { err = e })
		return err
	}
	if err := send(); biz.KindOf(err) != biz.KindInvalid {
		t.Errorf("4 of 3 bytes: %v", err)
	}
	messages.SetRules(biz.MessageRules{MaxContentBytes: 4, MaxMetadataBytes: 100})
	if err := send(); err != nil {
		t.Errorf("4 of 4 bytes: %v", err)
	}
}

// TestAudioRulesAreReplaced: uploads that begin after SetRules follow the new rules, and one that runs
// goes on under those that it began with.
func TestAudioRulesAreReplaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := newHall()
		begin := func(user biz.UserID) (step chan struct{}, done chan error) {
			step, done = h.uploading(t.Context(), user)
			step <- struct{}{}
			synctest.Wait()
			return step, done
		}
		first, firstDone := begin("alice")
		// Of alice's five bytes of opus, nothing would be taken now.
		h.audios.SetRules(biz.AudioRules{
			MaxBytes: 4, Formats: []string{"opus"}, MaxUploads: 3, MaxUploadsPerUser: 3, IdleTimeout: time.Second, UploadTimeout: time.Minute,
		})
		_, done := begin("carol")
		wantError(t, <-done, biz.KindInvalid, "AUDIO_TOO_LARGE")
		h.audios.SetRules(biz.AudioRules{
			MaxBytes: 5, Formats: []string{"mp3"}, MaxUploads: 3, MaxUploadsPerUser: 3, IdleTimeout: time.Second, UploadTimeout: time.Minute,
		})
		_, done = begin("carol")
		wantError(t, <-done, biz.KindInvalid, "AUDIO_FORMAT")
		h.audios.SetRules(biz.AudioRules{
			MaxBytes: 5, Formats: []string{"opus"}, MaxUploads: 1, MaxUploadsPerUser: 1, IdleTimeout: time.Second, UploadTimeout: 3 * time.Second,
		})
		_, done = begin("carol")
		wantError(t, <-done, biz.KindResourceLimit, "TOO_MANY_UPLOADS")
		time.Sleep(9 * time.Second) // the first one may wait for ten
		for range 3 {
			first <- struct{}{}
		}
		wantError(t, <-firstDone, 0, "")
		_, done = begin("carol")
		time.Sleep(time.Second)
		wantError(t, <-done, biz.KindUnavailable, "UPLOAD_STALLED")
		step, done := begin("carol")
		time.Sleep(900 * time.Millisecond)
		step <- struct{}{}
		time.Sleep(900 * time.Millisecond)
		step <- struct{}{}
		time.Sleep(900 * time.Millisecond)
		h.audios.SetRules(biz.AudioRules{
			MaxBytes: 5, Formats: []string{"opus"}, MaxUploads: 1, MaxUploadsPerUser: 1, IdleTimeout: time.Minute, UploadTimeout: time.Minute,
		})
		time.Sleep(time.Second)
		if got := (<-done).Error(); !strings.Contains(got, "nothing came for 1s") && !strings.Contains(got, "longer than 3s") {
			t.Errorf("got %s", got)
		}
	})
}

// TestTranscriptRulesAreReplaced: more workers begin at once, and fewer do when those that work have
// ended; attempts that begin later have the new limits.
func TestTranscriptRulesAreReplaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		proceed := make(chan struct{})
		var working atomic.Int32
		tr, stop := o.open(&scribe{write: func(ctx context.Context, a plugin.Audio, n int) (plugin.Transcript, error) {
			working.Add(1)
			defer working.Add(-1)
			select {
			case <-proceed:
				return reading(ctx, a, n)
			case <-ctx.Done():
				return plugin.Transcript{}, ctx.Err()
			}
		}})
		defer stop()
		at := func(want int32, when string) {
			t.Helper()
			synctest.Wait()
			if got := working.Load(); got != want {
				t.Errorf("%s: %d work, want %d", when, got, want)
			}
		}
		o.upload("a", "b", "c", "d", "e", "f")
		tr.Wake()
		at(2, "at first")
		rules := o.rules
		rules.Workers = 4
		tr.SetRules(rules)
		at(4, "with two more")
		rules.Workers, rules.Timeout, rules.Attempts = 1, time.Minute, 1
		tr.SetRules(rules)
		at(4, "with three less")
		proceed <- struct{}{}
		proceed <- struct{}{}
		proceed <- struct{}{}
		at(1, "after three have ended")
		proceed <- struct{}{}
		at(1, "after the fourth has ended")
		time.Sleep(time.Minute + time.Second)
		at(1, "after the time of the fifth")
		close(proceed)
		synctest.Wait()
		ended := map[string]int{}
		for _, id := range []biz.AudioID{"a", "b", "c", "d", "e", "f"} {
			got := o.transcript(id)
			ended[got.Text+got.Reason[:min(len(got.Reason), 8)]]++
			if got.Reason != "" && got.Reason != "given up after 1 attempts: the transcriber took longer than 1m0s" {
				t.Errorf("%s: %q", id, got.Reason)
			}
		}
		if ended["given up"] != 1 || len(ended) != 6 {
			t.Errorf("ended %v", ended)
		}
	})
}
