package data

import (
	"database/sql"
	"errors"
	"slices"
	"strings"
	"time"
)

// Which messages refer to which recordings is noted in the transaction that stores the message, with the
// recording's row locked, so that no node deletes a recording while another stores what refers to it.
// Rooms are locked before recordings, and recordings in the order of their ids.

const audioRefColumns = `room_id, seq, audio_id`

var (
	insertAudioRef = insertInto("audio_refs", audioRefColumns)
	audioRefTable  = newBulkTable("audio_refs", bulkColumn{"room_id", "text"}, bulkColumn{"seq", "bigint"}, bulkColumn{"audio_id", "text"})
)

// refer notes what the messages that were just written refer to. A batch without recordings costs nothing.
func (c *committer) refer(t *tx) error {
	named := map[string]bool{}
	for i := range c.groups.list {
		for _, e := range c.groups.list[i].entries {
			if e.stores() {
				for _, id := range e.refs {
					named[string(id)] = true
				}
			}
		}
	}
	if len(named) == 0 {
		return nil
	}
	rooms, err := lockAudios(t, named)
	if err != nil {
		return err
	}
	return insertAudioRefs(t, c.refsTo(rooms))
}

// stores tells whether the entry has become a new message.
func (e *entry) stores() bool {
	if e.draft.Act != nil && (e.deed == nil || !e.deed.stored) {
		return false
	}
	return len(e.refs) > 0 && e.err == nil && !e.receipt.Duplicate && e.receipt.Seq > 0
}

// refsTo are rows for recordings that exist and are of the message's own room: others cannot hear them there.
func (c *committer) refsTo(rooms map[string]string) (rows [][]any) {
	for i := range c.groups.list {
		g := &c.groups.list[i]
		for _, e := range g.entries {
			if !e.stores() {
				continue
			}
			for _, id := range e.refs {
				if room, there := rooms[string(id)]; there && room == string(g.room) {
					rows = append(rows, []any{room, e.receipt.Seq, string(id)})
				}
			}
		}
	}
	return rows
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

func insertAudioRefs(t *tx, rows [][]any) error {
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

// releaseAudios ends what a message refers to, as a part of the transaction that takes it back. Recordings
// that nothing refers to any more are deleted, now that somebody wants them gone. Below the room's floor
// messages are gone and refer to nothing. Calling it again changes nothing.
func releaseAudios(t *tx, room string, seq int64) error {
	named := map[string]bool{}
	err := t.each(selectRefs, []any{room, seq}, func(rows *sql.Rows) error {
		var id string
		err := rows.Scan(&id)
		named[id] = true
		return err
	})
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
