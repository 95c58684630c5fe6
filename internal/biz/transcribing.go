package biz

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// transcriptPoll is how often Run looks for what has become due by itself: attempts that wait,
	// and what a node left behind that was killed.
	transcriptPoll = 2 * time.Second
	// transcriptLease is how long a claim lasts, and so how long what a killed node was at has to
	// wait. It is renewed in time.
	transcriptLease = time.Minute
	// storePatience bounds what is written when the node is stopping, or for a caller who has gone.
	storePatience = 10 * time.Second
	// maxTranscriptBackoff bounds the time between two attempts, whoever asks for it.
	maxTranscriptBackoff = time.Hour
	// noticeBackoff is about how long a room waits to be told when that failed.
	noticeBackoff = 10 * time.Second
)

// Run makes transcripts and tells their rooms until ctx ends. What is not finished then is put back,
// and due at once; it waits a few seconds for the transcriber to notice. It may be called once.
func (t *Transcripts) Run(ctx context.Context) error {
	var working sync.WaitGroup
	defer working.Wait()
	var busy atomic.Int64
	broken := false
	for ctx.Err() == nil {
		jobs, err := t.claim(ctx, t.rules.Load().Workers-int(busy.Load()))
		if err != nil && !broken && ctx.Err() == nil {
			t.log.Error("transcripts that wait cannot be read", "error", err)
		}
		broken = err != nil
		busy.Add(int64(len(jobs)))
		for _, job := range jobs {
			working.Go(func() {
				defer t.Wake()
				defer busy.Add(-1)
				t.work(ctx, job)
			})
		}
		t.waitForWork(ctx)
	}
	return nil
}

// claim takes as many jobs as there are idle workers.
func (t *Transcripts) claim(ctx context.Context, idle int) ([]TranscriptJob, error) {
	if idle <= 0 { // below 0: there were more workers before
		return nil, nil
	}
	now := time.Now()
	return t.stores.Queue.Claim(ctx, now, now.Add(transcriptLease), idle)
}

// waitForWork returns when there may be something to do, or somebody to do it.
func (t *Transcripts) waitForWork(ctx context.Context) {
	poll := time.NewTimer(jittered(transcriptPoll))
	defer poll.Stop()
	select {
	case <-t.wake:
	case <-poll.C:
	case <-ctx.Done():
	}
}

// work does what is to be done for a job: make the transcript, unless that was done before, and tell
// the room. A transcript is stored before its room is told, so that whoever is told can fetch it,
// and what is told again after a crash is word for word the same, which the log takes for the same
// message.
func (t *Transcripts) work(ctx context.Context, job TranscriptJob) {
	if job.Transcript.Status.Ended() || t.finish(ctx, &job, t.transcribe(ctx, &job)) {
		t.tell(ctx, job)
	}
}

// finish writes down what an attempt has come to, and tells whether the transcript has ended with
// it.
func (t *Transcripts) finish(ctx context.Context, job *TranscriptJob, v verdict) (ended bool) {
	switch v.outcome {
	case TranscriptLost:
		return false
	case TranscriptReturned:
		job.Attempts-- // it was the node that gave up
		t.release(ctx, *job, 0)
		return false
	case TranscriptRetried:
		t.release(ctx, *job, max(t.backoff(job.Attempts), min(v.wait, maxTranscriptBackoff)))
		return false
	}
	job.Transcript.Text, job.Transcript.Confidence, job.Transcript.Reason = v.text, v.confidence, v.reason
	job.Transcript.Status, job.Transcript.UpdatedAt = v.outcome.status(), time.Now()
	return t.write(ctx, job.Audio.ID, "end", func(ctx context.Context) (bool, error) {
		return t.stores.Queue.Finish(ctx, *job)
	})
}

// tell tells the room of a transcript that has ended.
func (t *Transcripts) tell(ctx context.Context, job TranscriptJob) {
	patient, cancel := context.WithTimeout(context.WithoutCancel(ctx), storePatience)
	defer cancel()
	if err := t.announce(patient, job); err != nil {
		t.log.Warn("a room is not told of a transcript yet", "audio", job.Audio.ID, "error", err)
		t.release(ctx, job, jittered(noticeBackoff))
		return
	}
	t.write(ctx, job.Audio.ID, "settle", func(ctx context.Context) (bool, error) {
		return t.stores.Queue.Settle(ctx, job)
	})
}

func (t *Transcripts) release(ctx context.Context, job TranscriptJob, wait time.Duration) {
	t.write(ctx, job.Audio.ID, "put back", func(ctx context.Context) (bool, error) {
		return t.stores.Queue.Release(ctx, job, time.Now().Add(wait))
	})
}

// writeTries bounds how often write tries. With the time between the tries, which adds up to half a
// minute, all of them are well within a lease. What could not be written is done again when that is
// over.
const writeTries = 6

// write changes the queue, though ctx may have ended, and tells whether the claim was held. It tries
// again while the store is unavailable.
func (t *Transcripts) write(ctx context.Context, id AudioID, what string, change func(context.Context) (bool, error)) bool {
	for try := 1; ; try++ {
		patient, cancel := context.WithTimeout(context.WithoutCancel(ctx), storePatience)
		held, err := change(patient)
		cancel()
		if err == nil {
			return held
		}
		if try == writeTries || KindOf(err) != KindUnavailable || !sleep(ctx, time.Second<<(try-1)) {
			t.log.Error("a transcript could not be written", "audio", id, "change", what, "error", err)
			return false
		}
	}
}

// sleep waits and tells whether it did; ctx ends it early.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// backoff is how long the attempt after the given one waits.
func (t *Transcripts) backoff(attempts int) time.Duration {
	d := t.rules.Load().Backoff
	for range attempts - 1 {
		if d = min(2*d, maxTranscriptBackoff); d == maxTranscriptBackoff {
			break
		}
	}
	return jittered(d)
}

// jittered is d, half of it by chance, so that what failed together does not come again together.
func jittered(d time.Duration) time.Duration { return d/2 + rand.N(d/2+1) }
