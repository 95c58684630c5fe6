package data

import "github.com/game-im/hermod/internal/biz"

// Change is one of who may say what in a room, as a node tells others of it.
type Change struct {
	Room    biz.RoomID
	User    biz.UserID // who has joined, left, or is another now; empty: the room itself, or anybody
	Version int64      // of the room, that came of it
}

// OnChange has told called after each commit of this node's that has changed who may say what in a room. Changes
// of one room come in the order of their commits, on a goroutine that writes: told must not block, and must not use
// the store. It is called once, before anything is stored.
func (db *DB) OnChange(told func(Change)) { db.tell = told }

// Changed takes word of a change that another node has committed. It may come late, twice, in any order, or
// never: then what this node remembers is found out to be old when a message is stored, or after
// Options.CacheLife. Safe for concurrent use, as is ForgetAll.
func (db *DB) Changed(c Change) { db.memory.changed(c) }

// ForgetAll has what is remembered of rooms and their members read again, as after a time without word from other
// nodes.
func (db *DB) ForgetAll() { db.memory.forgetAll() }
