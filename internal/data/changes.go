package data

import (
	"slices"

	"github.com/game-im/hermod/internal/biz"
)

// Change is one of who may say what in a room, as a node tells others of it.
type Change struct {
	Room    biz.RoomID
	User    biz.UserID // who has joined, left, or is another now; empty: the room itself, or anybody
	Version int64      // of the room, that came of it
}

// OnChange has told called after each commit of this node's that has changed who may say what in a room, until
// stop is called. Changes of one room come in the order of their commits, on a goroutine that writes: told must
// not block, and must not use the store.
func (db *DB) OnChange(told func(Change)) (stop func()) {
	db.toldMu.Lock()
	defer db.toldMu.Unlock()
	db.told = append(slices.Clone(db.told), &told)
	return func() {
		db.toldMu.Lock()
		defer db.toldMu.Unlock()
		db.told = slices.DeleteFunc(slices.Clone(db.told), func(f *func(Change)) bool { return f == &told })
	}
}

func (db *DB) tell(c Change) {
	db.toldMu.RLock()
	told := db.told
	db.toldMu.RUnlock()
	for _, f := range told {
		(*f)(c)
	}
}

// Changed takes word of a change that another node has committed. It may come late, twice, in any order, or
// never: then what this node remembers is found out to be old when a message is stored, or after
// Options.CacheLife. Safe for concurrent use, as are Forget and ForgetAll.
func (db *DB) Changed(c Change) { db.memory.changed(c) }

// Forget has what is remembered of a room and its members read again.
func (db *DB) Forget(room biz.RoomID) { db.memory.forget(room) }

// ForgetAll does so for every room, as after a time without word from other nodes.
func (db *DB) ForgetAll() { db.memory.forgetAll() }
