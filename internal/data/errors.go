package data

import (
	"context"
	"errors"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/game-im/hermod/internal/biz"
)

// errClosed is what a writer answers once it was closed.
var errClosed = errors.New("the database is closed")

// refusal is an error of a caller's own function, which goes back to him as it is.
type refusal struct{ error }

// storeError turns what a database says into what callers understand. Refusals, errors of biz and
// of contexts pass through.
func storeError(err error) error {
	var known *biz.Error
	var own refusal
	switch {
	case err == nil:
		return nil
	case errors.As(err, &own):
		return own.error
	case errors.As(err, &known), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case isRowFault(err):
		return biz.Errorf(biz.KindInternal, "STORE_REFUSED", "the store refused the row").Because(err)
	}
	return unavailable(err)
}

func unavailable(cause error) *biz.Error {
	return biz.Errorf(biz.KindUnavailable, "STORE_UNAVAILABLE", "the store cannot do it now").Because(cause)
}

// isRowFault tells a fault of what was written from one of the database as a whole. Only the
// former is worth trying again without some of the rows; anything unknown counts as the latter.
func isRowFault(err error) bool {
	switch sqliteCode(err) {
	case sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_TOOBIG,
		sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_RANGE:
		return true
	}
	return false
}

// sqliteCode returns the primary result code of err, or 0 if it is not one of SQLite's.
func sqliteCode(err error) int {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return 0
	}
	return e.Code() & 0xff
}
