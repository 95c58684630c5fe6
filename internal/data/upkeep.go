package data

import (
	"context"
	"database/sql"
	"errors"

	"github.com/game-im/hermod/internal/biz"
)

// SetWaveform keeps the waveform of an upload, if there still is one.
func (r *Audios) SetWaveform(ctx context.Context, id biz.AudioID, waveform string) error {
	const update = `UPDATE audios SET waveform = ? WHERE id = ?`
	return r.db.writer.do(ctx, func(t *tx) error {
		_, err := t.exec(update, []byte(waveform), string(id))
		return err
	}, func() {})
}

// Missing returns those of some ids that no upload has.
func (r *Audios) Missing(ctx context.Context, ids []biz.AudioID) (missing []biz.AudioID, err error) {
	const query = `SELECT 1 FROM audios WHERE id = ?`
	scan := r.db.reader.scanning(ctx)
	for _, id := range ids {
		var one int
		err := scan(query, []any{string(id)}, &one)
		switch {
		case err == nil:
		case errors.Is(err, sql.ErrNoRows):
			missing = append(missing, id)
		default:
			return nil, storeError(err)
		}
	}
	return missing, nil
}

// Release ends what the message of a room with this seq refers to; see releaseAudios.
func (r *Audios) Release(ctx context.Context, room biz.RoomID, seq int64) error {
	return r.db.writer.do(ctx, func(t *tx) error { return releaseAudios(t, string(room), seq) }, func() {})
}

// Waste returns deleted uploads whose blobs are still to be deleted, the first up to limit.
func (r *Audios) Waste(ctx context.Context, limit int) (ids []biz.AudioID, err error) {
	const query = `SELECT id FROM audio_waste ORDER BY id LIMIT ?`
	err = r.db.reader.each(ctx, query, []any{limit}, func(rows *sql.Rows) error {
		var id string
		err := rows.Scan(&id)
		ids = append(ids, biz.AudioID(id))
		return err
	})
	if err != nil {
		return nil, storeError(err)
	}
	return ids, nil
}

// Cleared forgets waste.
func (r *Audios) Cleared(ctx context.Context, ids []biz.AudioID) error {
	const statement = `DELETE FROM audio_waste WHERE id = ?`
	return r.db.writer.do(ctx, func(t *tx) error {
		for _, id := range ids {
			if _, err := t.exec(statement, string(id)); err != nil {
				return err
			}
		}
		return nil
	}, func() {})
}
