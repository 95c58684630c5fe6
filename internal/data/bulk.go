package data

import (
	"database/sql"
	"slices"
	"strings"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// bulk writes a batch of messages in as many statements as it has kinds of rows. Where a statement
// crosses a network, one for each row would make a commit as long as it has rows.
type bulk interface {
	bulkReader
	bulkWriter
}

// bulkReader reads what a batch rests on, within its transaction.
type bulkReader interface {
	// lockHeads calls row with the id, head and version of each room that exists, and keeps other nodes from
	// writing to them until the transaction is over. It takes the locks in the order of ids, so that two
	// nodes that want the same rooms wait for each other and never in a circle.
	lockHeads(t *tx, rooms []string, row func(*sql.Rows) error) error
	// speakers calls row with the membership of each of the asked ones that is a member.
	speakers(t *tx, asked memberKeys, row func(*sql.Rows) error) error
	// claims calls row with each claim that there is of the asked ones.
	claims(t *tx, asked claimKeys, row func(*sql.Rows) error) error
}

// bulkWriter writes what a batch consists of.
type bulkWriter interface {
	// forget deletes claims.
	forget(t *tx, old claimKeys) error
	// insert adds rows to a table, whose values are in the order of its columns.
	insert(t *tx, table bulkTable, rows [][]any) error
	// raiseHeads gives rooms their new heads.
	raiseHeads(t *tx, rooms []string, heads []int64, at int64) error
}

// claimKeys are keys of claims, column by column.
type claimKeys struct{ rooms, senders, clientIDs []string }

func (k *claimKeys) add(key claimKey) {
	k.rooms = append(k.rooms, key.room)
	k.senders = append(k.senders, key.sender)
	k.clientIDs = append(k.clientIDs, key.clientID)
}

// args are the keys one after another, in the order of the index.
func (k *claimKeys) args() []any {
	args := make([]any, 0, 3*len(k.rooms))
	for i := range k.rooms {
		args = append(args, k.clientIDs[i], k.senders[i], k.rooms[i])
	}
	return args
}

type claimKey struct{ room, sender, clientID string }

func claimKeyOf(m *biz.Message) claimKey {
	return claimKey{string(m.Room), string(m.Sender), m.ClientID}
}

// bulkBatch is a batch on its way into the database.
type bulkBatch struct {
	c        *committer
	now      time.Time
	held     map[claimKey]heldClaim
	expired  claimKeys
	claims   [][]any
	messages [][]any
	beside   beside
}

// writeBulk does what write does, in few statements. While it holds the rooms' locks nobody else
// numbers messages in them or takes claims in them, so what it has read stays true.
func (c *committer) writeBulk(t *tx, now time.Time) error {
	b := &bulkBatch{c: c, now: now, held: make(map[claimKey]heldClaim)}
	if err := b.lockHeads(t); err != nil {
		return err
	}
	c.join()
	if err := b.permit(t); err != nil {
		return err
	}
	if err := b.loadClaims(t); err != nil {
		return err
	}
	for i := range c.groups.list {
		if err := b.number(t, &c.groups.list[i]); err != nil {
			return err
		}
	}
	if err := b.flush(t); err != nil {
		return err
	}
	return b.raiseHeads(t)
}

func (b *bulkBatch) lockHeads(t *tx) error {
	list := b.c.groups.list
	rooms := make([]string, len(list))
	for i := range list {
		rooms[i], list[i].exists = string(list[i].room), false
		list[i].begin()
	}
	slices.Sort(rooms)
	return t.dialect.bulk.lockHeads(t, rooms, func(rows *sql.Rows) error {
		var id string
		var head, version int64
		if err := rows.Scan(&id, &head, &version); err != nil {
			return err
		}
		if i, ok := b.c.groups.at[biz.RoomID(id)]; ok {
			list[i].head, list[i].version, list[i].exists = head, version, true
		}
		return nil
	})
}

// loadClaims looks ids up, where a repetition is likely or must not be decided upon a second time.
func (b *bulkBatch) loadClaims(t *tx) error {
	var asked claimKeys
	for i := range b.c.groups.list {
		for _, e := range b.c.groups.list[i].entries {
			if m := &e.draft.Message; m.ClientID != "" && (b.c.wary > 0 || e.draft.Act != nil) {
				asked.add(claimKeyOf(m))
			}
		}
	}
	if len(asked.rooms) == 0 {
		return nil
	}
	oldest := b.now.Add(-b.c.window).UnixMicro()
	return t.dialect.bulk.claims(t, asked, func(rows *sql.Rows) error {
		var k claimKey
		var c heldClaim
		var created int64
		if err := rows.Scan(&k.room, &k.sender, &k.clientID, &c.hash, &c.receipt.Seq, &c.receipt.ID, &created); err != nil {
			return err
		}
		if _, again := b.held[k]; again { // asked for twice
			return nil
		}
		if created < oldest {
			b.expired.add(k)
			return nil
		}
		c.receipt.Time, c.receipt.Duplicate = fromMicros(created), true
		b.held[k] = c
		return nil
	})
}

// number gives the entries of one room the next numbers after its head.
func (b *bulkBatch) number(t *tx, g *group) error {
	if !g.exists {
		failAll(g.entries, biz.ErrRoomNotFound(g.room))
		return nil
	}
	before := g.head
	for i, e := range g.entries {
		if e.draft.Act == nil && !g.gone {
			b.numberEntry(g, e)
			continue
		}
		if err := b.act(t, g, i); err != nil {
			return err
		}
	}
	g.stored = g.head > before
	return nil
}

func (b *bulkBatch) numberEntry(g *group, e *entry) {
	if e.err = e.refused; e.err != nil {
		e.receipt = biz.Receipt{}
		return
	}
	m := e.draft.Message
	if m.ClientID != "" {
		if c, ok := b.held[claimKeyOf(&m)]; ok {
			e.repeat(c)
			return
		}
	}
	seq := g.head + 1
	m.ID, m.Seq, m.Time = biz.NewMessageID(g.room, seq, b.now), seq, b.now
	if e.err = e.complete(&m, g.head); e.err != nil {
		e.receipt = biz.Receipt{}
		return
	}
	e.receipt = biz.Receipt{ID: m.ID, Seq: seq, Time: b.now}
	g.head = seq
	b.add(e, &m, e.metadata)
}

// add has a message, nil for none, and the claim of an entry written.
func (b *bulkBatch) add(e *entry, m *biz.Message, metadata []byte) {
	if m != nil {
		b.addMessage(e, m, metadata)
	}
	if e.draft.ClientID == "" {
		return
	}
	key, first := claimKeyOf(&e.draft.Message), e.receipt
	first.Duplicate = true
	b.held[key] = heldClaim{hash: e.hash[:], receipt: first}
	b.claims = append(b.claims, []any{
		key.room, key.sender, key.clientID, e.hash[:], first.Seq, first.ID, b.now.UnixMicro(),
	})
}

// flush writes what was added.
func (b *bulkBatch) flush(t *tx) error {
	into := t.dialect.bulk
	if len(b.expired.rooms) > 0 && len(b.claims) > 0 {
		if err := into.forget(t, b.expired); err != nil {
			return err
		}
		b.expired = claimKeys{}
	}
	if len(b.claims) > 0 {
		if err := into.insert(t, claimTable, b.claims); err != nil {
			return err
		}
		b.claims = nil
	}
	if len(b.messages) == 0 {
		return nil
	}
	table, rows := messageTable, b.messages
	if b.beside.extras {
		table = extrasTable
	} else {
		for i := range rows {
			rows[i] = rows[i][:len(table.columns)]
		}
	}
	b.messages = nil
	if err := into.insert(t, table, rows); err != nil {
		return err
	}
	return b.beside.flush(t)
}

func (b *bulkBatch) raiseHeads(t *tx) error {
	rooms, heads := make([]string, 0, len(b.c.groups.list)), make([]int64, 0, len(b.c.groups.list))
	for i := range b.c.groups.list {
		if g := &b.c.groups.list[i]; g.stored {
			rooms, heads = append(rooms, string(g.room)), append(heads, g.head)
		}
	}
	if len(rooms) == 0 {
		return nil
	}
	return t.dialect.bulk.raiseHeads(t, rooms, heads, b.now.UnixMicro())
}

// bulkTable is a table that rows are added to in bulk.
type bulkTable struct {
	name    string
	columns []bulkColumn
	unnest  string // the statement that takes an array for each column
	row     string // places for the values of a row
	taken   string // what becomes of a row whose key is taken; empty: an error
}

// where says what becomes of a row whose key is taken.
func (t bulkTable) where(taken string) bulkTable {
	t.taken = taken
	return t
}

// bulkColumn is a column with its type in PostgreSQL.
type bulkColumn struct{ name, kind string }

func newBulkTable(name string, columns ...bulkColumn) bulkTable {
	t := bulkTable{name: name, columns: columns}
	arrays := make([]string, len(columns))
	for i, c := range columns {
		arrays[i] = "?::" + c.kind + "[]"
	}
	t.unnest = "INSERT INTO " + name + " (" + t.names() + ") SELECT * FROM unnest(" + strings.Join(arrays, ", ") + ")"
	t.row = "(" + places(len(columns)) + ")"
	return t
}

func (t *bulkTable) names() string {
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = c.name
	}
	return strings.Join(names, ", ")
}

var (
	claimTable = newBulkTable("idempotency", bulkColumn{"room_id", "text"}, bulkColumn{"sender", "text"}, bulkColumn{"client_id", "text"},
		bulkColumn{"payload_hash", "bytea"}, bulkColumn{"seq", "bigint"}, bulkColumn{"message_id", "text"}, bulkColumn{"created_at", "bigint"})
	messageTable = newBulkTable("messages", bulkColumn{"room_id", "text"}, bulkColumn{"seq", "bigint"}, bulkColumn{"id", "text"},
		bulkColumn{"sender", "text"}, bulkColumn{"client_id", "text"}, bulkColumn{"type", "bigint"}, bulkColumn{"content", "bytea"},
		bulkColumn{"metadata", "text"}, bulkColumn{"ack_required", "boolean"}, bulkColumn{"created_at", "bigint"})
	cursorTable = newBulkTable("cursors", bulkColumn{"user_id", "text"}, bulkColumn{"room_id", "text"}, bulkColumn{"device_id", "text"},
		bulkColumn{"delivered", "bigint"}, bulkColumn{"updated_at", "bigint"})
	extrasTable = newBulkTable("messages", append(slices.Clone(messageTable.columns), bulkColumn{"extras", "text"})...)
)

// columnsOf turns rows into one array for each column.
func columnsOf(t bulkTable, rows [][]any) []any {
	arrays := make([]any, len(t.columns))
	for i, c := range t.columns {
		switch c.kind {
		case "bigint":
			arrays[i] = columnOf[int64](rows, i)
		case "bytea":
			arrays[i] = columnOf[[]byte](rows, i)
		case "boolean":
			arrays[i] = columnOf[bool](rows, i)
		default:
			arrays[i] = textsOf(rows, i)
		}
	}
	return arrays
}

func columnOf[T any](rows [][]any, i int) []T {
	column := make([]T, len(rows))
	for n, row := range rows {
		column[n], _ = row[i].(T)
	}
	return column
}

// textsOf is a column that may hold NULL.
func textsOf(rows [][]any, i int) []*string {
	column := make([]*string, len(rows))
	for n, row := range rows {
		if text, ok := row[i].(string); ok {
			column[n] = &text
		}
	}
	return column
}
