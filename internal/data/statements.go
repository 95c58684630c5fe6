package data

import (
	"database/sql"
	"errors"
	"strings"
)

// The statements of a commit, which runs them once per message or room, prepared. Those of an
// opening session are beside the functions that run them.
const (
	selectHead = `SELECT head_seq, version FROM rooms WHERE id = ? AND deleted_at = 0`
	updateHead = `UPDATE rooms SET head_seq = ?, last_active = ? WHERE id = ?`

	claimColumns = `room_id, sender, client_id, payload_hash, seq, message_id, created_at`
	selectClaim  = `SELECT payload_hash, seq, message_id, created_at FROM idempotency
		WHERE room_id = ? AND sender = ? AND client_id = ?`
	deleteClaim = `DELETE FROM idempotency WHERE room_id = ? AND sender = ? AND client_id = ?`
)

var (
	insertMessageSQL = insertInto("messages", plainColumns)
	insertExtrasSQL  = insertInto("messages", messageColumns)
	insertClaimSQL   = insertInto("idempotency", claimColumns) + onConflictDoNothing("")
)

// insertInto writes the statement that inserts a row.
func insertInto(table, columns string) string {
	return "INSERT INTO " + table + " (" + columns + ") VALUES (" + places(strings.Count(columns, ",")+1) + ")"
}

// places writes n places for arguments.
func places(n int) string { return strings.Repeat("?, ", n-1) + "?" }

func insertMessage(t *tx, r *messageRow) error {
	statement, values := insertExtrasSQL, r.values()
	if r.Extras == nil {
		statement, values = insertMessageSQL, values[:len(values)-1]
	}
	_, err := t.exec(statement, values...)
	return err
}

// claim takes the client's id for the receipt in e. If it is taken already, e gets the first
// outcome, or a conflict. A claim from before the window counts as absent, purged or not; it is
// deleted rather than changed, so that "no" keeps the order of created_at.
func (c *committer) claim(t *tx, e *entry) (taken bool, err error) {
	if taken, err = insertedNot(c.insertClaim(t, e)); !taken || err != nil {
		return false, err
	}
	d := &e.draft.Message
	var held heldClaim
	var created int64
	err = t.scan(selectClaim, []any{string(d.Room), string(d.Sender), d.ClientID}, &held.hash, &held.receipt.Seq, &held.receipt.ID, &created)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return false, errors.New("an idempotency row is there and cannot be read")
	case err != nil:
		return false, err
	case created < e.receipt.Time.Add(-c.window).UnixMicro():
		return false, c.replaceClaim(t, e)
	}
	held.receipt.Time, held.receipt.Duplicate = fromMicros(created), true
	e.repeat(held)
	return true, nil
}

func insertedNot(n int64, err error) (bool, error) { return n == 0, err }

func (c *committer) insertClaim(t *tx, e *entry) (int64, error) {
	d := &e.draft.Message
	return t.exec(insertClaimSQL, string(d.Room), string(d.Sender), d.ClientID, e.hash[:],
		e.receipt.Seq, e.receipt.ID, e.receipt.Time.UnixMicro())
}

func (c *committer) replaceClaim(t *tx, e *entry) error {
	d := &e.draft.Message
	if _, err := t.exec(deleteClaim, string(d.Room), string(d.Sender), d.ClientID); err != nil {
		return err
	}
	_, err := c.insertClaim(t, e)
	return err
}
