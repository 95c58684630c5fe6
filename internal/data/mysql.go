package data

import (
	"context"
	"database/sql"
	sqldriver "database/sql/driver"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/pressly/goose/v3/database"
	"github.com/pressly/goose/v3/lock"
	gormmysql "gorm.io/driver/mysql"
	"gorm.io/gorm"
)

// mysqlDriver is for MySQL 8 and MariaDB 10.11 alike: it uses what both have.
var mysqlDriver = driver{
	goose: database.DialectMySQL, migrations: "mysql", open: openMySQL, version: mysqlVersion,
	locker: func() (lock.SessionLocker, error) { return namedLock{}, nil },
	dialect: dialect{
		begin:     "START TRANSACTION",
		forUpdate: " FOR UPDATE",
		remote:    true,
		once: func(key string) string {
			return fmt.Sprintf(" ON DUPLICATE KEY UPDATE %s = %s", key, key)
		},
		raiseCursor: ` ON DUPLICATE KEY UPDATE
			delivered = greatest(delivered, VALUES(delivered)), updated_at = VALUES(updated_at)`,
		raiseSeen: ` ON DUPLICATE KEY UPDATE seen_at = greatest(seen_at, VALUES(seen_at))`,
		renewSum:  ` ON DUPLICATE KEY UPDATE bytes = VALUES(bytes), counted_at = VALUES(counted_at)`,
		bulk:      values{},
		search:    mysqlSearch,
	},
}

func openMySQL(o Options) (pools, error) {
	c, err := mysqlConfig(o)
	if err != nil {
		return pools{}, err
	}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return pools{}, err
	}
	write := sql.OpenDB(readCommitted{connector, o.StatementTimeout, letGo(o.StatementTimeout)})
	write.SetMaxOpenConns(1)
	index := sql.OpenDB(readCommitted{connector, o.StatementTimeout, letGo(o.StatementTimeout)})
	index.SetMaxOpenConns(1)
	read := sql.OpenDB(readCommitted{connector, o.StatementTimeout, ""})
	keep(read, o)
	return pools{
		name: c.DBName + " on " + c.Addr, write: write, read: read, index: index,
		dialector: func(p gorm.ConnPool) gorm.Dialector {
			return gormmysql.New(gormmysql.Config{Conn: p, SkipInitializeWithVersion: true})
		},
	}, nil
}

// mysqlConfig has sessions that are as those of other databases: names in double quotes, and nothing
// cut off or replaced in silence. Arguments travel within the statement, in one round trip.
func mysqlConfig(o Options) (*mysql.Config, error) {
	if o.DSN == "" {
		return nil, errors.New("dsn is empty; mysql needs one, such as user:password@tcp(host:3306)/hermod")
	}
	c, err := mysql.ParseDSN(o.DSN)
	if err != nil {
		return nil, mysqlProblem(err)
	}
	if c.DBName == "" {
		return nil, errors.New("dsn names no database; it ends with /NAME")
	}
	if c.Timeout == 0 {
		c.Timeout = o.StatementTimeout
	}
	if c.Params == nil {
		c.Params = make(map[string]string)
	}
	c.Params["sql_mode"] = "'ANSI_QUOTES,STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'"
	c.Logger = &mysql.NopLogger{} // what it would write is returned as an error as well
	c.InterpolateParams = true
	c.MaxAllowedPacket = 0 // the server is asked; statements that exceed it send their arguments one by one
	c.MultiStatements = false
	c.ClientFoundRows = false // or an insertion that did nothing would count
	if err := c.Apply(mysql.Charset("utf8mb4", "utf8mb4_bin")); err != nil {
		return nil, err
	}
	return c, nil
}

// readCommitted makes connections whose transactions see, in each statement, what others committed
// before it: what a transaction reads after it has waited for a lock must not be from before. The
// variable that sets this has one name in MySQL and another in MariaDB; the statement is the same.
type readCommitted struct {
	sqldriver.Connector
	// timeout bounds a connection that is being made, the greeting of the server included: a pool that is waited
	// for makes its connections one by one, without anybody's deadline.
	timeout time.Duration
	besides string // another statement for each connection, if not empty
}

// letGo has the server end a transaction whose node has vanished without a word, as it does when its
// network is cut: until then the rooms that it was writing to are locked for every other node. MariaDB
// knows such transactions; MySQL, for which the last part is, knows sessions that say nothing, and a node that
// has nothing to write connects anew afterwards. Nobody waits longer for a lock than for a statement.
func letGo(timeout time.Duration) string {
	seconds := max(1, int(math.Ceil(timeout.Seconds())))
	return fmt.Sprintf("SET SESSION innodb_lock_wait_timeout = %d /*M!100300 , idle_transaction_timeout = %d */ /*!80000 , wait_timeout = %d */",
		seconds, 2*seconds, 2*seconds)
}

func (c readCommitted) Connect(ctx context.Context) (sqldriver.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	execer, ok := conn.(sqldriver.ExecerContext)
	if !ok {
		return nil, errors.Join(errors.New("the driver cannot prepare its sessions"), conn.Close())
	}
	for _, statement := range []string{"SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", c.besides} {
		if statement == "" {
			continue
		}
		if _, err := execer.ExecContext(ctx, statement, nil); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	return conn, nil
}

func mysqlVersion(o Options) (*sql.DB, error) {
	c, err := mysqlConfig(o)
	if err != nil {
		return nil, err
	}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

// namedLock has nodes that start at the same time migrate one after another.
type namedLock struct{}

// lockWait is how long a node waits for another's migration, in seconds.
const lockWait = 300

func (namedLock) SessionLock(ctx context.Context, conn *sql.Conn) error {
	var got sql.NullInt64
	if err := conn.QueryRowContext(ctx, "SELECT GET_LOCK(concat(database(), '.migrations'), ?)", lockWait).Scan(&got); err != nil {
		return err
	}
	if got.Int64 != 1 {
		return fmt.Errorf("another node has been migrating the schema for %d s", lockWait)
	}
	return nil
}

func (namedLock) SessionUnlock(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, "DO RELEASE_LOCK(concat(database(), '.migrations'))")
	return err
}

// values writes rows behind one VALUES.
type values struct{}

func (values) insert(t *tx, table bulkTable, rows [][]any) error {
	var query strings.Builder
	query.WriteString("INSERT INTO " + table.name + " (" + table.names() + ") VALUES ")
	args := make([]any, 0, len(rows)*len(table.columns))
	for i, row := range rows {
		if i > 0 {
			query.WriteString(", ")
		}
		query.WriteString(table.row)
		args = append(args, row...)
	}
	query.WriteString(table.taken)
	err := t.execOnce(query.String(), args...)
	return err
}

func (values) lockHeads(t *tx, rooms []string, row func(*sql.Rows) error) error {
	query := `SELECT id, head_seq, version FROM rooms WHERE id IN (` + places(len(rooms)) + `) AND deleted_at = 0 ORDER BY id FOR UPDATE`
	return t.eachOnce(query, anys(rooms), row)
}

func (values) speakers(t *tx, k memberKeys, row func(*sql.Rows) error) error {
	query := `SELECT ` + membershipColumns + ` FROM members m JOIN rooms r ON r.id = m.room_id
		WHERE (m.room_id, m.user_id) IN (` + tuples(2, len(k.rooms)) + `)`
	return t.eachOnce(query, k.args(), row)
}

func (values) claims(t *tx, k claimKeys, row func(*sql.Rows) error) error {
	query := `SELECT room_id, sender, client_id, payload_hash, seq, message_id, created_at FROM idempotency
		WHERE (client_id, sender, room_id) IN (` + tuples(3, len(k.rooms)) + `)`
	return t.eachOnce(query, k.args(), row)
}

func (values) forget(t *tx, k claimKeys) error {
	query := `DELETE FROM idempotency WHERE (client_id, sender, room_id) IN (` + tuples(3, len(k.rooms)) + `)`
	err := t.execOnce(query, k.args()...)
	return err
}

func (values) raiseHeads(t *tx, rooms []string, heads []int64, at int64) error {
	var query strings.Builder
	query.WriteString("UPDATE rooms SET last_active = ?, head_seq = CASE id")
	args := make([]any, 0, 1+3*len(rooms))
	args = append(args, at)
	for i, room := range rooms {
		query.WriteString(" WHEN ? THEN ?")
		args = append(args, room, heads[i])
	}
	query.WriteString(" END WHERE id IN (" + places(len(rooms)) + ")")
	err := t.execOnce(query.String(), append(args, anys(rooms)...)...)
	return err
}

// tuples writes places for n tuples of some length.
func tuples(length, n int) string {
	tuple := "(" + places(length) + ")"
	return strings.Repeat(tuple+", ", n-1) + tuple
}

func anys(texts []string) []any {
	args := make([]any, len(texts))
	for i, text := range texts {
		args[i] = text
	}
	return args
}
