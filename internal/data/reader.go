package data

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"time"
)

// reader runs prepared queries on the reading connections, for what every session asks when it
// opens: to build such a query anew costs GORM more than SQLite takes to answer it, and most of
// the garbage of an opening. Its statements end with the connections.
type reader struct {
	pool    *sql.DB
	dialect *dialect
	timeout time.Duration
	mu      sync.RWMutex
	stmts   map[string]*sql.Stmt
}

func newReader(pool *sql.DB, d *dialect, timeout time.Duration) *reader {
	return &reader{pool: pool, dialect: d, timeout: timeout, stmts: make(map[string]*sql.Stmt)}
}

// scan runs a query for one row; without any it answers sql.ErrNoRows.
type scan func(query string, args []any, dest ...any) error

// scanning reads for ctx. A read of a file is not canceled halfway: it is over sooner than the
// goroutines would have started that database/sql and the driver need to interrupt it.
func (r *reader) scanning(ctx context.Context) scan {
	return func(query string, args []any, dest ...any) error {
		limited, cancel, err := r.within(ctx)
		if err != nil {
			return err
		}
		defer cancel()
		err = r.again(func() error {
			s, err := r.prepared(limited, query)
			if err != nil {
				return err
			}
			return s.QueryRowContext(limited, args...).Scan(dest...)
		})
		return overdue(ctx, err)
	}
}

// again reads once more when a connection turns out to be lost, as all that lie in the pool are when
// their server has been restarted.
func (r *reader) again(read func() error) error {
	err := read()
	if err == nil || !isLostConnection(err) {
		return err
	}
	for range r.pool.Stats().Idle + 1 {
		if err = read(); !isLostConnection(err) {
			break
		}
	}
	return err
}

// errEnough ends each before the last row.
var errEnough = errors.New("no more rows are wanted")

// each runs a query and calls row for every row. Like scanning it is not canceled halfway, so
// queries have to be small.
func (r *reader) each(ctx context.Context, query string, args []any, row func(*sql.Rows) error) error {
	limited, cancel, err := r.within(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	var rows *sql.Rows
	err = r.again(func() error {
		s, err := r.prepared(limited, query)
		if err == nil {
			rows, err = s.QueryContext(limited, args...) //nolint:rowserrcheck // eachRow does
		}
		return err
	})
	return overdue(ctx, eachRow(rows, err, row))
}

// eachRow calls row for every row of a query's result, until it returns errEnough.
func eachRow(rows *sql.Rows, err error, row func(*sql.Rows) error) error {
	if err != nil {
		return err
	}
	for rows.Next() && err == nil {
		err = row(rows)
	}
	if errors.Is(err, errEnough) {
		err = nil
	} else if err == nil {
		err = rows.Err()
	}
	if e := rows.Close(); err == nil {
		err = e
	}
	return err
}

// within is how long a query may take. It refuses when ctx has ended.
func (r *reader) within(ctx context.Context) (context.Context, context.CancelFunc, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	if !r.dialect.remote {
		return context.Background(), func() {}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	return ctx, cancel, nil
}

// prepared does not lock out others while a server prepares, which may hang.
func (r *reader) prepared(ctx context.Context, query string) (*sql.Stmt, error) {
	r.mu.RLock()
	s := r.stmts[query]
	r.mu.RUnlock()
	if s != nil {
		return s, nil
	}
	s, err := r.pool.PrepareContext(ctx, r.dialect.placed(query))
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if first := r.stmts[query]; first != nil { // somebody was faster
		return first, s.Close()
	}
	r.stmts[query] = s
	return s, nil
}
