package data

import (
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// unsure is the failure of a commit that does not tell whether it was done, as when the connection is lost over it.
type unsure struct{ error }

// Unwrap returns what the database says.
func (u unsure) Unwrap() error { return u.error }

// ofCommit tells a commit that was refused from one that may have been done. Then what is remembered may be wrong.
func (w *writer) ofCommit(err error) error {
	switch faultOf(err) {
	case rowFault, conflictFault:
		return err
	}
	if w.forget != nil {
		w.forget()
	}
	return unsure{err}
}

// doubt is a transaction of the log whose commit may have been done. Those who have waited for it are told that the
// store has failed. Who of them sends again learns that he has been heard, and would be by nobody else: so it is found
// out before the next transaction, and what was stored is published then.
type doubt struct {
	groups []group
	said   []*entry     // what came of the transaction, without those who have waited for it
	kept   *biz.Receipt // of a message that it has stored, which is there if it was committed
	room   biz.RoomID   // of that
}

// doubtOf returns nil where nothing would be found: the transaction has stored no message.
func (c *committer) doubtOf(part []*entry) *doubt {
	d := &doubt{groups: slices.Clone(c.groups.list)}
	for i := range d.groups {
		d.groups[i].entries = nil // whose memory serves the next batch
	}
	for _, e := range part {
		if e.err != nil || e.receipt.Duplicate {
			continue
		}
		draft := *e.draft
		draft.Origin, draft.Asked = "", nil // which was told of a failure, and so hears it like others
		d.said = append(d.said, &entry{draft: &draft, done: func(biz.Receipt, error) {}, receipt: e.receipt, deed: e.deed})
		if d.kept == nil && (e.deed == nil || e.deed.stored) {
			d.kept, d.room = &e.receipt, draft.Room
		}
	}
	if d.kept == nil {
		return nil
	}
	kept := *d.kept // the entry is about to fail
	d.kept = &kept
	return d
}

const (
	lockRoomRow = `SELECT head_seq FROM rooms WHERE id = ?`
	selectKept  = `SELECT id FROM messages WHERE room_id = ? AND seq = ?`
)

// resolve finds out whether the transaction in doubt was committed, and returns what is to be published if it was. The
// room is locked for that: a server may still be at the commit.
func (c *committer) resolve(asked time.Time) (found []*entry, err error) {
	d := c.doubt
	if d == nil {
		return nil, nil
	}
	var id string
	err = c.db.writer.perform(transaction{asked: asked, run: func(t *tx) error {
		var head int64
		id = ""
		err := t.locked(lockRoomRow, []any{string(d.room)}, &head)
		if err == nil {
			err = t.scan(selectKept, []any{string(d.room), d.kept.Seq}, &id)
		}
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	}, committed: func() {}})
	if err != nil {
		return nil, err
	}
	if c.doubt = nil; id != d.kept.ID {
		return nil, nil
	}
	c.queue.admit(d.said)
	for i := range d.groups {
		g := &d.groups[i]
		c.db.memory.forget(g.room)
		c.announce(g)
	}
	return d.said, nil
}
