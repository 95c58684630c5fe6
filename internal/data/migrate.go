package data

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/pressly/goose/v3"
)

//go:embed migrations
var migrations embed.FS

// newProvider returns what migrates a database.
func newProvider(db *sql.DB, drv driver) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations/"+drv.migrations)
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(drv.goose, db, files, goose.WithDisableGlobalRegistry(true))
}

// migrate brings the schema up to what this program knows, on the one connection of db. name is what people know the database by:
// this is the first to use the connection, and a driver does not say what it failed to open.
func migrate(ctx context.Context, db *sql.DB, name string, drv driver, log *slog.Logger) error {
	if drv.patient != "" {
		if _, err := db.ExecContext(ctx, drv.patient); err != nil {
			return fmt.Errorf("data: open %s: %w", name, err)
		}
	}
	if err := bringUp(ctx, db, name, drv, log); err != nil {
		return err
	}
	for _, statement := range []string{drv.usual, drv.probe} {
		if statement == "" {
			continue
		}
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("data: open %s: %w", name, err)
		}
	}
	return nil
}

// recognise refuses a database in which another program has migrated its own schema, whose versions would be taken for
// those of this one, and written down in between.
func recognise(ctx context.Context, db *sql.DB) error {
	_, err := db.ExecContext(ctx, "SELECT room_id FROM idempotency WHERE 1 = 0") // since the first schema
	if isMissingTable(err) {
		return fmt.Errorf("the table %s in it is of another program; Hermod wants a database for itself", goose.DefaultTablename)
	}
	return err
}

// bringUp migrates one node at a time. The provider would lock for itself, but not while it makes its own
// table, which others then find without its first row.
func bringUp(ctx context.Context, db *sql.DB, name string, drv driver, log *slog.Logger) (err error) {
	provider, err := newProvider(db, drv)
	if err != nil {
		return fmt.Errorf("data: migrations: %w", err)
	}
	unlock, err := lockSchema(ctx, db, drv)
	if err != nil {
		return fmt.Errorf("data: open %s: %w", name, err)
	}
	defer func() { err = errors.Join(err, unlock()) }()
	current, known, err := provider.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("data: open %s: read the schema's version: %w", name, err)
	}
	if current > 0 {
		if err := recognise(ctx, db); err != nil {
			return fmt.Errorf("data: open %s: %w", name, err)
		}
	}
	if current > known {
		return fmt.Errorf("data: the schema has version %d and this program knows %d: it was written by a newer one", current, known)
	}
	applied, err := provider.Up(ctx)
	if err != nil {
		return fmt.Errorf("data: migrate %s: %w", name, err)
	}
	if len(applied) > 0 {
		log.InfoContext(ctx, "schema migrated", "from", current, "to", known)
	}
	return nil
}

// lockSchema keeps other nodes from migrating until unlock is called or the one connection of db is lost.
func lockSchema(ctx context.Context, db *sql.DB, drv driver) (unlock func() error, err error) {
	if drv.locker == nil {
		return func() error { return nil }, nil
	}
	locker, err := drv.locker()
	if err != nil {
		return nil, err
	}
	connected := func(ctx context.Context, do func(context.Context, *sql.Conn) error) error {
		conn, err := db.Conn(ctx)
		if err != nil {
			return err
		}
		return errors.Join(do(ctx, conn), conn.Close())
	}
	if err := connected(ctx, locker.SessionLock); err != nil {
		return nil, err
	}
	return func() error { return connected(context.WithoutCancel(ctx), locker.SessionUnlock) }, nil
}
