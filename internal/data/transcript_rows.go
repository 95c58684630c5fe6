package data

import (
	"time"

	"github.com/game-im/hermod/internal/biz"
)

type transcriptRow struct {
	AudioID    string `gorm:"primaryKey"`
	Status     int8
	Text       string
	Confidence float64
	Reason     string
	Attempts   int
	DueAt      *int64
	CreatedAt  int64 `gorm:"autoCreateTime:false"`
	UpdatedAt  int64 `gorm:"autoUpdateTime:false"`
}

func (transcriptRow) TableName() string { return "transcripts" }

const transcriptColumns = `audio_id, status, text, confidence, reason, attempts, due_at, created_at, updated_at`

func (r *transcriptRow) fields() []any {
	return []any{
		&r.AudioID, &r.Status, &r.Text, &r.Confidence, &r.Reason, &r.Attempts, &r.DueAt, &r.CreatedAt, &r.UpdatedAt,
	}
}

// newTranscriptRow is a transcript that was asked for at the given time, and is due.
func newTranscriptRow(id biz.AudioID, at time.Time) transcriptRow {
	due := toMicros(at)
	return transcriptRow{AudioID: string(id), Status: int8(biz.TranscriptPending), DueAt: &due, CreatedAt: due, UpdatedAt: due}
}

func fromTranscriptRow(r transcriptRow) biz.Transcript {
	return biz.Transcript{
		Audio: biz.AudioID(r.AudioID), Status: biz.TranscriptStatus(r.Status), Text: r.Text,
		Confidence: r.Confidence, Reason: r.Reason,
		CreatedAt: fromMicros(r.CreatedAt), UpdatedAt: fromMicros(r.UpdatedAt),
	}
}

// jobRow is a transcript with its upload.
type jobRow struct {
	transcriptRow
	audio audioRow
}

const jobColumns = `t.audio_id, t.status, t.text, t.confidence, t.reason, t.attempts, t.due_at, t.created_at, t.updated_at,
	a.id, a.room_id, a.user_id, a.format, a.size, a.duration, a.created_at, a.measured, a.waveform, a.follows_messages`

func (r *jobRow) fields() []any {
	return append(r.transcriptRow.fields(), r.audio.fields()...)
}

// claim makes the row what a claim makes of it.
func (r *jobRow) claim(now, until time.Time) {
	if !biz.TranscriptStatus(r.Status).Ended() {
		r.Attempts++
	}
	if r.Status == int8(biz.TranscriptPending) {
		r.Status, r.UpdatedAt = int8(biz.TranscriptProcessing), toMicros(now)
	}
	due := toMicros(until)
	r.DueAt = &due
}

func fromJobRow(r jobRow) biz.TranscriptJob {
	return biz.TranscriptJob{
		Audio:      fromAudioRow(r.audio),
		Transcript: fromTranscriptRow(r.transcriptRow),
		Attempts:   r.Attempts,
		Until:      fromMicros(*r.DueAt),
	}
}
