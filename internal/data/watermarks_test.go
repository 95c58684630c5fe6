package data

import (
	"fmt"
	"testing"

	"github.com/game-im/hermod/internal/biz"
)

// TestWatermarksLookAtABoundedNumber of members, however few of them have read so far: a page may be empty and not
// the last.
func TestWatermarksLookAtABoundedNumber(t *testing.T) {
	t.Parallel()
	db := openDB(t, t.TempDir())
	const members = 2*membersLookedAt + 10
	err := db.writer.do(t.Context(), func(tx *tx) error {
		for i := range members {
			_, err := tx.exec(`INSERT INTO members (room_id, user_id, nickname, role, muted, join_seq, joined_at, read_seq) VALUES (?, ?, '', 1, ?, 0, 0, ?)`,
				"r", fmt.Sprint("u", i), false, int64(i/(members-1)))
			if err != nil {
				return err
			}
		}
		return nil
	}, func() {})
	if err != nil {
		t.Fatal(err)
	}
	w := NewWatermarks(db)
	after, pages := int64(0), 0
	var found []biz.Watermark
	for {
		page, next, err := w.Watermarks(t.Context(), "r", after, 1, 100)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, page...)
		if pages++; next == 0 {
			break
		}
		if next <= after {
			t.Fatalf("%d after %d", next, after)
		}
		after = next
	}
	if pages != 3 || len(found) != 1 || found[0].User != biz.UserID(fmt.Sprint("u", members-1)) {
		t.Errorf("%d pages with %v", pages, found)
	}
}
