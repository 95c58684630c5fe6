package data

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// Transcripts is a biz.TranscriptRepo and a biz.TranscriptQueue. due_at is the claim: it says until
// when a row is somebody's, and no two claims of a row have the same.
type Transcripts struct {
	db *DB
}

// NewTranscripts returns the transcripts in db.
func NewTranscripts(db *DB) *Transcripts { return &Transcripts{db: db} }

const selectTranscript = `SELECT ` + transcriptColumns + ` FROM transcripts WHERE audio_id = ?`

// Transcript returns the transcript of an upload, or KindNotFound when nobody asked for one.
func (r *Transcripts) Transcript(ctx context.Context, id biz.AudioID) (biz.Transcript, error) {
	t, err := loadTranscript(r.db.reader.scanning(ctx), id)
	return t, storeError(err)
}

func loadTranscript(read scan, id biz.AudioID) (biz.Transcript, error) {
	var row transcriptRow
	err := read(selectTranscript, []any{string(id)}, row.fields()...)
	if errors.Is(err, sql.ErrNoRows) {
		return biz.Transcript{}, biz.Errorf(biz.KindNotFound, "TRANSCRIPT_NOT_FOUND", "nobody asked for a transcript of %q", id)
	}
	if err != nil {
		return biz.Transcript{}, err
	}
	return fromTranscriptRow(row), nil
}

var insertTranscript = insertInto("transcripts", transcriptColumns)

// Request makes a pending transcript, due at once, if there is none, and returns what then is. The recording is locked:
// a transcript without one would be due for ever.
func (r *Transcripts) Request(ctx context.Context, id biz.AudioID, at time.Time) (t biz.Transcript, err error) {
	row := newTranscriptRow(id, at)
	err = r.db.writer.do(ctx, func(tx *tx) (err error) {
		var found string
		if err := tx.locked(`SELECT id FROM audios WHERE id = ?`, []any{string(id)}, &found); err != nil {
			if errors.Is(err, sql.ErrNoRows) {
				return biz.ErrAudioNotFound(id)
			}
			return err
		}
		if _, err := tx.exec(insertTranscript+tx.dialect.once("audio_id"), row.fields()...); err != nil {
			return err
		}
		t, err = loadTranscript(tx.scan, id)
		return err
	}, func() {})
	return t, err
}

const (
	selectAnyDue = `SELECT 1 FROM transcripts WHERE due_at <= ? LIMIT 1`

	selectDue = `SELECT ` + jobColumns + ` FROM transcripts t JOIN audios a ON a.id = t.audio_id
		WHERE t.due_at <= ? ORDER BY t.due_at LIMIT ?`

	// The condition holds in any case where one node writes; where several do, one of them gets the row.
	claimTranscript = `UPDATE transcripts SET status = ?, attempts = ?, due_at = ?, updated_at = ?
		WHERE audio_id = ? AND due_at = ?`
)

// Claim takes up to limit transcripts that are due at now; see biz.TranscriptQueue. When there are
// none, which is usual, it does not disturb the writer.
func (r *Transcripts) Claim(ctx context.Context, now, until time.Time, limit int) ([]biz.TranscriptJob, error) {
	var one int
	err := r.db.reader.scanning(ctx)(selectAnyDue, []any{toMicros(now)}, &one)
	if errors.Is(err, sql.ErrNoRows) || limit <= 0 {
		return nil, nil
	}
	if err != nil {
		return nil, storeError(err)
	}
	var jobs []biz.TranscriptJob
	err = r.db.writer.do(ctx, func(t *tx) (err error) {
		jobs, err = claimDue(t, now, until, limit)
		return err
	}, func() {})
	if err != nil {
		return nil, err
	}
	return jobs, nil
}

func claimDue(t *tx, now, until time.Time, limit int) ([]biz.TranscriptJob, error) {
	due, err := loadDue(t, now, limit)
	if err != nil {
		return nil, err
	}
	var jobs []biz.TranscriptJob
	for _, row := range due {
		before := row.DueAt
		row.claim(now, until)
		n, err := t.exec(claimTranscript, row.Status, row.Attempts, row.DueAt, row.UpdatedAt, row.AudioID, before)
		if err != nil {
			return nil, err
		}
		if n > 0 {
			jobs = append(jobs, fromJobRow(row))
		}
	}
	return jobs, nil
}

func loadDue(t *tx, now time.Time, limit int) (due []jobRow, err error) {
	err = t.each(selectDue, []any{toMicros(now), limit}, func(rows *sql.Rows) error {
		var row jobRow
		err := rows.Scan(row.fields()...)
		due = append(due, row)
		return err
	})
	return due, err
}

const moveClaim = `UPDATE transcripts SET due_at = ? WHERE audio_id = ? AND due_at = ?`

// Hold makes a claim last until another time, and notes that in job.
func (r *Transcripts) Hold(ctx context.Context, job *biz.TranscriptJob, until time.Time) (bool, error) {
	held, err := r.change(ctx, *job, moveClaim, toMicros(until))
	if held {
		job.Until = until
	}
	return held, err
}

const releaseClaim = `UPDATE transcripts SET due_at = ?, attempts = ? WHERE audio_id = ? AND due_at = ?`

// Release gives a claim up: the transcript is due again at the given time, after job.Attempts
// attempts.
func (r *Transcripts) Release(ctx context.Context, job biz.TranscriptJob, at time.Time) (bool, error) {
	return r.change(ctx, job, releaseClaim, toMicros(at), job.Attempts)
}

const finishTranscript = `UPDATE transcripts SET status = ?, text = ?, confidence = ?, reason = ?, updated_at = ?
	WHERE audio_id = ? AND due_at = ? AND status = 2`

// Finish ends a transcript that is PROCESSING as job.Transcript says. The claim stays.
func (r *Transcripts) Finish(ctx context.Context, job biz.TranscriptJob) (bool, error) {
	t := job.Transcript
	if !t.Status.Ended() {
		return false, biz.Errorf(biz.KindInternal, "INTERNAL", "a transcript cannot end as %d", t.Status)
	}
	return r.change(ctx, job, finishTranscript, int8(t.Status), t.Text, t.Confidence, t.Reason, toMicros(t.UpdatedAt))
}

const settleTranscript = `UPDATE transcripts SET due_at = NULL WHERE audio_id = ? AND due_at = ? AND status > 2`

// Settle takes a transcript that has ended out of the queue for good.
func (r *Transcripts) Settle(ctx context.Context, job biz.TranscriptJob) (bool, error) {
	return r.change(ctx, job, settleTranscript)
}

// change runs a statement that ends with the claim of job, and tells whether that is held.
func (r *Transcripts) change(ctx context.Context, job biz.TranscriptJob, statement string, args ...any) (held bool, err error) {
	args = append(args, string(job.Audio.ID), toMicros(job.Until))
	err = r.db.writer.do(ctx, func(t *tx) error {
		n, err := t.exec(statement, args...)
		held = n > 0
		return err
	}, func() {})
	return held && err == nil, err
}
