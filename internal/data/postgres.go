package data

import (
	"cmp"
	"database/sql"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3/database"
	"github.com/pressly/goose/v3/lock"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
)

var postgresDriver = driver{
	goose: database.DialectPostgres, migrations: "postgres", open: openPostgres, version: postgresVersion,
	locker: func() (lock.SessionLocker, error) {
		return lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, lockWait))
	},
	patient: "SET statement_timeout = 0", usual: "RESET statement_timeout",
	dialect: dialect{
		begin:     "BEGIN",
		forUpdate: " FOR UPDATE",
		numbered:  true,
		remote:    true,
		once:      onConflictDoNothing,
		raiseCursor: ` ON CONFLICT (user_id, room_id, device_id) DO UPDATE
			SET delivered = greatest(cursors.delivered, excluded.delivered), updated_at = excluded.updated_at`,
		raiseSeen: ` ON CONFLICT (user_id) DO UPDATE SET seen_at = greatest(last_seen.seen_at, excluded.seen_at)`,
		renewSum:  ` ON CONFLICT (room_id, seq) DO UPDATE SET bytes = excluded.bytes, counted_at = excluded.counted_at`,
		bulk:      arrays{},
		search:    postgresSearch,
	},
}

func openPostgres(o Options) (pools, error) {
	c, err := postgresConfig(o)
	if err != nil {
		return pools{}, err
	}
	read, write, index := stdlib.OpenDB(*c), stdlib.OpenDB(*lookingUp(c)), stdlib.OpenDB(*lookingUp(c))
	write.SetMaxOpenConns(1)
	index.SetMaxOpenConns(1)
	keep(read, o)
	return pools{
		name: fmt.Sprintf("%s on %s:%d", cmp.Or(c.Database, c.User), c.Host, c.Port), write: write, read: read, index: index,
		dialector: func(p gorm.ConnPool) gorm.Dialector { return postgres.New(postgres.Config{Conn: p}) },
	}, nil
}

// postgresConfig has the server end what takes too long as well, so that nothing runs there whose
// answer nobody waits for, and the transaction of a node that has vanished without a word, as it does when its
// network is cut: until then the rooms that it was writing to are locked for every other node.
func postgresConfig(o Options) (*pgx.ConnConfig, error) {
	if o.DSN == "" {
		return nil, fmt.Errorf("dsn is empty; postgres needs one, such as postgres://user:password@host:5432/hermod")
	}
	if err := checkPostgresDSN(o.DSN); err != nil {
		return nil, err
	}
	c, err := pgx.ParseConfig(o.DSN)
	if err != nil {
		return nil, postgresProblem(err)
	}
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = o.StatementTimeout
	}
	for name, limit := range map[string]time.Duration{
		"statement_timeout":                   o.StatementTimeout,
		"idle_in_transaction_session_timeout": 2 * o.StatementTimeout, // a node that is short of CPU has not vanished
	} {
		if _, ok := c.RuntimeParams[name]; !ok {
			c.RuntimeParams[name] = fmt.Sprint(limit.Milliseconds())
		}
	}
	if _, ok := c.RuntimeParams["application_name"]; !ok {
		c.RuntimeParams["application_name"] = "hermod"
	}
	return c, nil
}

// lookingUp has the writing connection find rows by their keys, which is all that it ever wants. A plan
// that was made while a table was small, or has no statistics yet, reads all of it for every commit until
// the server next analyzes it.
func lookingUp(c *pgx.ConnConfig) *pgx.ConnConfig {
	c = c.Copy()
	for _, way := range []string{"enable_seqscan", "enable_hashjoin", "enable_mergejoin"} {
		if _, ok := c.RuntimeParams[way]; !ok {
			c.RuntimeParams[way] = "off"
		}
	}
	return c
}

func postgresVersion(o Options) (*sql.DB, error) {
	c, err := postgresConfig(o)
	if err != nil {
		return nil, err
	}
	return stdlib.OpenDB(*c), nil
}

// idleConnection is how long a reading connection may lie unused.
const idleConnection = 5 * time.Minute

func keep(read *sql.DB, o Options) {
	read.SetMaxOpenConns(o.Readers)
	read.SetMaxIdleConns(o.Readers)
	read.SetConnMaxIdleTime(idleConnection)
}

// arrays writes rows as one array for each column, so that a statement is the same whatever the number
// of rows, and is prepared once.
type arrays struct{}

func (arrays) insert(t *tx, table bulkTable, rows [][]any) error {
	_, err := t.exec(table.unnest+table.taken, columnsOf(table, rows)...)
	return err
}

func (arrays) lockHeads(t *tx, rooms []string, row func(*sql.Rows) error) error {
	const query = `SELECT id, head_seq, version FROM rooms WHERE id = ANY(?::text[]) AND deleted_at = 0 ORDER BY id FOR UPDATE`
	return t.each(query, []any{rooms}, row)
}

func (arrays) speakers(t *tx, k memberKeys, row func(*sql.Rows) error) error {
	return t.each(selectSpeakersOfArrays, []any{k.rooms, k.users}, row)
}

var selectSpeakersOfArrays = `SELECT ` + membershipColumns + ` FROM unnest(?::text[], ?::text[]) AS asked (room_id, user_id)
	JOIN members m ON m.room_id = asked.room_id AND m.user_id = asked.user_id JOIN rooms r ON r.id = m.room_id`

func (arrays) claims(t *tx, k claimKeys, row func(*sql.Rows) error) error {
	const query = `SELECT room_id, sender, client_id, payload_hash, seq, message_id, created_at FROM idempotency
		JOIN unnest(?::text[], ?::text[], ?::text[]) AS asked (room_id, sender, client_id)
		USING (room_id, sender, client_id)`
	return t.each(query, []any{k.rooms, k.senders, k.clientIDs}, row)
}

func (arrays) forget(t *tx, k claimKeys) error {
	const statement = `DELETE FROM idempotency USING unnest(?::text[], ?::text[], ?::text[]) AS old (room_id, sender, client_id)
		WHERE idempotency.room_id = old.room_id AND idempotency.sender = old.sender AND idempotency.client_id = old.client_id`
	_, err := t.exec(statement, k.rooms, k.senders, k.clientIDs)
	return err
}

func (arrays) raiseHeads(t *tx, rooms []string, heads []int64, at int64) error {
	const statement = `UPDATE rooms SET head_seq = new.head, last_active = ?
		FROM unnest(?::text[], ?::bigint[]) AS new (id, head) WHERE rooms.id = new.id`
	_, err := t.exec(statement, at, rooms, heads)
	return err
}
