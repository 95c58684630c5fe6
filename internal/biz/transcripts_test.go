package biz_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/plugin"
)

func TestTranscriptOf(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		by     biz.Identity
		id     biz.AudioID
		named  biz.UserID
		kind   biz.Kind
		reason string // "": granted
	}{
		"the uploader":           {by: alice, id: "a"},
		"a member":               {by: bob, id: "a"},
		"a member by name":       {by: bob, id: "a", named: "bob"},
		"somebody else's name":   {by: bob, id: "a", named: "alice", kind: biz.KindPermissionDenied, reason: "FOREIGN_USER"},
		"no member":              {by: biz.Identity{User: "eve"}, id: "a", kind: biz.KindPermissionDenied, reason: "NOT_A_MEMBER"},
		"a service":              {by: backend, id: "a"},
		"a service for whomever": {by: backend, id: "a", named: "eve"},
		"trusted, as a member":   {by: devEmpty, id: "a", named: "bob"},
		"trusted, as no member":  {by: devEmpty, id: "a", named: "eve", kind: biz.KindPermissionDenied, reason: "NOT_A_MEMBER"},
		"trusted, as nobody":     {by: devEmpty, id: "a"},
		"nobody":                 {by: nobody, id: "a", kind: biz.KindUnauthenticated, reason: "UNAUTHENTICATED"},
		"an unknown upload":      {by: alice, id: "b", kind: biz.KindNotFound, reason: "AUDIO_NOT_FOUND"},
		"no id":                  {by: alice, kind: biz.KindInvalid, reason: "INVALID_ARGUMENT"},
		"an impossible id":       {by: alice, id: "a\x00", kind: biz.KindInvalid, reason: "INVALID_ARGUMENT"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			o.upload("a")
			got, err := o.transcripts(nil, o.desk, o.log).Of(t.Context(), test.by, test.id, test.named)
			wantError(t, err, test.kind, test.reason)
			if err == nil && (got.Audio != "a" || got.Status != biz.TranscriptPending) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// TestAskingBeginsATranscript: whoever asks for one first begins it.
func TestAskingBeginsATranscript(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		a := biz.Audio{ID: "a", Room: "r", User: "alice", CreatedAt: time.Now()}
		if err := o.desk.Add(t.Context(), a, false); err != nil {
			t.Fatal(err)
		}
		tr, stop := o.open(&scribe{write: func(ctx context.Context, a plugin.Audio, n int) (plugin.Transcript, error) {
			time.Sleep(time.Second)
			return reading(ctx, a, n)
		}})
		defer stop()
		o.wait(10 * time.Second)
		for _, want := range []biz.TranscriptStatus{biz.TranscriptPending, biz.TranscriptProcessing, biz.TranscriptCompleted, biz.TranscriptCompleted} {
			got, err := tr.Of(t.Context(), bob, "a", "")
			if err != nil || got.Status != want {
				t.Errorf("got %+v, %v; want status %d", got, err, want)
			}
			o.wait(600 * time.Millisecond)
		}
		o.want("a", biz.TranscriptCompleted, "bytes of a")
	})
}

// mortal is the store as a node sees it that is killed after a number of writes: whatever it does
// afterwards does not arrive.
type mortal struct {
	*desk
	log *onceLog
	biz.MessageLog

	mu   sync.Mutex
	left int
}

var errKilled = biz.Errorf(biz.KindInternal, "KILLED", "this process is dead")

func (m *mortal) dead() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.left--
	return m.left < 0
}

func (m *mortal) Claim(ctx context.Context, now, until time.Time, limit int) ([]biz.TranscriptJob, error) {
	jobs, err := m.desk.Claim(ctx, now, until, limit)
	if len(jobs) > 0 {
		m.dead()
	}
	return jobs, err
}

func (m *mortal) Hold(ctx context.Context, job *biz.TranscriptJob, until time.Time) (bool, error) {
	if m.dead() {
		return false, errKilled
	}
	return m.desk.Hold(ctx, job, until)
}

func (m *mortal) Release(ctx context.Context, job biz.TranscriptJob, at time.Time) (bool, error) {
	if m.dead() {
		return false, errKilled
	}
	return m.desk.Release(ctx, job, at)
}

func (m *mortal) Finish(ctx context.Context, job biz.TranscriptJob) (bool, error) {
	if m.dead() {
		return false, errKilled
	}
	return m.desk.Finish(ctx, job)
}

func (m *mortal) Settle(ctx context.Context, job biz.TranscriptJob) (bool, error) {
	if m.dead() {
		return false, errKilled
	}
	return m.desk.Settle(ctx, job)
}

func (m *mortal) Append(d *biz.Draft, done func(biz.Receipt, error)) {
	if m.dead() {
		done(biz.Receipt{}, errKilled)
		return
	}
	m.log.Append(d, done)
}

// TestARoomIsToldOnceAcrossCrashes kills a node after each of its writes: the claim, the end of the
// transcript, the message, the note that the room was told. The next node would write down something
// else: what counts is what was stored, and that is what the room is told, once.
func TestARoomIsToldOnceAcrossCrashes(t *testing.T) {
	t.Parallel()
	says := func(text string) *scribe {
		return &scribe{write: func(context.Context, plugin.Audio, int) (plugin.Transcript, error) {
			return plugin.Transcript{Text: text}, nil
		}}
	}
	for writes, stored := range map[int]string{1: "second", 2: "first", 3: "first", 4: "first"} {
		t.Run(fmt.Sprint("after ", writes), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o := newOffice(t)
				o.upload("a")
				m := &mortal{desk: o.desk, log: o.log, left: writes}
				stop := o.run(o.transcripts(says("first"), m, m))
				o.wait(30 * time.Second)
				stop()
				early := len(o.log.messages())
				if told := writes >= 3; early > 1 || (early == 1) != told {
					t.Fatalf("the first node has said %d things", early)
				}
				_, stop = o.open(says("second"))
				o.wait(time.Hour)
				stop()
				o.want("a", biz.TranscriptCompleted, stored)
			})
		})
	}
}

// TestInterruptionsAreCounted: a recording that kills every node that touches it is given up.
func TestInterruptionsAreCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		o.upload("a")
		s := &scribe{write: blocking}
		for range 10 {
			m := &mortal{desk: o.desk, log: o.log, left: 1}
			stop := o.run(o.transcripts(s, m, m))
			o.wait(time.Second)
			stop()
			o.wait(time.Hour)
		}
		_, stop := o.open(s)
		o.wait(time.Hour)
		stop()
		o.want("a", biz.TranscriptFailed, "given up after 3 attempts, during the last of which the node was interrupted")
		if n := len(s.times("a")); n != 3 {
			t.Errorf("%d attempts", n)
		}
	})
}

// flaky is a queue whose writes fail at first.
type flaky struct {
	*desk
	mu       sync.Mutex
	failures int
}

func (f *flaky) Finish(ctx context.Context, job biz.TranscriptJob) (bool, error) {
	f.mu.Lock()
	f.failures--
	fails := f.failures >= 0
	f.mu.Unlock()
	if fails {
		return false, biz.Errorf(biz.KindUnavailable, "STORE_UNAVAILABLE", "not now")
	}
	return f.desk.Finish(ctx, job)
}

// TestAResultIsNotThrownAway while the store cannot take it for a while, and made again when that
// takes too long.
func TestAResultIsNotThrownAway(t *testing.T) {
	t.Parallel()
	for failures, calls := range map[int]int{4: 1, 8: 2} {
		t.Run(fmt.Sprint(failures, " failures"), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o := newOffice(t)
				o.upload("a")
				s := &scribe{write: reading}
				stop := o.run(o.transcripts(s, &flaky{desk: o.desk, failures: failures}, o.log))
				o.wait(time.Hour)
				stop()
				o.want("a", biz.TranscriptCompleted, "bytes of a")
				if n := len(s.times("a")); n != calls {
					t.Errorf("%d calls, want %d", n, calls)
				}
			})
		})
	}
}

// TestARoomIsToldWhenTheLogIsBack: and the transcript can be read before.
func TestARoomIsToldWhenTheLogIsBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		o.upload("a")
		o.log.set(true)
		_, stop := o.open(&scribe{write: reading})
		o.wait(24 * time.Hour)
		if got := o.transcript("a"); got.Status != biz.TranscriptCompleted || o.desk.settled("a") {
			t.Errorf("%+v, settled %v", got, o.desk.settled("a"))
		}
		o.log.set(false)
		o.wait(20 * time.Second)
		stop()
		o.want("a", biz.TranscriptCompleted, "bytes of a")
		o.counted(map[string]int{"completed": 1})
	})
}

// TestWhoeverUploadedMayBeGone: left, or muted; the room is told all the same.
func TestWhoeverUploadedMayBeGone(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*office){
		"left":  func(o *office) { _, _ = o.log.Leave(o.t.Context(), "r", "alice") },
		"muted": func(o *office) { o.log.members["r"][0].Muted = true },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o := newOffice(t)
				o.upload("a")
				change(o)
				_, stop := o.open(&scribe{write: reading})
				synctest.Wait()
				stop()
				o.want("a", biz.TranscriptCompleted, "bytes of a")
			})
		})
	}
}

func TestARoomThatKeepsNothingIsToldAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		o.uploadTo("v", "a")
		_, stop := o.open(&scribe{write: reading})
		synctest.Wait()
		stop()
		told := o.live.delivered
		if len(told) != 1 || told[0].Room != "v" || told[0].ID == "" || told[0].Seq != 0 ||
			!strings.Contains(string(told[0].Content), "bytes of a") || !o.desk.settled("a") {
			t.Errorf("told %+v, settled %v", told, o.desk.settled("a"))
		}
	})
}

func TestARoomThatIsGoneIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		o.uploadTo("nowhere", "a")
		_, stop := o.open(&scribe{write: reading})
		synctest.Wait()
		stop()
		if got := o.transcript("a"); got.Status != biz.TranscriptCompleted || !o.desk.settled("a") {
			t.Errorf("%+v, settled %v", got, o.desk.settled("a"))
		}
	})
}

// TestATextThatIsTooLargeIsFetched: the room is told without it.
func TestATextThatIsTooLargeIsFetched(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		o.upload("a")
		text := strings.Repeat("x", o.max)
		tr, stop := o.open(&scribe{write: func(context.Context, plugin.Audio, int) (plugin.Transcript, error) {
			return plugin.Transcript{Text: text, Confidence: 0.25}, nil
		}})
		synctest.Wait()
		stop()
		told := o.log.messages()
		if len(told) != 1 || len(told[0].Content) > o.max || strings.Contains(string(told[0].Content), `"text"`) ||
			!strings.Contains(string(told[0].Content), `"confidence":"0.25"`) {
			t.Fatalf("told %+v", told)
		}
		if got, err := tr.Of(t.Context(), bob, "a", ""); err != nil || got.Text != text {
			t.Errorf("fetched %d bytes, %v", len(got.Text), err)
		}
	})
}
