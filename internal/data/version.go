package data

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

// Version is the version of a schema.
type Version struct {
	Schema int64 // of the database
	Known  int64 // the newest that this program knows
}

// ReadVersion reads the version of the database that opts name. It changes nothing and makes nothing,
// and a node may be using the database meanwhile. fs.ErrNotExist means that there is none, or nothing in it.
func ReadVersion(ctx context.Context, opts Options) (Version, error) {
	opts = opts.withDefaults()
	drv, err := driverOf(opts.Driver)
	if err != nil {
		return Version{}, err
	}
	known, err := newestMigration(drv)
	if err != nil {
		return Version{}, err
	}
	db, err := drv.version(opts)
	if err != nil {
		return Version{}, err
	}
	v := Version{Known: known}
	const query = "SELECT max(version_id) FROM " + goose.DefaultTablename + " WHERE is_applied"
	err = db.QueryRowContext(ctx, query).Scan(&v.Schema)
	if isMissingTable(err) {
		err = fmt.Errorf("the database has no schema: %w", fs.ErrNotExist)
	}
	return v, errors.Join(err, db.Close())
}

// KnownSchema returns the newest version of SQLite's schema that this program knows.
func KnownSchema() (int64, error) { return newestMigration(sqliteDriver) }

func newestMigration(drv driver) (newest int64, err error) {
	files, err := fs.ReadDir(migrations, "migrations/"+drv.migrations)
	if err != nil {
		return 0, err
	}
	for _, f := range files {
		v, err := goose.NumericComponent(f.Name())
		if err != nil {
			return 0, err
		}
		newest = max(newest, v)
	}
	return newest, nil
}
