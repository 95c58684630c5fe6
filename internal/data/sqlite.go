package data

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pressly/goose/v3/database"
	"gorm.io/gorm"
	_ "modernc.org/sqlite" // registers the driver "sqlite"
)

var sqliteDriver = driver{
	goose: database.DialectSQLite3, migrations: "sqlite", open: openSQLite, version: sqliteVersion,
	probe: "UPDATE goose_db_version SET is_applied = is_applied WHERE 1 = 0", // BEGIN IMMEDIATE takes a file that is read-only
	dialect: dialect{
		begin: "BEGIN IMMEDIATE",
		once:  onConflictDoNothing,
		raiseCursor: ` ON CONFLICT (user_id, room_id, device_id) DO UPDATE
			SET delivered = max(delivered, excluded.delivered), updated_at = excluded.updated_at`,
		search:    fts5{},
		raiseSeen: ` ON CONFLICT (user_id) DO UPDATE SET seen_at = max(seen_at, excluded.seen_at)`,
		renewSum:  ` ON CONFLICT (room_id, seq) DO UPDATE SET bytes = excluded.bytes, counted_at = excluded.counted_at`,
	},
}

var sqliteSynchronous = []string{"FULL", "EXTRA", "NORMAL"}

func openSQLite(o Options) (pools, error) {
	if !slices.Contains(sqliteSynchronous, o.Synchronous) {
		return pools{}, fmt.Errorf("synchronous %q is unknown; allowed: %s", o.Synchronous, strings.Join(sqliteSynchronous, ", "))
	}
	path, err := sqlitePath(o)
	if err != nil {
		return pools{}, err
	}
	release, err := hold(path + ".lock")
	if err != nil {
		return pools{}, fmt.Errorf("%s: %w", path, err)
	}
	write, err := sql.Open("sqlite", sqliteDSN(path, sqliteWriter(o)))
	if err != nil {
		return pools{}, errors.Join(err, release())
	}
	write.SetMaxOpenConns(1)
	read, err := sql.Open("sqlite", sqliteDSN(path, sqliteReader))
	if err != nil {
		return pools{}, errors.Join(err, release())
	}
	read.SetMaxOpenConns(o.Readers)
	read.SetMaxIdleConns(o.Readers)
	dialector := func(c gorm.ConnPool) gorm.Dialector { return sqliteDialector{pool: c} }
	return pools{name: path, write: write, read: read, dialector: dialector, release: release}, nil
}

func sqlitePath(o Options) (string, error) {
	path := o.DSN
	if path == "" {
		path = filepath.Join(o.Dir, "hermod.db")
	}
	if strings.HasPrefix(path, ":memory:") || strings.HasPrefix(path, "file:") {
		return "", fmt.Errorf("dsn %q must be the path of a file: readers and writer share it", path)
	}
	path, err := filePath(path)
	if err != nil {
		return "", err
	}
	return path, os.MkdirAll(filepath.Dir(path), 0o700)
}

// filePath is the absolute path of a database file. A link is followed, as SQLite does: the lock that keeps others from
// the file is beside the file, and what takes its place is put there.
func filePath(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if info, err := os.Lstat(path); err != nil || info.Mode().Type() != os.ModeSymlink {
		return path, nil
	}
	if to, err := filepath.EvalSymlinks(path); err == nil {
		return to, nil
	}
	return path, nil // it leads to what is not there yet
}

// sqliteWriter returns the settings of the connection that writes. A checkpoint copies a page once
// that the write-ahead log has many versions of, so with a log of 32 MiB there is less to copy.
func sqliteWriter(o Options) []string {
	return []string{
		"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(" + o.Synchronous + ")",
		"cache_size(-65536)", "wal_autocheckpoint(8192)", "journal_size_limit(67108864)",
	}
}

var sqliteReader = []string{"busy_timeout(5000)", "cache_size(-8192)", "query_only(1)"}

func sqliteDSN(path string, pragmas []string) string {
	u := url.URL{Scheme: "file", Path: path, RawQuery: url.Values{"_pragma": pragmas}.Encode()}
	return u.String()
}

// sqliteVersion opens a file that is there, for reading.
func sqliteVersion(o Options) (*sql.DB, error) { return openExisting(o, "ro", sqliteReader) }

// openExisting opens a file that is there, with one of SQLite's modes.
func openExisting(o Options, mode string, pragmas []string) (*sql.DB, error) {
	path, err := File(o)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	u := url.URL{Scheme: "file", Path: path, RawQuery: url.Values{"mode": {mode}, "_pragma": pragmas}.Encode()}
	db, err := sql.Open("sqlite", u.String())
	if err == nil {
		db.SetMaxOpenConns(1)
	}
	return db, err
}
