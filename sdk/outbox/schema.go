package outbox

import (
	"context"
	"embed"
	"fmt"
	"strings"
)

//go:embed schema/*.sql
var schemas embed.FS

// Schema returns the SQL that makes the table and its indexes, for a service that has migrations of its own. dialect
// is mysql, which is MariaDB as well, postgres or sqlite. What is there already stays as it is.
func Schema(dialect string) (string, error) {
	text, err := schemas.ReadFile("schema/" + dialect + ".sql")
	if err != nil {
		return "", fmt.Errorf("outbox: the database %q is unknown; mysql, postgres and sqlite are allowed", dialect)
	}
	return string(text), nil
}

// Migrate makes the table if it is not there. MySQL commits whatever transaction it is called in.
func (b *Box) Migrate(ctx context.Context) error {
	text, err := Schema(b.db.Name())
	if err != nil {
		return err
	}
	db := b.session(ctx)
	for statement := range strings.SplitSeq(text, ";\n") {
		if strings.TrimSpace(statement) == "" {
			continue
		}
		if err := db.Exec(statement).Error; err != nil {
			return fmt.Errorf("outbox: make the table: %w", err)
		}
	}
	return nil
}
