package data

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// Revisions is a biz.RevisionRepo. It asks the database, and so sees what other nodes have committed.
type Revisions struct{ db *DB }

// NewRevisions returns what is kept in db about messages that were said.
func NewRevisions(db *DB) *Revisions { return &Revisions{db: db} }

const (
	selectAuthor    = `SELECT sender FROM messages WHERE room_id = ? AND seq = ?`
	selectReactions = `SELECT user_id, reaction, at, event FROM reactions WHERE room_id = ? AND seq = ? AND event > ? ORDER BY event LIMIT ?`
	// What lies below the floor of its room is gone for whoever reads, and waits to be cleared away, as all that was
	// said in a room before it was deleted. The floor is looked up for each, since a join may begin at the rooms.
	selectOverdue = `SELECT room_id, seq FROM expiries WHERE expires_at <= ?
		AND seq > (SELECT r.floor_seq FROM rooms r WHERE r.id = expiries.room_id) ORDER BY expires_at LIMIT ?`
	selectHeardIn = `SELECT f.seq FROM audio_refs f JOIN messages m ON m.room_id = f.room_id AND m.seq = f.seq
		WHERE f.audio_id = ? AND f.room_id = ? AND m.type = ? ORDER BY f.seq LIMIT ?`
)

// maxHeardIn bounds the messages that one recording shows its transcript in.
const maxHeardIn = 1000

// Author returns who sent a message; see biz.RevisionRepo.
func (r *Revisions) Author(ctx context.Context, room biz.RoomID, seq int64) (author biz.UserID, err error) {
	err = r.db.reader.scanning(ctx)(selectAuthor, []any{string(room), seq}, &author)
	if errors.Is(err, sql.ErrNoRows) {
		return "", biz.Errorf(biz.KindNotFound, "MESSAGE_NOT_FOUND", "message %d of room %q is not kept", seq, room)
	}
	return author, storeError(err)
}

// Reactions returns reactions to a message; see biz.RevisionRepo.
func (r *Revisions) Reactions(ctx context.Context, room biz.RoomID, seq, after int64, limit int) (list []biz.Reaction, err error) {
	err = r.db.reader.each(ctx, selectReactions, []any{string(room), seq, after, limit}, func(rows *sql.Rows) error {
		var one biz.Reaction
		var at int64
		err := rows.Scan(&one.User, &one.Reaction, &at, &one.Event)
		one.At = fromMicros(at)
		list = append(list, one)
		return err
	})
	return list, storeError(err)
}

// Due returns messages whose time is over; see biz.RevisionRepo.
func (r *Revisions) Due(ctx context.Context, now time.Time, limit int) (due []biz.Place, err error) {
	err = r.db.reader.each(ctx, selectOverdue, []any{now.UnixMicro(), limit}, func(rows *sql.Rows) error {
		var p biz.Place
		err := rows.Scan(&p.Room, &p.Seq)
		due = append(due, p)
		return err
	})
	return due, storeError(err)
}

// HeardIn returns the messages that a recording is heard in; see biz.RevisionRepo.
func (r *Revisions) HeardIn(ctx context.Context, room biz.RoomID, audio biz.AudioID) (seqs []int64, err error) {
	err = r.db.reader.each(ctx, selectHeardIn, []any{string(audio), string(room), int32(biz.TypeAudio), maxHeardIn}, func(rows *sql.Rows) error {
		var seq int64
		err := rows.Scan(&seq)
		seqs = append(seqs, seq)
		return err
	})
	return seqs, storeError(err)
}

// mentionsAmong bounds what is looked at to count mentions: the newest messages of a room.
const mentionsAmong = 5 * biz.MaxUnread

// mentionsAtOnce is how many rooms one query counts for; a statement for each number would be too many to keep.
const mentionsAtOnce = 64

// selectMentions counts a message once that mentions the user and everybody.
var selectMentions = `SELECT m.room_id, count(DISTINCT x.seq) FROM members m
	JOIN rooms r ON r.id = m.room_id
	JOIN mentions x ON x.room_id = m.room_id AND x.user_id IN (m.user_id, '*') AND x.sender <> m.user_id
		AND x.seq > m.read_seq AND x.seq > m.join_seq AND x.seq > r.head_seq - ` + strconv.Itoa(mentionsAmong) + `
	WHERE m.user_id = ? AND m.room_id IN (` + places(mentionsAtOnce) + `) GROUP BY m.room_id`

// Mentions counts unread mentions; see biz.UnreadRepo.
func (h *History) Mentions(ctx context.Context, user biz.UserID, rooms []biz.RoomID) (map[biz.RoomID]int, error) {
	counts := make(map[biz.RoomID]int)
	for len(rooms) > 0 {
		n := min(mentionsAtOnce, len(rooms))
		args := append(make([]any, 0, 1+mentionsAtOnce), string(user))
		for i := range mentionsAtOnce { // those that are too many are the first again
			args = append(args, string(rooms[i%n]))
		}
		rooms = rooms[n:]
		err := h.db.reader.each(ctx, selectMentions, args, func(rows *sql.Rows) error {
			var room biz.RoomID
			var count int
			err := rows.Scan(&room, &count)
			counts[room] = count
			return err
		})
		if err != nil {
			return nil, storeError(err)
		}
	}
	return counts, nil
}

// aboutMessages are the tables that have rows about messages, by their room and seq.
var aboutMessages = []string{"reactions", "message_events", "mentions", "expiries", "message_sums"}

// selectAbout tells whether any of them has a row about messages of a range. Most have none.
var selectAbout = func() string {
	parts := make([]string, len(aboutMessages))
	for i, table := range aboutMessages {
		parts[i] = `EXISTS (SELECT 1 FROM ` + table + ` WHERE room_id = ? AND seq > ? AND seq <= ?)`
	}
	return `SELECT ` + strings.Join(parts, " OR ")
}()

// purgeAbout deletes what is known about the messages of a room above after, up to upTo, which are deleted with it.
func purgeAbout(t *tx, room string, after, upTo int64) error {
	var args []any
	for range aboutMessages {
		args = append(args, room, after, upTo)
	}
	var found bool
	if err := t.scan(selectAbout, args, &found); err != nil || !found {
		return err
	}
	for _, table := range aboutMessages {
		if _, err := t.exec(`DELETE FROM `+table+` WHERE room_id = ? AND seq > ? AND seq <= ?`, room, after, upTo); err != nil {
			return err
		}
	}
	return nil
}
