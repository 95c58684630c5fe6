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
	const users = "sqlite_autoindex_members_1|members_room_id_user_id_key|room_id" // has no name of ours
	onEveryDatabase(t, func(t *testing.T, opts Options) {
		explain := "EXPLAIN "
		switch opts.Driver {
		case "sqlite":
			explain += "QUERY PLAN "
		case "mysql": // whose later versions draw a tree
			explain += "FORMAT=TRADITIONAL "
		}
		db := openWith(t, opts)
		for i := range 20 {
			crowd(t, db, biz.RoomID(fmt.Sprint("a", i)), 200)
		}
		crowd(t, db, "r", 2000)
		if opts.Driver == "postgres" { // which does by itself what follows, in time
			mutate(t, db, "ANALYZE members")
		}
		for _, c := range []struct {
			query, index string
			args         []any
		}{
			{selectOfRole, "members_by_role", []any{"r", biz.RoleAdmin, "crowd-0"}},
			{selectSenior, "members_by_room", []any{"r", 1}},
			{selectPlace, users, []any{"r", endedMembers - 1}},
			{deleteUpTo, users, []any{"r", "crowd-1500"}},
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
			// As a whole word: a list of possible ones does not count.
			used := regexp.MustCompile("^(.*(INDEX|using|Scan on) )?(" + c.index + ")( .*)?$")
			if err != nil || !slices.ContainsFunc(plan, used.MatchString) || sorting.MatchString(steps) {
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
