package data

import (
	"database/sql"
	"errors"

	"github.com/game-im/hermod/internal/biz"
)

// The last seq is kept apart from the inbox, which forgets: no seq is given out twice. Beside it is the
// use of the inbox, or more: see makeRoom.
const (
	insertInboxHead = `INSERT INTO inbox_heads (user_id, last_seq, kept, bytes) VALUES (?, 0, 0, 0)`
	raiseInboxHead  = `UPDATE inbox_heads SET last_seq = last_seq + 1, kept = kept + 1, bytes = bytes + ? WHERE user_id = ?`
	selectInboxHead = `SELECT last_seq, kept, bytes FROM inbox_heads WHERE user_id = ?`
	updateInboxUse  = `UPDATE inbox_heads SET kept = ?, bytes = ? WHERE user_id = ?`
)

// inboxUse is how much is kept for a user.
type inboxUse struct{ pushes, bytes int64 }

func (u inboxUse) within(l biz.InboxLimits) bool {
	return u.pushes <= int64(l.Pushes) && u.bytes <= l.Bytes
}

// inboxHead is a user's last place, and what is kept for him at most.
type inboxHead struct {
	last int64
	inboxUse
}

// nextInHead takes the next place for a push of some size. It keeps other nodes from the user's inbox until
// the transaction is over.
func nextInHead(t *tx, user biz.UserID, size int64) (h inboxHead, err error) {
	n, err := t.exec(raiseInboxHead, size, string(user))
	if err != nil {
		return h, err
	}
	if n == 0 {
		if _, err := t.exec(insertInboxHead+t.dialect.once("user_id"), string(user)); err != nil {
			return h, err
		}
		if _, err := t.exec(raiseInboxHead, size, string(user)); err != nil {
			return h, err
		}
	}
	err = t.scan(selectInboxHead, []any{string(user)}, &h.last, &h.pushes, &h.bytes)
	return h, err
}

// maxDropped bounds how many pushes give way to one, so that messages do not wait long for it when a
// limit was lowered by much. Then the inbox has too much for a while, and less with each push.
const maxDropped = 100

const (
	selectInboxUse   = `SELECT count(*), coalesce(sum(size), 0) FROM inbox WHERE ` + livingPushes
	selectOldestPush = `SELECT seq, size FROM inbox WHERE ` + livingPushes + ` ORDER BY seq LIMIT 1`
	deletePush       = `DELETE FROM inbox WHERE user_id = ? AND seq = ?`
)

// makeRoom sees to it that a push of some size may be kept, and tells how many it has dropped for that.
// use is that of the head, the push included; what has gone from the inbox is still in it, so that nothing
// has to be counted before it reaches a limit.
func (b *Inbox) makeRoom(t *tx, user biz.UserID, size int64, use inboxUse, l biz.InboxLimits) (dropped int, err error) {
	if use.within(l) {
		return 0, nil
	}
	which := b.living(user, 0)
	if err := t.scan(selectInboxUse, which, &use.pushes, &use.bytes); err != nil {
		return 0, err
	}
	full, before := errInboxFull(user, use, l), biz.InboxLimits{Pushes: int(use.pushes), Bytes: use.bytes}
	use.pushes++
	use.bytes += size
	for ; !use.within(l); dropped++ {
		switch {
		case !l.DropOldest, size > l.Bytes, dropped == maxDropped && !use.within(before):
			return 0, full
		case dropped == maxDropped:
			return dropped, noteInboxUse(t, user, use)
		}
		freed, err := dropOldest(t, user, which)
		if errors.Is(err, sql.ErrNoRows) {
			return 0, full
		} else if err != nil {
			return 0, err
		}
		use.pushes--
		use.bytes -= freed
	}
	return dropped, noteInboxUse(t, user, use)
}

// noteInboxUse notes what is kept for a user.
func noteInboxUse(t *tx, user biz.UserID, use inboxUse) error {
	_, err := t.exec(updateInboxUse, use.pushes, use.bytes, string(user))
	return err
}

func dropOldest(t *tx, user biz.UserID, which []any) (freed int64, err error) {
	var seq int64
	if err := t.scan(selectOldestPush, which, &seq, &freed); err != nil {
		return 0, err
	}
	_, err = t.exec(deletePush, string(user), seq)
	return freed, err
}

func errInboxFull(user biz.UserID, use inboxUse, l biz.InboxLimits) *biz.Error {
	return biz.Errorf(biz.KindResourceLimit, "INBOX_FULL", "%d pushes of %d bytes are kept for %q; at most %d of %d bytes are allowed",
		use.pushes, use.bytes, user, l.Pushes, l.Bytes)
}
