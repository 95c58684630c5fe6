package data

import (
	"database/sql"
	"errors"

	"github.com/game-im/hermod/internal/biz"
)

// maxDropped bounds how many pushes give way to one, so that messages do not wait long for it when a
// limit was lowered by much.
const maxDropped = 100

const (
	selectInboxUse   = `SELECT count(*), coalesce(sum(size), 0) FROM inbox WHERE ` + livingPushes
	selectOldestPush = `SELECT seq, size FROM inbox WHERE ` + livingPushes + ` ORDER BY seq LIMIT 1`
	deletePush       = `DELETE FROM inbox WHERE user_id = ? AND seq = ?`
)

// inboxUse is how much is kept for a user.
type inboxUse struct{ pushes, bytes int64 }

func (u inboxUse) fits(size int64, l biz.InboxLimits) bool {
	return u.pushes < int64(l.Pushes) && u.bytes+size <= l.Bytes
}

// makeRoom sees to it that a push of some size may be kept, and tells how many it has dropped for that.
func (b *Inbox) makeRoom(t *tx, user biz.UserID, size int64, l biz.InboxLimits) (dropped int, err error) {
	var use inboxUse
	which := b.living(user, 0)
	if err := t.scan(selectInboxUse, which, &use.pushes, &use.bytes); err != nil {
		return 0, err
	}
	for !use.fits(size, l) {
		if !l.DropOldest || size > l.Bytes || dropped == maxDropped {
			return 0, errInboxFull(user, use, l)
		}
		var seq, freed int64
		if err := t.scan(selectOldestPush, which, &seq, &freed); errors.Is(err, sql.ErrNoRows) {
			return 0, errInboxFull(user, use, l)
		} else if err != nil {
			return 0, err
		}
		if _, err := t.exec(deletePush, string(user), seq); err != nil {
			return 0, err
		}
		use.pushes--
		use.bytes -= freed
		dropped++
	}
	return dropped, nil
}

func errInboxFull(user biz.UserID, use inboxUse, l biz.InboxLimits) *biz.Error {
	return biz.Errorf(biz.KindResourceLimit, "INBOX_FULL", "%d pushes of %d bytes are kept for %q; at most %d of %d bytes are allowed",
		use.pushes, use.bytes, user, l.Pushes, l.Bytes)
}
