package biz_test

import (
	"context"
	"errors"
	"io"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/plugin"
)

func TestTranscriptIsMadeAndTold(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		o.upload("before")
		tr, stop := o.open(&scribe{write: reading})
		synctest.Wait()
		o.upload("after")
		tr.Wake()
		synctest.Wait() // and no clock has moved
		o.want("before", biz.TranscriptCompleted, "bytes of before")
		o.want("after", biz.TranscriptCompleted, "bytes of after")
		o.upload("by itself")
		o.wait(3 * time.Second)
		o.want("by itself", biz.TranscriptCompleted, "bytes of by itself")
		if got := o.transcript("after").Confidence; got != 0.5 {
			t.Errorf("confidence %v", got)
		}
		stop()
		o.counted(map[string]int{"completed": 3})
	})
}

func TestAttemptsWaitLongerAndLonger(t *testing.T) {
	t.Parallel()
	late := &plugin.Error{Kind: plugin.KindUnavailable, Reason: "busy", RetryAfter: 7 * time.Minute}
	for name, test := range map[string]struct {
		errs  []error
		says  string
		waits []time.Duration // at most; half of it at least
	}{
		"unavailable": {
			[]error{plugin.Unavailable("busy", nil), plugin.Unavailable("busy", nil), plugin.Unavailable("busy", errors.New("secret"))},
			"given up after 3 attempts: busy", []time.Duration{10 * time.Second, 20 * time.Second},
		},
		"any error": {
			[]error{io.ErrUnexpectedEOF, io.ErrUnexpectedEOF, errors.New("secret")},
			"given up after 3 attempts: the transcriber failed", []time.Duration{10 * time.Second, 20 * time.Second},
		},
		"at the last moment": {[]error{io.ErrUnexpectedEOF, late, nil}, "", []time.Duration{10 * time.Second, 7 * time.Minute}},
		"too long a wait": {
			[]error{&plugin.Error{Kind: plugin.KindUnavailable, RetryAfter: 1000 * time.Hour}, nil}, "", []time.Duration{time.Hour},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o := newOffice(t)
				s := &scribe{write: func(_ context.Context, _ plugin.Audio, call int) (plugin.Transcript, error) {
					return plugin.Transcript{}, test.errs[call-1]
				}}
				o.upload("a")
				_, stop := o.open(s)
				defer stop()
				o.wait(2 * time.Hour)
				status := biz.TranscriptFailed
				if test.says == "" {
					status = biz.TranscriptCompleted
				}
				o.want("a", status, test.says)
				times := s.times("a")
				if len(times) != len(test.errs) {
					t.Fatalf("called %d times, want %d", len(times), len(test.errs))
				}
				for i, most := range test.waits {
					least := most / 2
					if most > time.Minute {
						least = most
					}
					// What becomes due is found by the next look.
					if waited := times[i+1].Sub(times[i]); waited < least || waited > most+3*time.Second {
						t.Errorf("attempt %d after %v, want %v to %v", i+2, waited, least, most)
					}
				}
			})
		})
	}
}

func TestRefusalsAreFinal(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		id   biz.AudioID
		err  error
		says string
	}{
		"refused":         {"a", plugin.Refused("%s is no sound", "this"), "this is no sound"},
		"not allowed":     {"a", plugin.PermissionDenied("nobody may"), "nobody may"},
		"the bytes":       {"gone", nil, "the recording is not there any more"},
		"a strange text":  {"a", plugin.Refused("a\x00b\xff"), "a\uFFFDb\uFFFD"},
		"a very long one": {"a", plugin.Refused("%s", strings.Repeat("ä", 3000)), strings.Repeat("ä", 510) + "..."},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o := newOffice(t)
				o.max = 1 << 20
				o.upload(test.id)
				s := &scribe{write: func(ctx context.Context, a plugin.Audio, n int) (plugin.Transcript, error) {
					if test.err != nil {
						return plugin.Transcript{}, test.err
					}
					return reading(ctx, a, n)
				}}
				_, stop := o.open(s)
				synctest.Wait()
				stop()
				o.want(test.id, biz.TranscriptFailed, test.says)
				o.counted(map[string]int{"failed": 1})
			})
		})
	}
}

func TestAPanicConcernsOneRecording(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		o.upload("panics", "exits", "fine")
		s := &scribe{write: func(ctx context.Context, a plugin.Audio, n int) (plugin.Transcript, error) {
			switch {
			case a.ID == "panics" && n < 3:
				panic("nil map")
			case a.ID == "exits":
				runtime.Goexit()
			}
			return reading(ctx, a, n)
		}}
		_, stop := o.open(s)
		defer stop()
		o.wait(time.Hour)
		o.want("fine", biz.TranscriptCompleted, "bytes of fine")
		o.want("panics", biz.TranscriptCompleted, "bytes of panics")
		o.want("exits", biz.TranscriptFailed, "given up after 3 attempts: the transcriber failed")
	})
}

func TestAnAttemptIsLimited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		o.upload("a")
		var took []time.Duration
		s := &scribe{write: func(ctx context.Context, a plugin.Audio, n int) (plugin.Transcript, error) {
			start := time.Now()
			_, _ = blocking(ctx, a, n)
			took = append(took, time.Since(start))
			return plugin.Transcript{}, plugin.Refused("it ends in the middle") // for the wrong reason
		}}
		_, stop := o.open(s)
		o.wait(time.Hour)
		stop()
		o.want("a", biz.TranscriptFailed, "given up after 3 attempts: the transcriber took longer than 5m0s")
		if !slices.Equal(took, []time.Duration{5 * time.Minute, 5 * time.Minute, 5 * time.Minute}) {
			t.Errorf("the attempts took %v", took)
		}
		o.counted(map[string]int{"retried": 2, "failed": 1})
	})
}

// TestALongAttemptIsNotMadeTwice: two nodes, and an attempt that takes many leases.
func TestALongAttemptIsNotMadeTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		o.rules.Timeout = time.Hour
		o.upload("a")
		s := &scribe{write: func(ctx context.Context, a plugin.Audio, n int) (plugin.Transcript, error) {
			time.Sleep(30 * time.Minute)
			return reading(ctx, a, n)
		}}
		_, stop := o.open(s)
		_, stop2 := o.open(s)
		o.wait(time.Hour)
		stop()
		stop2()
		o.want("a", biz.TranscriptCompleted, "bytes of a")
		o.counted(map[string]int{"completed": 1})
	})
}

// TestALostClaim: somebody else took the transcript over, since this node could not be heard of. What
// it still does counts for nothing.
func TestALostClaim(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		o.upload("a")
		_, stop := o.open(&scribe{write: func(ctx context.Context, a plugin.Audio, n int) (plugin.Transcript, error) {
			_, _ = blocking(ctx, a, n)
			return plugin.Transcript{Text: "too late"}, nil
		}})
		synctest.Wait()
		taken, err := o.desk.Claim(t.Context(), time.Now().Add(time.Hour), time.Now().Add(2*time.Hour), 1)
		if err != nil || len(taken) != 1 {
			t.Fatalf("%v, %v", taken, err)
		}
		o.wait(time.Minute)
		o.counted(map[string]int{"lost": 1})
		stop()
		if got := o.transcript("a"); got.Status != biz.TranscriptProcessing || len(o.log.messages()) != 0 {
			t.Errorf("%+v, and the room is told %v", got, o.log.messages())
		}
	})
}

func TestStoppingPutsBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		o.rules.Attempts = 1
		o.upload("a", "b", "c")
		for range 3 {
			_, stop := o.open(&scribe{write: blocking})
			o.wait(time.Minute)
			start := time.Now()
			stop()
			if took := time.Since(start); took > 0 {
				t.Errorf("stopping took %v", took)
			}
		}
		_, stop := o.open(&scribe{write: reading})
		synctest.Wait() // at once: no lease is waited for, and no attempt has counted
		stop()
		for _, id := range []biz.AudioID{"a", "b", "c"} {
			o.want(id, biz.TranscriptCompleted, "bytes of "+string(id))
		}
		o.counted(map[string]int{"returned": 6, "completed": 3})
	})
}

func TestATranscriberThatDoesNotStopIsLeftBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		o.upload("a")
		release := make(chan struct{})
		_, stop := o.open(&scribe{write: func(context.Context, plugin.Audio, int) (plugin.Transcript, error) {
			<-release
			return plugin.Transcript{Text: "too late"}, nil
		}})
		synctest.Wait()
		start := time.Now()
		stop()
		if took := time.Since(start); took != 5*time.Second {
			t.Errorf("stopping took %v", took)
		}
		_, stop = o.open(&scribe{write: reading})
		synctest.Wait()
		close(release)
		synctest.Wait()
		stop()
		o.want("a", biz.TranscriptCompleted, "bytes of a")
	})
}

func TestWorkersAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		o.rules.Workers = 3
		ids := []biz.AudioID{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10"}
		o.upload(ids...)
		s := &scribe{write: func(ctx context.Context, a plugin.Audio, n int) (plugin.Transcript, error) {
			time.Sleep(time.Minute)
			return reading(ctx, a, n)
		}}
		_, stop := o.open(s)
		o.wait(4 * time.Minute) // ten in groups of three
		stop()
		if s.most != 3 {
			t.Errorf("%d at once", s.most)
		}
		for _, id := range ids {
			o.want(id, biz.TranscriptCompleted, "bytes of "+string(id))
		}
	})
}

func TestResultsAreChecked(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 1<<20)
	for name, test := range map[string]struct {
		result     plugin.Transcript
		confidence float64
		reason     string // "": it completes
	}{
		"silence":       {plugin.Transcript{}, 0, ""},
		"sure":          {plugin.Transcript{Text: "✓", Confidence: 1}, 1, ""},
		"too sure":      {plugin.Transcript{Text: "x", Confidence: math.Inf(1)}, 1, ""},
		"less than not": {plugin.Transcript{Text: "x", Confidence: -3}, 0, ""},
		"no number":     {plugin.Transcript{Text: "x", Confidence: math.NaN()}, 0, ""},
		"as long":       {plugin.Transcript{Text: long}, 0, ""},
		"too long":      {plugin.Transcript{Text: long + "x"}, 0, "the transcriber returned 1048577 bytes of text; at most 1048576 are allowed"},
		"not UTF-8":     {plugin.Transcript{Text: "a\xff"}, 0, `the transcriber's text is not valid UTF-8: "a\xff"`},
		"NUL":           {plugin.Transcript{Text: "a\x00"}, 0, "the transcriber's text has a NUL byte at position 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o := newOffice(t)
				o.max = 2 << 20
				o.upload("a")
				_, stop := o.open(&scribe{write: func(context.Context, plugin.Audio, int) (plugin.Transcript, error) { return test.result, nil }})
				synctest.Wait()
				stop()
				if test.reason != "" {
					o.want("a", biz.TranscriptFailed, test.reason)
					return
				}
				o.want("a", biz.TranscriptCompleted, test.result.Text)
				if got := o.transcript("a").Confidence; got != test.confidence {
					t.Errorf("confidence %v", got)
				}
			})
		})
	}
}
