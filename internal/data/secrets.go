package data

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"
)

// Secrets are keys that nodes make for themselves: whoever is first makes one, and all that share the
// database find it. Safe for concurrent use.
type Secrets struct{ db *DB }

// NewSecrets returns the secrets in db.
func NewSecrets(db *DB) *Secrets { return &Secrets{db: db} }

const (
	secretBytes  = 32
	selectSecret = `SELECT value FROM secrets WHERE name = ?`
)

// Secret returns the 32 bytes of that name, which are made if there are none.
func (s *Secrets) Secret(ctx context.Context, name string) (value []byte, err error) {
	fresh := make([]byte, secretBytes)
	if _, err := rand.Read(fresh); err != nil {
		return nil, err
	}
	insert := insertInto("secrets", "name, value, created_at") + s.db.writer.dialect.once("name")
	err = s.db.writer.do(ctx, func(t *tx) error {
		if _, err := t.exec(insert, name, fresh, toMicros(time.Now())); err != nil {
			return err
		}
		return t.scan(selectSecret, []any{name}, &value)
	}, func() {})
	if err == nil && len(value) < secretBytes {
		err = errors.New("it is too short")
	}
	if err != nil {
		return nil, fmt.Errorf("data: secret %s: %w", name, err)
	}
	return value, nil
}
