package data

import "github.com/game-im/hermod/internal/biz"

// Rewrite and DropRoom do to a database what acts do, without a word to anybody.

// Rewrite gives a message another content.
func (db *DB) Rewrite(room biz.RoomID, seq int64, content string) error {
	return db.writer.transact(func(t *tx) error {
		_, err := t.exec(`UPDATE messages SET content = ? WHERE room_id = ? AND seq = ?`, []byte(content), string(room), seq)
		return err
	}, func() {})
}

// DropRoom deletes a room.
func (db *DB) DropRoom(room biz.RoomID) error {
	err := db.writer.transact(func(t *tx) error {
		for _, statement := range []string{
			`DELETE FROM messages WHERE room_id = ?`, `DELETE FROM members WHERE room_id = ?`, `DELETE FROM rooms WHERE id = ?`,
		} {
			if _, err := t.exec(statement, string(room)); err != nil {
				return err
			}
		}
		return nil
	}, func() {})
	db.ForgetAll()
	return err
}
