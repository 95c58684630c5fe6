package data

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/pressly/goose/v3"
)

//go:embed migrations
var migrations embed.FS

// newProvider returns what migrates a database, one node at a time.
func newProvider(db *sql.DB, drv driver) (*goose.Provider, error) {
	files, err := fs.Sub(migrations, "migrations/"+drv.migrations)
	if err != nil {
		return nil, err
	}
	options := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true)}
	if drv.locker != nil {
		locker, err := drv.locker()
		if err != nil {
			return nil, err
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	return goose.NewProvider(drv.goose, db, files, options...)
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
	if drv.usual != "" {
		if _, err := db.ExecContext(ctx, drv.usual); err != nil {
			return fmt.Errorf("data: migrate: %w", err)
		}
	}
	return nil
}

func bringUp(ctx context.Context, db *sql.DB, name string, drv driver, log *slog.Logger) error {
	provider, err := newProvider(db, drv)
	if err != nil {
		return fmt.Errorf("data: migrations: %w", err)
	}
	current, known, err := provider.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("data: open %s: read the schema's version: %w", name, err)
	}
	if current > known {
		return fmt.Errorf("data: the schema has version %d and this program knows %d: it was written by a newer one", current, known)
	}
	applied, err := provider.Up(ctx)
	if err != nil {
		return fmt.Errorf("data: migrate: %w", err)
	}
	if len(applied) > 0 {
		log.InfoContext(ctx, "schema migrated", "from", current, "to", known)
	}
	return nil
}
