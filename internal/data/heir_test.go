package data

import (
	"database/sql"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/game-im/hermod/internal/biz"
)

// TestMembersOfOneRoomAreFoundByAnIndex: an heir, and those who go with their room, without looking at all members of
// the room, or of all rooms, nor sorting them, under its lock.
func TestMembersOfOneRoomAreFoundByAnIndex(t *testing.T) {
	t.Parallel()
	onEveryDatabase(t, func(t *testing.T, opts Options) {
		explain := "EXPLAIN "
		if opts.Driver == "sqlite" {
			explain += "QUERY PLAN "
		}
		db := openWith(t, opts)
		for i := range 20 {
			crowd(t, db, biz.RoomID(fmt.Sprint("a", i)), 200)
		}
		crowd(t, db, "r", 2000)
		for _, c := range []struct {
			query, index string
			args         []any
		}{
			{selectOfRole, "members_by_role", []any{"r", biz.RoleAdmin, "crowd-0"}},
			{selectSenior, "members_by_room", []any{"r", 1}},
			{selectPlace, "members_by_room", []any{"r", endedMembers - 1}},
			{deleteUpTo, "members_by_room", []any{"r", 1500}},
		} {
			var plan []string
			err := db.reader.each(t.Context(), explain+c.query, c.args, func(rows *sql.Rows) error {
				columns, err := rows.Columns()
				if err != nil {
					return err
				}
				row, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
				for i := range row {
					into[i] = &row[i]
				}
				err = rows.Scan(into...)
				for _, v := range row {
					plan = append(plan, v.String)
				}
				return err
			})
			steps := strings.Join(plan, " ")
			used := slices.ContainsFunc(plan, func(s string) bool { // a list of possible ones does not count
				return s == c.index || strings.Contains(s, "INDEX "+c.index) || strings.Contains(s, "using "+c.index)
			})
			if err != nil || !used || sorting.MatchString(steps) {
				t.Errorf("%s\nis done by %q, %v; want %s", c.query, steps, err, c.index)
			}
		}
	})
}

// sorting is what plans say of it.
var sorting = regexp.MustCompile(`TEMP B-TREE|SCAN|filesort|Sort|Seq Scan`)

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
