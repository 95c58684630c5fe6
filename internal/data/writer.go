package data

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"sync"

	sqlite3 "modernc.org/sqlite/lib"

	"gorm.io/gorm"
)

// writer owns the one connection that writes.
type writer struct {
	pool   *sql.DB
	base   *gorm.DB
	logger *slog.Logger
	jobs   jobs

	mu     sync.Mutex // held for a transaction; guards what follows
	tx     *tx        // nil until the first transaction, and after a fault of the connection
	closed bool
}

func newWriter(pool *sql.DB, base *gorm.DB, log *slog.Logger) *writer {
	return &writer{pool: pool, base: base, logger: log}
}

// tx is the running transaction, for the goroutine that holds the writer. It lives as long as its
// connection, since prepared statements do.
type tx struct {
	conn  *sql.Conn
	orm   *gorm.DB
	stmts map[string]*sql.Stmt
}

// transact runs fn in a transaction of its own. committed runs after the commit and before the
// writer is let go, so that caches change in the order of the commits.
func (w *writer) transact(fn func(*tx) error, committed func()) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.transactLocked(fn, committed)
}

func (w *writer) transactLocked(fn func(*tx) error, committed func()) error {
	if err := w.beginLocked(); err != nil {
		return err
	}
	done := false
	defer func() {
		if !done {
			w.rollbackLocked()
		}
	}()
	if err := fn(w.tx); err != nil {
		return err
	}
	if _, err := w.tx.exec("COMMIT"); err != nil {
		return err
	}
	done = true
	committed()
	return nil
}

func (w *writer) beginLocked() error {
	if w.closed {
		return errClosed
	}
	if w.tx == nil {
		conn, err := w.pool.Conn(context.Background())
		if err != nil {
			return err
		}
		orm := w.base.Session(&gorm.Session{NewDB: true, Context: context.Background()})
		orm.Statement.ConnPool = conn
		w.tx = &tx{conn: conn, orm: orm, stmts: make(map[string]*sql.Stmt)}
	}
	_, err := w.tx.exec("BEGIN IMMEDIATE")
	if code := sqliteCode(err); err != nil && (code == 0 || code == sqlite3.SQLITE_ERROR) {
		// Most likely an earlier transaction that could not be rolled back.
		return errors.Join(err, w.dropLocked())
	}
	return err
}

// rollbackLocked ends a failed transaction. It fails when SQLite has rolled back by itself, as it
// does on some errors; a connection that is in no state to go on shows at the next BEGIN.
func (w *writer) rollbackLocked() {
	if _, err := w.tx.exec("ROLLBACK"); err != nil {
		w.logger.Debug("rollback", "error", err)
	}
}

// dropLocked closes the connection; the next transaction opens another.
func (w *writer) dropLocked() error {
	if w.tx == nil {
		return nil
	}
	t := w.tx
	w.tx = nil
	var errs []error
	for _, s := range t.stmts {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, t.conn.Close())...)
}

func (w *writer) close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	return w.dropLocked()
}

// exec runs a statement, prepared once for the connection, and returns how many rows it changed.
// A commit is not canceled halfway, so there is no context.
func (t *tx) exec(query string, args ...any) (int64, error) {
	s, err := t.prepared(query)
	if err != nil {
		return 0, err
	}
	res, err := s.ExecContext(context.Background(), args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// scan runs a prepared query for one row; without any it answers sql.ErrNoRows.
func (t *tx) scan(query string, args []any, dest ...any) error {
	s, err := t.prepared(query)
	if err != nil {
		return err
	}
	return s.QueryRowContext(context.Background(), args...).Scan(dest...)
}

func (t *tx) prepared(query string) (*sql.Stmt, error) {
	if s, ok := t.stmts[query]; ok {
		return s, nil
	}
	s, err := t.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, err
	}
	t.stmts[query] = s
	return s, nil
}
