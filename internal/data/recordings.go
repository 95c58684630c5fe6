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

// recordings deletes uploads that are older than what their room keeps, or whose room was deleted, and their transcripts. Their
// blobs, which no row names then, are swept by biz.Audios. One goroutine uses it; two nodes that delete
// the same do no harm.
type recordings struct {
	db   *DB
	last string // the last id that was looked at
	pace pace
}

// A room that is not known keeps recordings for as long as the node does.
const selectSweptRecordings = `SELECT a.id, a.created_at, coalesce(r.message_ttl, 0), coalesce(r.deleted_at, 0) FROM audios a
	LEFT JOIN rooms r ON r.id = a.room_id WHERE a.id > ? AND (r.message_ttl > 0 OR r.deleted_at > 0 OR ? > 0) ORDER BY a.id LIMIT ?`

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
	var due []string
	last := r.last
	err = r.db.reader.each(ctx, selectSweptRecordings, []any{r.last, limiting(keep), sweptRecordings}, func(rows *sql.Rows) error {
		var created, ttl, deleted int64
		if err := rows.Scan(&last, &created, &ttl, &deleted); err != nil {
			return err
		}
		seen++
		if deleted > 0 || keep.Horizon(time.Duration(ttl)*time.Microsecond, 0, now).Passed(1, fromMicros(created)) {
			due = append(due, last)
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

const (
	purgeTranscript = `DELETE FROM transcripts WHERE audio_id = ?`
	purgeAudio      = `DELETE FROM audios WHERE id = ?`
)

func (r *recordings) delete(due []string) error {
	r.pace.took(0, false)
	if len(due) == 0 {
		return nil
	}
	var audios, transcripts int64
	var began time.Time
	return r.db.writer.transact(func(t *tx) error {
		began, audios, transcripts = time.Now(), 0, 0
		for _, id := range due {
			n, err := t.exec(purgeTranscript, id)
			if err != nil {
				return err
			}
			transcripts += n
			if n, err = t.exec(purgeAudio, id); err != nil {
				return err
			}
			audios += n
		}
		return nil
	}, func() {
		r.db.metrics.purged.WithLabelValues("audios").Add(float64(audios))
		r.db.metrics.purged.WithLabelValues("transcripts").Add(float64(transcripts))
		r.pace.took(time.Since(began), r.db.writer.waiting.Load() > 0)
	})
}
