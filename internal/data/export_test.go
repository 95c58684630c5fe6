package data

import (
	"context"

	"github.com/game-im/hermod/internal/biz"
)

// AddAudio returns what keeps an upload, and a pending transcript if that is wanted.
func AddAudio(db *DB) func(context.Context, biz.Audio, bool) error {
	return func(ctx context.Context, a biz.Audio, transcribe bool) error {
		return db.writer.do(ctx, func(t *tx) error {
			_, err := t.exec(`INSERT INTO audios (id, room_id, user_id, format, size, duration, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)`,
				string(a.ID), string(a.Room), string(a.User), a.Format, a.Size, a.Duration.Microseconds(), toMicros(a.CreatedAt))
			if err != nil || !transcribe {
				return err
			}
			row := newTranscriptRow(a.ID, a.CreatedAt)
			_, err = t.exec(insertInto("transcripts", transcriptColumns), row.fields()...)
			return err
		}, func() {})
	}
}
