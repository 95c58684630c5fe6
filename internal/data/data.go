package data

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"github.com/pressly/goose/v3/database"
	"github.com/prometheus/client_golang/prometheus"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/game-im/hermod/internal/biz"
)

// Options say where the store is and how it keeps things. Zero values mean the defaults.
type Options struct {
	Driver      string // "sqlite", the default, is the only one yet
	DSN         string // SQLite: the path of the file; default Dir/hermod.db
	Dir         string // where the file goes; made when it does not exist; default "."
	Synchronous string // SQLite: FULL (default), EXTRA, or NORMAL, which may lose the last commits in a power cut

	Readers       int // connections that read; default 4
	CachedRooms   int // default 16,384
	CachedMembers int // default 131,072
}

func (o Options) withDefaults() Options {
	o.Driver = orDefault(o.Driver, "sqlite")
	o.Dir = orDefault(o.Dir, ".")
	o.Synchronous = orDefault(strings.ToUpper(o.Synchronous), "FULL")
	o.Readers = orDefault(o.Readers, 4)
	o.CachedRooms = orDefault(o.CachedRooms, 16<<10)
	o.CachedMembers = orDefault(o.CachedMembers, 128<<10)
	return o
}

func orDefault[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}

// driver is all that is particular to one kind of database: a second one is an entry in drivers
// and a folder of migrations.
type driver struct {
	dialect    database.Dialect
	migrations string // folder below migrations
	open       func(Options) (pools, error)
}

// pools are the connections to an opened database. write has exactly one.
type pools struct {
	name        string // of the database, for people
	write, read *sql.DB
	dialector   func(gorm.ConnPool) gorm.Dialector
}

var drivers = map[string]driver{
	"sqlite": {dialect: database.DialectSQLite3, migrations: "sqlite", open: openSQLite},
}

// DB is an opened store: what the repositories share.
type DB struct {
	writer  *writer
	reader  *reader
	orm     *gorm.DB // on the reading connections
	pools   pools
	rooms   *cache[biz.RoomID, biz.Room]
	members *cache[memberKey, biz.Member]
	metrics *metrics
	logger  *slog.Logger
}

// Open opens the database that opts name, creating it and its schema where there is none yet. It
// refuses a schema that is newer than this program.
func Open(ctx context.Context, opts Options, log *slog.Logger) (*DB, error) {
	opts = opts.withDefaults()
	drv, ok := drivers[opts.Driver]
	if !ok {
		allowed := strings.Join(slices.Sorted(maps.Keys(drivers)), ", ")
		return nil, fmt.Errorf("data: driver %q is unknown; allowed: %s", opts.Driver, allowed)
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
	write, err := openGORM(p.dialector(p.write))
	if err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	read, err := openGORM(p.dialector(p.read))
	if err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	rooms, err := newCache[biz.RoomID, biz.Room](opts.CachedRooms)
	if err != nil {
		return nil, err
	}
	members, err := newCache[memberKey, biz.Member](opts.CachedMembers)
	if err != nil {
		return nil, err
	}
	return &DB{
		writer: newWriter(p.write, write, log), reader: newReader(p.read), orm: read, pools: p,
		rooms: rooms, members: members, metrics: newMetrics(), logger: log,
	}, nil
}

// openGORM never begins transactions of its own, since the writer does, and reports errors to its
// caller alone.
func openGORM(d gorm.Dialector) (*gorm.DB, error) {
	return gorm.Open(d, &gorm.Config{
		SkipDefaultTransaction: true,
		DisableAutomaticPing:   true,
		Logger:                 logger.Discard,
	})
}

// Ping tells whether the store can be read; for readiness.
func (db *DB) Ping(ctx context.Context) error {
	var one int
	if err := db.pools.read.QueryRowContext(ctx, "SELECT 1").Scan(&one); err != nil {
		return storeError(err)
	}
	return nil
}

// Close waits for a transaction that is running and closes every connection. Nothing can be read
// or written afterwards.
func (db *DB) Close() error {
	return errors.Join(db.writer.close(), db.pools.close())
}

// Collectors returns the instruments of the store, the repositories' included.
func (db *DB) Collectors() []prometheus.Collector { return db.metrics.collectors() }

func (p pools) close() error { return errors.Join(p.read.Close(), p.write.Close()) }

// reading gives a GORM session on the reading connections.
func (db *DB) reading(ctx context.Context) *gorm.DB { return db.orm.WithContext(ctx) }
