package data

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// writer owns the one connection that writes.
type writer struct {
	pool    *sql.DB
	dialect *dialect
	timeout time.Duration // of a statement, where it travels
	metrics *metrics
	logger  *slog.Logger
	jobs    jobs
	waiting atomic.Int32            // who wants to have the writer and does not
	failed  atomic.Pointer[failure] // the last that the store failed, until a trial shows that it works again
	forget  func()                  // called when it is not known whether a transaction was committed; nil: nothing is

	mu     sync.Mutex // held for a transaction; guards what follows
	tx     *tx        // nil until the first transaction, and after a fault of the connection
	closed bool
}

func newWriter(pool *sql.DB, d *dialect, timeout time.Duration, m *metrics, log *slog.Logger) *writer {
	return &writer{pool: pool, dialect: d, timeout: timeout, metrics: m, logger: log}
}

// tx is the running transaction, for the goroutine that holds the writer. It lives as long as its
// connection, since prepared statements do.
type tx struct {
	conn    *sql.Conn
	dialect *dialect
	timeout time.Duration
	until   time.Time // when the transaction must be over, if not zero
	stmts   map[string]*sql.Stmt
}

// transaction is what somebody wants done in one.
type transaction struct {
	// asked is since when it has been waited for. Who has waited while another one failed shares its
	// failure; see failure.
	asked time.Time
	// limit is how long the statements may take together; 0: each of them as long as one may.
	limit time.Duration
	run   func(*tx) error
	// committed runs after the commit and before the writer is let go, so that caches change in the order
	// of the commits.
	committed func()
}

// transact runs fn in a transaction of its own.
func (w *writer) transact(fn func(*tx) error, committed func()) error {
	return w.perform(transaction{asked: time.Now(), run: fn, committed: committed})
}

// perform runs a transaction, again if another node was in its way.
func (w *writer) perform(x transaction) error {
	if f := w.failed.Load(); f.answers(x.asked) { // for which nobody need wait until others have had their turns
		return f.err
	}
	w.lock()
	defer w.mu.Unlock()
	return w.performLocked(x)
}

func (w *writer) lock() {
	w.waiting.Add(1)
	w.mu.Lock()
	w.waiting.Add(-1)
}

func (w *writer) performLocked(x transaction) error {
	if f := w.failed.Load(); f.answers(x.asked) {
		return f.err
	}
	began := time.Now()
	err := w.insistLocked(began, x)
	w.judge(err, began)
	if err == nil && w.failed.Load() != nil {
		_ = w.trialLocked() // which remembers what comes of it; this transaction has succeeded
	}
	return err
}

// conflictAttempts is how often a transaction is tried that another node's stands in the way of, unless
// that takes longer than a statement may: what waits for a lock that is not let go had better fail.
const conflictAttempts = 8

func (w *writer) insistLocked(began time.Time, x transaction) error {
	for attempt := 1; ; attempt++ {
		err := w.tryLocked(x)
		if faultOf(err) != conflictFault || attempt == conflictAttempts || time.Since(began) > w.timeout {
			return err
		}
		w.metrics.conflicts.Inc()
	}
}

func (w *writer) tryLocked(x transaction) error {
	if err := w.beginLocked(); err != nil {
		return err
	}
	done := false
	defer func() {
		if !done {
			w.rollbackLocked()
		}
	}()
	w.tx.until = time.Time{}
	if x.limit > 0 {
		w.tx.until = time.Now().Add(x.limit)
	}
	if err := x.run(w.tx); err != nil {
		return err
	}
	if err := w.tx.control("COMMIT"); err != nil {
		return w.ofCommit(err)
	}
	done = true
	x.committed()
	return nil
}

// beginLocked begins a transaction. A connection that is in no state to, be it that its server is gone
// or that an earlier transaction could not be rolled back, gives way to a new one at once.
func (w *writer) beginLocked() error {
	if w.closed {
		return errClosed
	}
	if w.tx != nil {
		err := w.tx.control(w.dialect.begin)
		if err == nil || !w.tx.isLost(err) {
			return err
		}
		if err := w.dropLocked(); err != nil {
			w.logger.Debug("a connection that was lost", "error", err)
		}
		if errors.Is(err, context.DeadlineExceeded) { // the next one has waited long enough for this
			return err
		}
	}
	if err := w.connectLocked(); err != nil {
		return err
	}
	return w.tx.control(w.dialect.begin)
}

func (w *writer) connectLocked() error {
	ctx, cancel := within(w.dialect, w.timeout)
	defer cancel()
	conn, err := w.pool.Conn(ctx)
	if err != nil {
		return err
	}
	w.tx = &tx{conn: conn, dialect: w.dialect, timeout: w.timeout, stmts: make(map[string]*sql.Stmt)}
	return nil
}

// isLost tells whether a connection that could not begin a transaction is of no more use. A database
// that is busy or full is not a reason to connect anew.
func (t *tx) isLost(err error) bool {
	switch faultOf(err) {
	case noFault, rowFault: // not connected, or within a transaction
		return true
	}
	return t.dialect.remote
}

// rollbackLocked ends a failed transaction. It fails when SQLite has rolled back by itself, as it
// does on some errors, and when the server is gone; a connection that is in no state to go on shows at
// the next transaction.
func (w *writer) rollbackLocked() {
	if err := w.tx.control("ROLLBACK"); err != nil {
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
	err := t.conn.Close()
	if errors.Is(err, sql.ErrConnDone) { // its server has gone, and all of it with that
		return nil
	}
	return errors.Join(append(errs, err)...)
}

func (w *writer) close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	return w.dropLocked()
}

// within is how long a statement may take.
func within(d *dialect, timeout time.Duration) (context.Context, context.CancelFunc) {
	if !d.remote {
		return context.Background(), func() {}
	}
	return context.WithTimeout(context.Background(), timeout)
}

// within is how long a statement of the transaction may take.
func (t *tx) within() (context.Context, context.CancelFunc) {
	timeout := t.timeout
	if !t.until.IsZero() {
		timeout = min(timeout, time.Until(t.until))
	}
	return within(t.dialect, timeout)
}

// control runs a statement about the transaction itself, which not every database prepares.
func (t *tx) control(statement string) error {
	ctx, cancel := t.within()
	defer cancel()
	_, err := t.conn.ExecContext(ctx, statement)
	return err
}

// exec runs a statement, prepared once for the connection, and returns how many rows it changed.
// A commit is not canceled halfway, so callers give no context.
func (t *tx) exec(query string, args ...any) (int64, error) {
	ctx, cancel := t.within()
	defer cancel()
	s, err := t.prepared(ctx, query)
	if err != nil {
		return 0, err
	}
	res, err := s.ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// execOnce runs a statement that is hardly ever the same.
func (t *tx) execOnce(query string, args ...any) error {
	ctx, cancel := t.within()
	defer cancel()
	_, err := t.conn.ExecContext(ctx, t.dialect.placed(query), args...)
	return err
}

// scan runs a prepared query for one row; without any it answers sql.ErrNoRows.
func (t *tx) scan(query string, args []any, dest ...any) error {
	ctx, cancel := t.within()
	defer cancel()
	s, err := t.prepared(ctx, query)
	if err != nil {
		return err
	}
	return s.QueryRowContext(ctx, args...).Scan(dest...)
}

// locked is scan for a row that other nodes must not change before the transaction is over.
func (t *tx) locked(query string, args []any, dest ...any) error {
	return t.scan(query+t.dialect.forUpdate, args, dest...)
}

// each runs a prepared query and calls row for every row.
func (t *tx) each(query string, args []any, row func(*sql.Rows) error) error {
	ctx, cancel := t.within()
	defer cancel()
	s, err := t.prepared(ctx, query)
	if err != nil {
		return err
	}
	rows, err := s.QueryContext(ctx, args...)
	return eachRow(rows, err, row)
}

// eachOnce is each for a query that is hardly ever the same.
func (t *tx) eachOnce(query string, args []any, row func(*sql.Rows) error) error {
	ctx, cancel := t.within()
	defer cancel()
	rows, err := t.conn.QueryContext(ctx, t.dialect.placed(query), args...)
	return eachRow(rows, err, row)
}

func (t *tx) prepared(ctx context.Context, query string) (*sql.Stmt, error) {
	if s, ok := t.stmts[query]; ok {
		return s, nil
	}
	s, err := t.conn.PrepareContext(ctx, t.dialect.placed(query))
	if err != nil {
		return nil, err
	}
	t.stmts[query] = s
	return s, nil
}
