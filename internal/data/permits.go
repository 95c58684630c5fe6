package data

import (
	"database/sql"

	"github.com/game-im/hermod/internal/biz"
)

// doubtful tells whether the room has changed since it was known that the sender may say this. Acts decide for
// themselves.
func (g *group) doubtful(e *entry) bool {
	return e.draft.Act == nil && e.draft.Permit.Required && e.draft.Permit.Version != g.version
}

// judge decides anew by what the transaction has read of the sender, nil if he is no member. It holds the lock of
// the room, without which nobody changes who may say what, so that this is true when it commits.
func (g *group) judge(e *entry, m *biz.Membership) {
	if g.met == nil {
		g.met = make(map[biz.UserID]*biz.Member)
	}
	if m == nil {
		g.met[e.draft.Sender] = nil
		e.refused = e.draft.Permitted(nil, nil)
		return
	}
	g.met[e.draft.Sender] = &m.Member
	e.refused = e.draft.Permitted(&m.Room, &m.Member)
}

// permit makes sure that an entry may be stored, where that is in doubt.
func permit(t *tx, g *group, e *entry) error {
	e.refused = nil
	if !g.doubtful(e) {
		return nil
	}
	var found *biz.Membership
	err := t.each(selectOneMembership, []any{string(e.draft.Sender), string(g.room)}, func(rows *sql.Rows) error {
		var row membershipRow
		err := rows.Scan(row.fields()...)
		m := row.membership()
		found = &m
		return err
	})
	if err == nil {
		g.judge(e, found)
	}
	return err
}

// permit makes sure that what is in doubt may be stored, all of it by one query.
func (b *bulkBatch) permit(t *tx) error { return b.permitSome(t, b.c.groups.list) }

// permitSome is permit for parts of groups.
func (b *bulkBatch) permitSome(t *tx, list []group) error {
	var asked memberKeys
	eachDoubtful(list, func(g *group, e *entry) { asked.add(g.room, e.draft.Sender) })
	if len(asked.rooms) == 0 {
		return nil
	}
	found := make(map[memberKey]*biz.Membership, len(asked.rooms))
	err := t.dialect.bulk.speakers(t, asked, func(rows *sql.Rows) error {
		var row membershipRow
		err := rows.Scan(row.fields()...)
		m := row.membership()
		found[memberKey{m.Room.ID, m.Member.User}] = &m
		return err
	})
	if err != nil {
		return err
	}
	eachDoubtful(list, func(g *group, e *entry) { g.judge(e, found[memberKey{g.room, e.draft.Sender}]) })
	return nil
}

func eachDoubtful(list []group, do func(*group, *entry)) {
	for i := range list {
		g := &list[i]
		for _, e := range g.entries {
			if e.refused = nil; g.exists && g.doubtful(e) {
				do(g, e)
			}
		}
	}
}

// memberKeys are keys of members, column by column.
type memberKeys struct{ rooms, users []string }

func (k *memberKeys) add(room biz.RoomID, user biz.UserID) {
	k.rooms = append(k.rooms, string(room))
	k.users = append(k.users, string(user))
}

// args are the keys one after another.
func (k *memberKeys) args() []any {
	args := make([]any, 0, 2*len(k.rooms))
	for i := range k.rooms {
		args = append(args, k.rooms[i], k.users[i])
	}
	return args
}
