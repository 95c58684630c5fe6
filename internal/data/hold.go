package data

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// ErrInUse is wrapped by what refuses a database file that another process works on.
var ErrInUse = errors.New("it is in use by another process")

// Hold keeps the database file that opts name for this process, as Open does while it is open, and makes
// its folder where there is none. It wraps ErrInUse when another process has it, and holds nothing on
// systems that know no such locks. Whoever is killed lets go.
func Hold(opts Options) (release func() error, err error) {
	path, err := sqlitePath(opts.withDefaults())
	if err != nil {
		return nil, err
	}
	release, err = hold(path + ".lock")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return release, nil
}

// File returns the path of the database file that opts name, which need not exist.
func File(opts Options) (string, error) {
	opts = opts.withDefaults()
	if opts.Driver != "sqlite" {
		return "", fmt.Errorf("data: %s keeps no file of its own", opts.Driver)
	}
	if opts.DSN != "" {
		return filePath(opts.DSN)
	}
	return filePath(filepath.Join(opts.Dir, "hermod.db"))
}

// CopyFile makes a copy of the database file that opts name, as it is when the copy begins, and returns
// the version of the schema in it. A node may be using the database, and goes on storing meanwhile. into
// must not exist; what an error leaves of it is the caller's to remove.
func CopyFile(ctx context.Context, opts Options, into string) (schema int64, err error) {
	db, err := openExisting(opts, "rw", []string{"busy_timeout(10000)"})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if _, err := db.ExecContext(ctx, "VACUUM INTO ?", into); err != nil {
		return 0, err
	}
	// What was written meanwhile could not go from the log into the file. If that were left to the node,
	// the next message would wait for it.
	if _, err := db.ExecContext(ctx, "PRAGMA wal_checkpoint(PASSIVE)"); err != nil {
		return 0, err
	}
	v, err := ReadVersion(ctx, Options{DSN: into})
	return v.Schema, err
}

// EachRecording calls f with the id of each recording that a database file names.
func EachRecording(ctx context.Context, path string, f func(id string) error) (err error) {
	db, err := openExisting(Options{DSN: path}, "ro", sqliteReader)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	rows, err := db.QueryContext(ctx, "SELECT id FROM audios ORDER BY id") //nolint:sqlclosecheck // eachRow does
	return eachRow(rows, err, func(rows *sql.Rows) error {
		var id string
		if err := rows.Scan(&id); err != nil {
			return err
		}
		return f(id)
	})
}

// IsFull tells whether an error of a database file is that its disk is full.
func IsFull(err error) bool {
	var lite *sqlite.Error
	return errors.As(err, &lite) && lite.Code()&0xff == sqlite3.SQLITE_FULL
}

// CheckFile reads a whole database file and tells what is damaged, nil if nothing is.
func CheckFile(ctx context.Context, path string) (err error) {
	db, err := openExisting(Options{DSN: path}, "ro", sqliteReader)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	var found string
	if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&found); err != nil {
		return err
	}
	if found != "ok" {
		return fmt.Errorf("the database is damaged: %s", found)
	}
	return nil
}

// Settle puts what is in a database's log into its file, so that the file alone is the database. The
// caller holds it.
func Settle(ctx context.Context, path string) (err error) {
	db, err := openExisting(Options{DSN: path}, "rw", []string{"busy_timeout(10000)"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	_, err = db.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
	return err
}
