package datatest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// RunTranscripts runs the suites of transcripts alone, for stores that keep nothing else.
func RunTranscripts(t *testing.T, open Opener) {
	t.Helper()
	t.Run("TranscriptRepo", func(t *testing.T) { runAll(t, open, transcriptSuite) })
	t.Run("TranscriptQueue", func(t *testing.T) { runAll(t, open, transcriptQueueSuite) })
}

var transcriptSuite = map[string]func(scene){
	"nobody asked": func(s scene) {
		s.upload("a", false)
		_, err := s.Transcripts.Transcript(s.context(), "a")
		s.wantKind(err, biz.KindNotFound)
		s.equal("due", len(s.claim(aTime.Add(time.Hour), time.Hour, 10)), 0)
	},
	"asked for by the upload": func(s scene) {
		s.upload("a", true)
		s.equal("transcript", s.transcript("a"), pending())
		s.equal("due", len(s.claim(aTime, time.Hour, 10)), 1)
	},
	"a request begins one": func(s scene) {
		s.upload("a", false)
		got, err := s.Transcripts.Request(s.context(), "a", aTime)
		s.must(err)
		s.equal("answer", got, pending())
		s.equal("transcript", s.transcript("a"), pending())
		s.equal("due before", len(s.claim(aTime.Add(-time.Microsecond), time.Hour, 10)), 0)
		s.equal("due", len(s.claim(aTime, time.Hour, 10)), 1)
	},
	"a request for a recording that has gone begins none": func(s scene) {
		_, err := s.Transcripts.Request(s.context(), "gone", aTime)
		s.wantKind(err, biz.KindNotFound)
		_, err = s.Transcripts.Transcript(s.context(), "gone")
		s.wantKind(err, biz.KindNotFound)
	},
	"a second request changes nothing": func(s scene) {
		s.upload("a", true)
		job := s.claimOne(aTime)
		for _, status := range []biz.TranscriptStatus{biz.TranscriptProcessing, biz.TranscriptCompleted} {
			got, err := s.Transcripts.Request(s.context(), "a", aTime.Add(time.Hour))
			s.must(err)
			s.equal("status", got.Status, status)
			s.equal("created", got.CreatedAt, aTime)
			s.finish(job, completed)
		}
	},
	"many requests at once begin one": func(s scene) {
		s.upload("a", false)
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if _, err := s.Transcripts.Request(s.context(), "a", aTime); err != nil {
					s.t.Error(err)
				}
			})
		}
		wg.Wait()
		s.equal("due", len(s.claim(aTime, time.Hour, 10)), 1)
	},
	"ids compare byte by byte": func(s scene) {
		for _, id := range strangeIDs {
			s.upload(biz.AudioID(id), true)
		}
		for _, id := range strangeIDs {
			s.equal("id", s.transcript(biz.AudioID(id)).Audio, biz.AudioID(id))
		}
		s.equal("due", len(s.claim(aTime, time.Hour, 100)), len(strangeIDs))
	},
}

var transcriptQueueSuite = map[string]func(scene){
	"a job has everything": func(s scene) {
		s.upload("a", true)
		job := s.claimOne(aTime.Add(time.Minute))
		want := pending()
		want.Status, want.UpdatedAt = biz.TranscriptProcessing, aTime.Add(time.Minute)
		s.equal("job", job, biz.TranscriptJob{
			Audio: recording("a"), Transcript: want, Attempts: 1, Until: aTime.Add(time.Minute + lease),
		})
		s.equal("transcript", s.transcript("a"), want)
	},
	"the longest due first, up to the limit": func(s scene) {
		for i, id := range []biz.AudioID{"late", "early", "between"} {
			s.upload(id, false)
			_, err := s.Transcripts.Request(s.context(), id, aTime.Add([]time.Duration{3 * time.Second, time.Second, 2 * time.Second}[i]))
			s.must(err)
		}
		s.equal("nothing wanted", len(s.claim(aTime.Add(time.Minute), lease, 0)), 0)
		s.equal("first", ids(s.claim(aTime.Add(time.Minute), lease, 1)), []biz.AudioID{"early"})
		rest := ids(s.claim(aTime.Add(time.Minute), lease, 5))
		slices.Sort(rest)
		s.equal("rest", rest, []biz.AudioID{"between", "late"})
	},
	"a claim keeps others away until it runs out": func(s scene) {
		s.upload("a", true)
		first := s.claimOne(aTime)
		s.equal("while it lasts", len(s.claim(aTime.Add(lease-time.Microsecond), lease, 10)), 0)
		second := s.claimOne(aTime.Add(lease))
		s.equal("attempts", second.Attempts, 2)
		s.equal("status", second.Transcript.Status, biz.TranscriptProcessing)
		s.lost("the first holder", first)
		s.finish(second, completed)
	},
	"a claim that is held lasts longer": func(s scene) {
		s.upload("a", true)
		job := s.claimOne(aTime)
		before := job
		held, err := s.Queue.Hold(s.context(), &job, aTime.Add(2*lease))
		s.must(err)
		s.equal("held", held, true)
		s.equal("until", job.Until, aTime.Add(2*lease))
		s.equal("when the first lease is over", len(s.claim(aTime.Add(lease), lease, 10)), 0)
		s.lost("an old copy", before)
		s.finish(job, completed)
	},
	"released, it is due again": func(s scene) {
		s.upload("a", true)
		job := s.claimOne(aTime)
		s.release(job, aTime.Add(time.Second))
		s.lost("after release", job)
		s.equal("status", s.transcript("a").Status, biz.TranscriptProcessing)
		s.equal("before", len(s.claim(aTime.Add(time.Second-time.Microsecond), lease, 10)), 0)
		s.equal("attempts", s.claimOne(aTime.Add(time.Second)).Attempts, 2)
	},
	"released, it has the attempts that it is said to have": func(s scene) {
		s.upload("a", true)
		job := s.claimOne(aTime)
		job.Attempts--
		s.release(job, aTime)
		s.equal("attempts", s.claimOne(aTime).Attempts, 1)
	},
	"ended": func(s scene) {
		s.upload("a", true)
		job := s.claimOne(aTime)
		want := s.finish(job, completed)
		s.equal("transcript", s.transcript("a"), want)
		job.Transcript = want
		again := failedAs(job)
		held, err := s.Queue.Finish(s.context(), again)
		s.must(err)
		s.equal("ended twice", held, false)
		s.equal("transcript", s.transcript("a"), want)
	},
	"failed": func(s scene) {
		s.upload("a", true)
		want := s.finish(s.claimOne(aTime), failedAs)
		s.equal("transcript", s.transcript("a"), want)
	},
	"an end that is none": func(s scene) {
		s.upload("a", true)
		job := s.claimOne(aTime)
		_, err := s.Queue.Finish(s.context(), job)
		s.wantKind(err, biz.KindInternal)
		s.equal("status", s.transcript("a").Status, biz.TranscriptProcessing)
	},
	"ended and not settled, it comes back as it is": func(s scene) {
		s.upload("a", true)
		want := s.finish(s.claimOne(aTime), completed)
		job := s.claimOne(aTime.Add(lease))
		s.equal("transcript", job.Transcript, want)
		s.equal("attempts", job.Attempts, 1)
		s.release(job, aTime.Add(lease))
		s.equal("transcript", s.claimOne(aTime.Add(lease)).Transcript, want)
	},
	"settled, it never comes back": func(s scene) {
		s.upload("a", true)
		job := s.claimOne(aTime)
		held, err := s.Queue.Settle(s.context(), job)
		s.must(err)
		s.equal("settled before its end", held, false)
		want := s.finish(job, completed)
		s.settle(job)
		s.equal("due", len(s.claim(aTime.Add(1000*time.Hour), lease, 10)), 0)
		s.lost("after that", job)
		s.equal("transcript", s.transcript("a"), want)
	},
	"each is claimed once, however many claim": func(s scene) {
		const uploads = 40
		for i := range uploads {
			s.upload(biz.AudioID(fmt.Sprint(i)), true)
		}
		var mu sync.Mutex
		claimed := map[biz.AudioID]int{}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for {
					jobs, err := s.Queue.Claim(s.context(), aTime, aTime.Add(lease), 3)
					if err != nil {
						s.t.Error(err)
					}
					if len(jobs) == 0 {
						return
					}
					mu.Lock()
					for _, job := range jobs {
						claimed[job.Audio.ID]++
					}
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		s.equal("claimed", len(claimed), uploads)
		for id, n := range claimed {
			s.equal("claims of "+string(id), n, 1)
		}
	},
	"never backwards, whoever comes at once": func(s scene) {
		s.upload("a", true)
		stop, watched := make(chan struct{}), make(chan error, 1)
		go func() { watched <- s.watch("a", stop) }()
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() { s.scramble(i) })
		}
		wg.Wait()
		close(stop)
		s.must(<-watched)
		if got := s.transcript("a"); !got.Status.Ended() {
			s.t.Errorf("ended as %+v", got)
		}
	},
}

const lease = time.Minute

// scramble claims and does this or that with what it gets, with a clock that runs ahead of every
// lease, so that most of what it holds is somebody else's by the time it acts.
func (s scene) scramble(seed int) {
	for step := range 60 {
		now := aTime.Add(time.Duration(step*8+seed) * lease)
		jobs, err := s.Queue.Claim(s.context(), now, now.Add(lease), 1)
		if err != nil {
			s.t.Error(err)
			return
		}
		for _, job := range jobs {
			if job.Transcript.Status == biz.TranscriptPending {
				s.t.Error("a claimed transcript is PENDING")
			}
			switch {
			case step < 40:
				_, err = s.Queue.Release(s.context(), job, now)
			case seed%2 == 0:
				_, err = s.Queue.Finish(s.context(), completed(job))
			default:
				_, err = s.Queue.Finish(s.context(), failedAs(job))
			}
			if err != nil {
				s.t.Error(err)
			}
		}
		if _, err := s.Transcripts.Request(s.context(), "a", now); err != nil {
			s.t.Error(err)
		}
	}
}

// watch reads a transcript again and again: its status only rises, and once ended it stays as it is.
func (s scene) watch(id biz.AudioID, stop <-chan struct{}) error {
	var last biz.Transcript
	for {
		got, err := s.Transcripts.Transcript(s.context(), id)
		if err != nil {
			return err
		}
		if got.Status < last.Status || last.Status.Ended() && got != last {
			return fmt.Errorf("after %+v came %+v", last, got)
		}
		last = got
		select {
		case <-stop:
			return nil
		default:
		}
	}
}

// pending is the transcript of the upload a, which was just asked for.
func pending() biz.Transcript {
	return biz.Transcript{Audio: "a", Status: biz.TranscriptPending, CreatedAt: aTime, UpdatedAt: aTime}
}

func completed(job biz.TranscriptJob) biz.TranscriptJob {
	t := &job.Transcript
	t.Status, t.Text, t.Confidence, t.UpdatedAt = biz.TranscriptCompleted, "what was ✓ said", 0.8125, aTime.Add(time.Hour)
	return job
}

func failedAs(job biz.TranscriptJob) biz.TranscriptJob {
	t := &job.Transcript
	t.Status, t.Reason, t.UpdatedAt = biz.TranscriptFailed, "nobody can ✗ understand it", aTime.Add(2*time.Hour)
	return job
}

func ids(jobs []biz.TranscriptJob) (list []biz.AudioID) {
	for _, job := range jobs {
		list = append(list, job.Audio.ID)
	}
	return list
}

func (s scene) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s scene) upload(id biz.AudioID, transcribe bool) {
	s.t.Helper()
	s.must(s.Audios.Add(s.context(), recording(id), transcribe))
}

func (s scene) transcript(id biz.AudioID) biz.Transcript {
	s.t.Helper()
	t, err := s.Transcripts.Transcript(s.context(), id)
	s.must(err)
	return t
}

func (s scene) claim(now time.Time, lasting time.Duration, limit int) []biz.TranscriptJob {
	s.t.Helper()
	jobs, err := s.Queue.Claim(s.context(), now, now.Add(lasting), limit)
	s.must(err)
	return jobs
}

func (s scene) claimOne(now time.Time) biz.TranscriptJob {
	s.t.Helper()
	jobs := s.claim(now, lease, 10)
	if len(jobs) != 1 {
		s.t.Fatalf("claimed %+v, want one job", jobs)
	}
	return jobs[0]
}

func (s scene) release(job biz.TranscriptJob, at time.Time) {
	s.t.Helper()
	held, err := s.Queue.Release(s.context(), job, at)
	s.must(err)
	s.equal("held", held, true)
}

func (s scene) finish(job biz.TranscriptJob, end func(biz.TranscriptJob) biz.TranscriptJob) biz.Transcript {
	s.t.Helper()
	job = end(job)
	if _, err := s.Queue.Finish(s.context(), job); err != nil {
		s.t.Fatal(err)
	}
	return job.Transcript
}

func (s scene) settle(job biz.TranscriptJob) {
	s.t.Helper()
	held, err := s.Queue.Settle(s.context(), job)
	s.must(err)
	s.equal("held", held, true)
}

// lost wants that a claim is not held any more, whatever is tried with it, and that nothing changes.
func (s scene) lost(who string, job biz.TranscriptJob) {
	s.t.Helper()
	before := s.transcript(job.Audio.ID)
	for name, try := range map[string]func(biz.TranscriptJob) (bool, error){
		"Hold":    func(j biz.TranscriptJob) (bool, error) { return s.Queue.Hold(s.context(), &j, aTime.Add(time.Hour)) },
		"Release": func(j biz.TranscriptJob) (bool, error) { return s.Queue.Release(s.context(), j, aTime) },
		"Finish":  func(j biz.TranscriptJob) (bool, error) { return s.Queue.Finish(s.context(), failedAs(j)) },
		"Settle":  func(j biz.TranscriptJob) (bool, error) { return s.Queue.Settle(s.context(), j) },
	} {
		held, err := try(job)
		s.must(err)
		if held {
			s.t.Errorf("%s: %s is let", who, name)
		}
	}
	s.equal(who+": transcript", s.transcript(job.Audio.ID), before)
}
