package data

import (
	"context"
	"database/sql"
	"errors"
	"sync"
)

// reader runs prepared queries on the reading connections, for what every session asks when it
// opens: to build such a query anew costs GORM more than SQLite takes to answer it, and most of
// the garbage of an opening. Its statements end with the connections.
type reader struct {
	pool  *sql.DB
	mu    sync.RWMutex
	stmts map[string]*sql.Stmt
}

func newReader(pool *sql.DB) *reader {
	return &reader{pool: pool, stmts: make(map[string]*sql.Stmt)}
}

// scan runs a query for one row; without any it answers sql.ErrNoRows.
type scan func(query string, args []any, dest ...any) error

// scanning reads for ctx. A read is not canceled halfway: it is over sooner than the goroutines
// would have started that database/sql and the driver need to interrupt it.
func (r *reader) scanning(ctx context.Context) scan {
	return func(query string, args []any, dest ...any) error {
		s, err := r.prepared(ctx, query)
		if err != nil {
			return err
		}
		return s.QueryRowContext(context.Background(), args...).Scan(dest...)
	}
}

// errEnough ends each before the last row.
var errEnough = errors.New("no more rows are wanted")

// each runs a query and calls row for every row. Like scanning it is not canceled halfway, so
// queries have to be small.
func (r *reader) each(ctx context.Context, query string, args []any, row func(*sql.Rows) error) (err error) {
	s, err := r.prepared(ctx, query)
	if err != nil {
		return err
	}
	rows, err := s.QueryContext(context.Background(), args...)
	if err != nil {
		return err
	}
	defer func() {
		if e := rows.Close(); err == nil {
			err = e
		}
	}()
	for rows.Next() {
		err := row(rows)
		if errors.Is(err, errEnough) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return rows.Err()
}

// prepared refuses when ctx has ended.
func (r *reader) prepared(ctx context.Context, query string) (*sql.Stmt, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r.mu.RLock()
	s := r.stmts[query]
	r.mu.RUnlock()
	if s != nil {
		return s, nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.stmts[query]; s != nil {
		return s, nil
	}
	s, err := r.pool.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	r.stmts[query] = s
	return s, nil
}
