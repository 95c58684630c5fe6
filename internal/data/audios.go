package data

import (
	"context"
	"database/sql"
	"errors"

	"github.com/game-im/hermod/internal/biz"
)

// Audios is a biz.AudioRepo.
type Audios struct{ db *DB }

// NewAudios returns the uploads in db.
func NewAudios(db *DB) *Audios { return &Audios{db: db} }

var insertAudio = insertInto("audios", audioColumns)

// Add keeps a finished upload and, when transcribe is set, a transcript of it that is pending.
func (r *Audios) Add(ctx context.Context, a biz.Audio, transcribe bool) error {
	row := toAudioRow(a)
	return r.db.writer.do(ctx, func(t *tx) error {
		if _, err := t.exec(insertAudio, row.fields()...); err != nil {
			return err
		}
		if !transcribe {
			return nil
		}
		pending := newTranscriptRow(a.ID, a.CreatedAt)
		_, err := t.exec(insertTranscript, pending.fields()...)
		return err
	}, func() {})
}

const selectAudio = `SELECT ` + audioColumns + ` FROM audios WHERE id = ?`

// Audio returns an upload, or KindNotFound.
func (r *Audios) Audio(ctx context.Context, id biz.AudioID) (biz.Audio, error) {
	var row audioRow
	err := r.db.reader.scanning(ctx)(selectAudio, []any{string(id)}, row.fields()...)
	if errors.Is(err, sql.ErrNoRows) {
		return biz.Audio{}, biz.ErrAudioNotFound(id)
	}
	if err != nil {
		return biz.Audio{}, storeError(err)
	}
	return fromAudioRow(row), nil
}
