package data

import (
	"context"
	"database/sql"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

const (
	// sweptRecordings is how many recordings are looked at in one query, and at most deleted in one
	// transaction; recordingRounds how many queries a sweep makes.
	sweptRecordings = 200
	recordingRounds = 50
)

// recordings deletes uploads that no message refers to any more, and their transcripts. Their blobs are
// deleted by biz.Audios. One goroutine uses it; two nodes that delete the same do no harm.
type recordings struct {
	db   *DB
	last string // the last id that was looked at
	pace pace
}

const selectSweptRecordings = `SELECT a.id, a.created_at, a.follows_messages, coalesce(r.message_ttl, 0), CASE WHEN coalesce(r.deleted_at, 1) > 0 THEN -1 ELSE r.floor_seq END,
	coalesce((SELECT max(f.seq) FROM audio_refs f WHERE f.audio_id = a.id), 0)
	FROM audios a LEFT JOIN rooms r ON r.id = a.room_id WHERE a.id > ? ORDER BY a.id LIMIT ?`

// sweptRecording is what decides about one.
type sweptRecording struct {
	id           string
	created, ttl int64
	follows      bool  // who refers to it was noted from the beginning
	floor        int64 // of its room; -1 where there is none any more
	referred     int64 // the last message that refers to it; 0: none
}

// due tells whether nothing holds a recording any more. One that no message refers to is held by its age.
func (r *sweptRecording) due(now time.Time, keep biz.Retention) bool {
	created := fromMicros(r.created)
	switch {
	case r.floor < 0:
		return true
	case r.follows && r.referred > 0:
		return r.referred <= r.floor
	case r.follows && keep.Unreferenced > 0 && created.Before(now.Add(-keep.Unreferenced)):
		return true
	}
	return keep.Horizon(time.Duration(r.ttl)*time.Microsecond, 0, now).Passed(1, created)
}

func (r *recordings) sweep(ctx context.Context, now time.Time, keep biz.Retention) error {
	for range recordingRounds {
		seen, err := r.sweepPart(ctx, now, keep)
		if err != nil {
			return err
		}
		if seen < sweptRecordings {
			r.last = ""
			return nil
		}
		if err := r.pace.rest(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (r *recordings) sweepPart(ctx context.Context, now time.Time, keep biz.Retention) (seen int, err error) {
	due, last := map[string]int64{}, r.last
	err = r.db.reader.each(ctx, selectSweptRecordings, []any{r.last, sweptRecordings}, func(rows *sql.Rows) error {
		var s sweptRecording
		if err := rows.Scan(&s.id, &s.created, &s.follows, &s.ttl, &s.floor, &s.referred); err != nil {
			return err
		}
		seen, last = seen+1, s.id
		if s.due(now, keep) {
			due[s.id] = s.referred
		}
		return nil
	})
	if err != nil {
		return 0, storeError(err)
	}
	if err := r.delete(due); err != nil {
		return 0, storeError(err)
	}
	r.last = last
	return seen, nil
}

// delete takes recordings with the last message that was seen to refer to them. What another one refers to
// since then stays.
func (r *recordings) delete(due map[string]int64) error {
	r.pace.took(0, false)
	if len(due) == 0 {
		return nil
	}
	named := make(map[string]bool, len(due))
	for id := range due {
		named[id] = true
	}
	var audios, transcripts int64
	var began time.Time
	return r.db.writer.transact(func(t *tx) error {
		began, audios, transcripts = time.Now(), 0, 0
		if _, err := lockAudios(t, named); err != nil {
			return err
		}
		for id, seen := range due {
			a, s, err := deleteAudio(t, id, seen)
			if err != nil {
				return err
			}
			audios, transcripts = audios+a, transcripts+s
		}
		return nil
	}, func() {
		r.db.metrics.purged.WithLabelValues("audios").Add(float64(audios))
		r.db.metrics.purged.WithLabelValues("transcripts").Add(float64(transcripts))
		r.pace.took(time.Since(began), r.db.writer.waiting.Load() > 0)
	})
}
