package store

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql" // registers the driver "mysql"
	"github.com/google/uuid"
	_ "github.com/jackc/pgx/v5/stdlib" // registers the driver "pgx"
	_ "modernc.org/sqlite"             // registers the driver "sqlite"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/data"
)

// Rows are inserted many with a statement, and many statements with a transaction: larger ones are not
// faster on any of the databases.
const (
	statementRows   = 100
	transactionRows = 1000
)

const (
	messageColumns = "room_id, seq, id, sender, client_id, type, content, metadata, ack_required, created_at"
	claimColumns   = "room_id, sender, client_id, payload_hash, seq, message_id, created_at"
)

// insertRaw inserts the rows that a stored message consists of, with nothing around: no senders, no rules, nobody
// who waits, nothing that is looked up.
func insertRaw(tb testing.TB, to target, p pace) figure {
	tb.Helper()
	opts := to.empty()
	closeAll(tb, openStore(tb, opts)) // which makes the schema
	in := newInserter(tb, opts, "FULL")
	defer in.close()
	return during(tb, to, p, func(ctx context.Context, stored *atomic.Int64) {
		for next := 0; ctx.Err() == nil && !tb.Failed(); next += transactionRows {
			in.transaction(next, transactionRows, roomCount)
			stored.Add(transactionRows)
		}
	})
}

// inserter inserts messages and their claims over one connection.
type inserter struct {
	tb               testing.TB
	db               *sql.DB
	messages, claims *sql.Stmt
	content          []byte
	hash             []byte
}

func newInserter(tb testing.TB, opts data.Options, synchronous string) *inserter {
	tb.Helper()
	dsn, driver := opts.DSN, map[string]string{"sqlite": "sqlite", "postgres": "pgx", "mysql": "mysql"}[opts.Driver]
	if opts.Driver == "sqlite" { // as the store has it
		dsn = "file:" + dsn + "?_pragma=journal_mode(WAL)&_pragma=synchronous(" + synchronous +
			")&_pragma=cache_size(-65536)&_pragma=wal_autocheckpoint(8192)"
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		tb.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	in := &inserter{tb: tb, db: db, content: make([]byte, payloadSize), hash: make([]byte, 16)}
	in.messages = in.prepare("messages", messageColumns, opts.Driver == "postgres")
	in.claims = in.prepare("idempotency", claimColumns, opts.Driver == "postgres")
	return in
}

func (in *inserter) prepare(table, columns string, numbered bool) *sql.Stmt {
	in.tb.Helper()
	s, err := in.db.PrepareContext(in.tb.Context(), "INSERT INTO "+table+" ("+columns+") VALUES "+
		places(statementRows, strings.Count(columns, ",")+1, numbered))
	if err != nil {
		in.tb.Fatal(err)
	}
	return s
}

// places writes the arguments of rows.
func places(rows, columns int, numbered bool) string {
	var b strings.Builder
	for i := range rows * columns {
		switch {
		case i == 0:
			b.WriteString("(")
		case i%columns == 0:
			b.WriteString("), (")
		default:
			b.WriteString(", ")
		}
		b.WriteByte('?')
		if numbered {
			b.WriteString(strconv.Itoa(i + 1))
		}
	}
	text := b.String() + ")"
	if numbered {
		return strings.ReplaceAll(text, "?", "$")
	}
	return text
}

// transaction inserts count messages, the first of them the one of this number, in turns into so many rooms.
func (in *inserter) transaction(first, count, rooms int) {
	ctx := context.Background()
	tx, err := in.db.BeginTx(ctx, nil)
	if err != nil {
		in.tb.Error(err)
		return
	}
	defer func() { _ = tx.Rollback() }() // does nothing after the commit
	messages, claims := tx.StmtContext(ctx, in.messages), tx.StmtContext(ctx, in.claims)
	for from := first; from < first+count; from += statementRows {
		m, c := in.rows(from, statementRows, rooms)
		if _, err := messages.ExecContext(ctx, m...); err != nil {
			in.tb.Error(err)
			return
		}
		if _, err := claims.ExecContext(ctx, c...); err != nil {
			in.tb.Error(err)
			return
		}
	}
	if err := tx.Commit(); err != nil {
		in.tb.Error(err)
	}
}

// rows are the values of messages and of their claims, one after another.
func (in *inserter) rows(from, count, rooms int) (messages, claims []any) {
	now := time.Now()
	for i := from; i < from+count; i++ {
		room, sender, seq := "room-"+strconv.Itoa(i%rooms), "user-"+strconv.Itoa(i%(rooms*roomMembers)), int64(i/rooms+1)
		clientID, err := uuid.NewV7()
		if err != nil {
			in.tb.Error(err)
		}
		id := biz.NewMessageID(biz.RoomID(room), seq, now)
		messages = append(messages, room, seq, id, sender, clientID.String(), int64(biz.TypeText), in.content, nil, false, now.UnixMicro())
		claims = append(claims, room, sender, clientID.String(), in.hash, seq, id, now.UnixMicro())
	}
	return messages, claims
}

func (in *inserter) close() {
	in.tb.Helper()
	closeAll(in.tb, in.messages, in.claims, in.db)
}
