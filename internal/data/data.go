package data

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/game-im/hermod/internal/biz"
)

// Options say where the store is and how it keeps things. Zero values mean the defaults.
type Options struct {
	Driver string // "sqlite", the default, "postgres" or "mysql", which is MariaDB as well
	// DSN is, for SQLite, the path of the file, by default Dir/hermod.db; for PostgreSQL a URL or the
	// keywords of libpq; for MySQL what its Go driver takes: user:password@tcp(host:port)/database.
	DSN         string
	Dir         string // where the file goes; made when it does not exist; default "."
	Synchronous string // SQLite: FULL (default), EXTRA, or NORMAL, which may lose the last commits in a power cut

	Readers int // connections that read; default 4
	// StatementTimeout bounds each statement of a database that is a server, and connecting to it; default
	// 5 s. A file answers, or fails, by itself.
	StatementTimeout time.Duration

	CachedRooms   int // default 16,384
	CachedMembers int // default 131,072

	// Shared tells that other nodes use the database at the same time.
	Shared bool
	// CacheLife is how long what is remembered of a room holds without word from the others. Default 30 s.
	CacheLife time.Duration
}

func (o Options) withDefaults() Options {
	o.Driver = orDefault(o.Driver, "sqlite")
	o.Dir = orDefault(o.Dir, ".")
	o.Synchronous = orDefault(strings.ToUpper(o.Synchronous), "FULL")
	o.Readers = orDefault(o.Readers, 4)
	o.StatementTimeout = orDefault(o.StatementTimeout, 5*time.Second)
	o.CachedRooms = orDefault(o.CachedRooms, 16<<10)
	o.CachedMembers = orDefault(o.CachedMembers, 128<<10)
	o.CacheLife = orDefault(o.CacheLife, 30*time.Second)
	return o
}

func orDefault[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}

// DB is an opened store: what the repositories share.
type DB struct {
	writer  *writer
	reader  *reader
	orm     *gorm.DB // on the reading connections
	pools   pools
	dialect *dialect
	shared  bool
	memory  *memory
	senders *senders
	metrics *metrics
	logger  *slog.Logger

	tell   func(Change)     // see OnChange
	stored func(biz.RoomID) // see OnStored; nil: nobody listens

	indexing *writer      // of the index; where a server takes several writers, one of its own
	readers  int          // connections
	wanted   *wantedRooms // what this node has stored and its index does not have
}

// Open opens the database that opts name, creating it and its schema where there is none yet. It
// refuses a schema that is newer than this program.
func Open(ctx context.Context, opts Options, log *slog.Logger) (*DB, error) {
	opts = opts.withDefaults()
	drv, err := driverOf(opts.Driver)
	if err != nil {
		return nil, err
	}
	if opts.Shared && !drv.dialect.remote {
		return nil, fmt.Errorf("data: nodes cannot share a database of %s, which is one file of one node; postgres and mysql can be shared", opts.Driver)
	}
	p, err := drv.open(opts)
	if err != nil {
		return nil, fmt.Errorf("data: open %s: %w", opts.Driver, err)
	}
	db, err := newDB(ctx, opts, drv, p, log)
	if err != nil {
		return nil, errors.Join(err, p.close())
	}
	return db, nil
}

func newDB(ctx context.Context, opts Options, drv driver, p pools, log *slog.Logger) (*DB, error) {
	if err := migrate(ctx, p.write, p.name, drv, log); err != nil {
		return nil, err
	}
	read, err := openGORM(p.dialector(p.read))
	if err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	remembered, err := newMemory(opts)
	if err != nil {
		return nil, err
	}
	senders, err := newSenders()
	if err != nil {
		return nil, err
	}
	m := newMetrics()
	db := &DB{
		writer: newWriter(p.write, &drv.dialect, opts.StatementTimeout, m, log),
		reader: newReader(p.read, &drv.dialect, opts.StatementTimeout), orm: read, pools: p, dialect: &drv.dialect,
		shared: opts.Shared, memory: remembered, senders: senders, metrics: m, logger: log,
		tell: func(Change) {}, readers: opts.Readers, wanted: newWantedRooms(),
	}
	db.writer.forget = remembered.forgetAll
	db.indexing = db.writer
	if p.index != nil {
		own := *m // what becomes of the index says nothing of what messages meet
		own.writable, own.conflicts = newWritable(), newConflicts()
		db.indexing = newWriter(p.index, &drv.dialect, opts.StatementTimeout, &own, log)
	}
	return db, nil
}

// openGORM never begins transactions, since it reads, and reports errors to its caller alone.
func openGORM(d gorm.Dialector) (*gorm.DB, error) {
	return gorm.Open(d, &gorm.Config{
		SkipDefaultTransaction: true,
		DisableAutomaticPing:   true,
		Logger:                 logger.Discard,
	})
}

// Close waits for a transaction that is running and closes every connection. Nothing can be read
// or written afterwards.
func (db *DB) Close() error {
	return errors.Join(db.indexing.close(), db.writer.close(), db.pools.close())
}

// Collectors returns the instruments of the store, the repositories' included.
func (db *DB) Collectors() []prometheus.Collector { return db.metrics.collectors() }

// find reads with GORM on the reading connections.
func (db *DB) find(ctx context.Context, query func(*gorm.DB) error) error {
	limited, cancel, err := db.reader.within(ctx)
	if err != nil {
		return err
	}
	defer cancel()
	return overdue(ctx, query(db.orm.WithContext(limited)))
}
