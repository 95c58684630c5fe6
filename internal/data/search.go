package data

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// Search is a biz.SearchRepo on the index that an Indexer fills.
type Search struct {
	db    *DB
	slots chan struct{} // who looks something up has one: the other readers are for those who open sessions
}

// NewSearch returns the index in db.
func NewSearch(db *DB) *Search {
	return &Search{db: db, slots: make(chan struct{}, max(1, db.readers/2))}
}

// LookUp asks the index. No more than half of the reading connections do so at a time; others wait.
func (s *Search) LookUp(ctx context.Context, l biz.LookUp) (biz.Found, error) {
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return biz.Found{}, ctx.Err()
	}
	defer func() { <-s.slots }()
	begun := time.Now()
	found, err := s.db.dialect.search.lookUp(searchReading{ctx, s.db.reader}, l)
	s.db.metrics.search.lookUps.Observe(time.Since(begun).Seconds())
	return found, storeError(err)
}

// searchReading reads for one who searches.
type searchReading struct {
	ctx    context.Context //nolint:containedctx // it lives as long as the call
	reader *reader
}

func (r searchReading) scan(query string, args []any, dest ...any) error {
	return r.reader.scanning(r.ctx)(query, args, dest...)
}

func (r searchReading) each(query string, args []any, row func(*sql.Rows) error) error {
	return r.reader.each(r.ctx, query, args, row)
}

func isNoRow(err error) bool { return errors.Is(err, sql.ErrNoRows) }

const selectBehind = `SELECT r.id FROM members m JOIN rooms r ON r.id = m.room_id LEFT JOIN search_marks s ON s.room_id = r.id
	WHERE m.user_id = ? AND r.persistent AND r.head_seq > r.floor_seq AND r.head_seq > m.join_seq
	AND r.head_seq > coalesce(s.indexed_seq, 0)`

var selectBehindAmong = selectBehind + ` AND m.room_id IN (` + places(biz.MaxSearchRooms) + `) LIMIT 1`

// Behind asks the database, and so hears of what other nodes have stored.
func (s *Search) Behind(ctx context.Context, user biz.UserID, rooms []biz.RoomID) (bool, error) {
	query, args := selectBehind+` LIMIT 1`, []any{string(user)}
	if len(rooms) > 0 {
		query = selectBehindAmong
		for i := range biz.MaxSearchRooms { // the last one stands in all places that are left over
			args = append(args, string(rooms[min(i, len(rooms)-1)]))
		}
	}
	var room string
	err := s.db.reader.scanning(ctx)(query, args, &room)
	if isNoRow(err) {
		return false, nil
	}
	return err == nil, storeError(err)
}
