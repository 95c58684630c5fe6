package data

import (
	"context"
	"time"
)

// When users were last there is written all the time, which an index on seen_at would make dearer: PostgreSQL writes
// the new time beside the old one as long as no index has it. So the table is looked through in the order of its key,
// on connections that read, and only a part in which something is over costs a transaction.
const (
	selectSeenPart = `SELECT coalesce(max(user_id), ''), count(*), count(CASE WHEN seen_at < ? THEN 1 END)
		FROM (SELECT user_id, seen_at FROM last_seen WHERE user_id > ? ORDER BY user_id LIMIT ?) AS part`
	purgeSeen = `DELETE FROM last_seen WHERE seen_at < ? AND user_id > ? AND user_id <= ?`
)

// sweepSeen forgets when users were last there who have not been for the time of life, which is for ever if 0. It
// looks at 100,000 of them at most; the next sweep goes on.
func (j *Janitor) sweepSeen(ctx context.Context, now time.Time, life time.Duration) error {
	if life <= 0 {
		return nil
	}
	before := now.Add(-life).UnixMicro()
	for range purgeRounds {
		var last string
		var users, over int64
		if err := j.db.reader.scanning(ctx)(selectSeenPart, []any{before, j.seen, purgeRows}, &last, &users, &over); err != nil {
			return storeError(err)
		}
		if over > 0 {
			if _, err := j.purge(ctx, "last_seen", purgeSeen, before, j.seen, last); err != nil {
				return err
			}
		}
		if users < purgeRows {
			j.seen = ""
			return nil
		}
		j.seen = last
	}
	return nil
}
