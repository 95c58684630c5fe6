package data

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"github.com/game-im/hermod/internal/biz"
)

// TestAnHeirIsFoundByAnIndex: without looking at all members of the room, nor sorting them, under its lock.
func TestAnHeirIsFoundByAnIndex(t *testing.T) {
	t.Parallel()
	db := openWith(t, Options{Dir: t.TempDir()})
	crowd(t, db, "r", 1000)
	for query, want := range map[string]string{
		selectOfRole: "SEARCH members USING INDEX members_by_role (room_id=? AND role=?)",
		selectSenior: "SEARCH members USING INDEX members_by_room (room_id=?)",
	} {
		args := []any{"r", biz.RoleAdmin, "crowd-0"}
		if query == selectSenior {
			args = []any{"r", "crowd-0"}
		}
		var plan []string
		err := db.reader.each(t.Context(), `EXPLAIN QUERY PLAN `+query, args, func(rows *sql.Rows) error {
			var id, parent, unused int
			var step string
			err := rows.Scan(&id, &parent, &unused, &step)
			plan = append(plan, step)
			return err
		})
		if got := strings.Join(plan, "; "); err != nil || got != want {
			t.Errorf("%s\nis done by %q, %v; want %q", query, got, err, want)
		}
	}
}

// BenchmarkHeir looks for the heir of the only admin of a room.
func BenchmarkHeir(b *testing.B) {
	for _, members := range []int{1000, 100_000} {
		b.Run(fmt.Sprint(members), func(b *testing.B) {
			db := openWith(b, Options{Dir: b.TempDir()})
			crowd(b, db, "r", members)
			read := db.reader.scanning(b.Context())
			for b.Loop() {
				if m, err := loadHeir(read, "r", "crowd-0"); err != nil || m == nil || m.User != "crowd-1" {
					b.Fatal(m, err)
				}
			}
		})
	}
}
