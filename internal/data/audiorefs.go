package data

import (
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// Which messages refer to which recordings is noted in the transaction that stores the message, with the
// recording's row locked, so that no node deletes a recording while another stores what refers to it.
// Rooms are locked before recordings, and recordings that are locked together in the order of their ids.

const audioRefColumns = `room_id, seq, audio_id`

var (
	insertAudioRef = insertInto("audio_refs", audioRefColumns)
	audioRefTable  = newBulkTable("audio_refs", bulkColumn{"room_id", "text"}, bulkColumn{"seq", "bigint"}, bulkColumn{"audio_id", "text"})
)

// references are what messages refer to, to be noted.
type references []reference

type reference struct {
	room, audio string
	seq         int64
	heard       bool // an AUDIO message refers to it
	at          int64
}

// add notes what a message, as it is at some time, refers to.
func (r *references) add(m *biz.Message, to []biz.AudioID, at time.Time) {
	for _, id := range to {
		*r = append(*r, reference{string(m.Room), string(id), m.Seq, m.Type == biz.TypeAudio, at.UnixMicro()})
	}
}

// Of a recording whose transcript was finished before it was heard, the room is told again: then the transcript is
// shown in the message. Who is telling of it just now loses his claim, since he may have looked too early.
const tellAgain = `UPDATE transcripts SET due_at = ? WHERE audio_id = ? AND status = 3`

// write notes those to recordings that exist and are of the message's own room: others cannot hear them there.
// Without any it costs nothing.
func (r references) write(t *tx) error {
	if len(r) == 0 {
		return nil
	}
	named := map[string]bool{}
	for i := range r {
		named[r[i].audio] = true
	}
	rooms, err := lockAudios(t, named)
	if err != nil {
		return err
	}
	r = slices.DeleteFunc(r, func(ref reference) bool {
		room, there := rooms[ref.audio]
		return !there || room != ref.room
	})
	if err := insertAudioRefs(t, r); err != nil {
		return err
	}
	for _, ref := range r {
		if !ref.heard {
			continue
		}
		if _, err := t.exec(tellAgain, ref.at, ref.audio); err != nil {
			return err
		}
	}
	return nil
}

// lockAudios returns the rooms of those recordings that exist, and keeps them until the transaction is over.
func lockAudios(t *tx, named map[string]bool) (rooms map[string]string, err error) {
	ids := make([]any, 0, len(named))
	for id := range named {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
	rooms = make(map[string]string, len(ids))
	for part := range slices.Chunk(ids, sweptRecordings) {
		query := `SELECT id, room_id FROM audios WHERE id IN (` + places(len(part)) + `) ORDER BY id` + t.dialect.forUpdate
		err := t.eachOnce(query, part, func(rows *sql.Rows) error {
			var id, room string
			err := rows.Scan(&id, &room)
			rooms[id] = room
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return rooms, nil
}

func insertAudioRefs(t *tx, refs references) error {
	rows := make([][]any, len(refs))
	for i, ref := range refs {
		rows[i] = []any{ref.room, ref.seq, ref.audio}
	}
	if into := t.dialect.bulk; into != nil {
		for part := range slices.Chunk(rows, purgeRows) {
			if err := into.insert(t, audioRefTable, part); err != nil {
				return err
			}
		}
		return nil
	}
	for _, row := range rows {
		if _, err := t.exec(insertAudioRef, row...); err != nil {
			return err
		}
	}
	return nil
}

const (
	selectRefs     = `SELECT audio_id FROM audio_refs WHERE room_id = ? AND seq = ? ORDER BY audio_id`
	deleteRefs     = `DELETE FROM audio_refs WHERE room_id = ? AND seq = ?`
	selectReferred = `SELECT coalesce(max(seq), 0) FROM audio_refs WHERE audio_id = ?`
)

// referredBy returns the recordings that a message refers to.
func referredBy(t *tx, room string, seq int64) (ids map[string]bool, err error) {
	ids = map[string]bool{}
	err = t.each(selectRefs, []any{room, seq}, func(rows *sql.Rows) error {
		var id string
		err := rows.Scan(&id)
		ids[id] = true
		return err
	})
	return ids, err
}

// referAnew notes what a message that was edited refers to besides what it did. Of that it keeps everything until it
// goes or is recalled: events that were said before may still name it.
func referAnew(t *tx, m *biz.Message, at time.Time) error {
	to := biz.AudioRefs(m)
	if len(to) == 0 {
		return nil
	}
	noted, err := referredBy(t, string(m.Room), m.Seq)
	if err != nil {
		return err
	}
	var r references
	r.add(m, slices.DeleteFunc(to, func(id biz.AudioID) bool { return noted[string(id)] }), at)
	return r.write(t)
}

// releaseAudios ends what a message refers to, as a part of the transaction that takes it back. Recordings
// that nothing refers to any more are deleted, now that somebody wants them gone. Below the room's floor
// messages are gone and refer to nothing. Calling it again changes nothing.
func releaseAudios(t *tx, room string, seq int64) error {
	named, err := referredBy(t, room, seq)
	if err != nil || len(named) == 0 {
		return err
	}
	if _, err := lockAudios(t, named); err != nil {
		return err
	}
	if _, err := t.exec(deleteRefs, room, seq); err != nil {
		return err
	}
	var floor int64
	if err := t.scan(`SELECT floor_seq FROM rooms WHERE id = ?`, []any{room}, &floor); err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	for id := range named {
		if _, _, err := deleteAudio(t, id, floor); err != nil {
			return err
		}
	}
	return nil
}

const (
	purgeTranscript = `DELETE FROM transcripts WHERE audio_id = ?`
	purgeAudio      = `DELETE FROM audios WHERE id = ?`
	purgeRefs       = `DELETE FROM audio_refs WHERE audio_id = ?`
)

var insertWaste = insertInto("audio_waste", "id, deleted_at")

// deleteAudio deletes a recording that is locked, unless a message above floor refers to it, and leaves it
// to biz.Audios to delete its bytes: a crash before that forgets nothing.
func deleteAudio(t *tx, id string, floor int64) (audios, transcripts int64, err error) {
	var last int64
	if err := t.scan(selectReferred, []any{id}, &last); err != nil || last > floor {
		return 0, 0, err
	}
	if audios, err = t.exec(purgeAudio, id); err != nil || audios == 0 { // another node was faster
		return 0, 0, err
	}
	if transcripts, err = t.exec(purgeTranscript, id); err != nil {
		return 0, 0, err
	}
	if _, err = t.exec(purgeRefs, id); err != nil {
		return 0, 0, err
	}
	_, err = t.exec(insertWaste, id, toMicros(time.Now()))
	return audios, transcripts, err
}
