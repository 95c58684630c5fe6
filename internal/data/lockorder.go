package data

import (
	"cmp"
	"strings"

	"github.com/game-im/hermod/internal/biz"
)

// lockPlace is where a part of a transaction stands in the order in which all nodes take their locks, so that two
// of them wait for each other and never in a circle: first the rows of rooms, then the heads of inboxes, each by
// their ids, byte by byte, then what is within them and anything else. A circle is found and broken by the
// database, in PostgreSQL after a second in which nobody gets on.
type lockPlace struct {
	rank int
	id   string
}

const (
	rankRoom = iota
	rankInbox
	rankNothing
)

// lockNothing is the place of what locks nothing that another part may have locked before.
var lockNothing = lockPlace{rank: rankNothing}

func lockRoom(id biz.RoomID) lockPlace  { return lockPlace{rankRoom, string(id)} }
func lockInbox(of biz.UserID) lockPlace { return lockPlace{rankInbox, string(of)} }

func (p lockPlace) compare(q lockPlace) int {
	return cmp.Or(cmp.Compare(p.rank, q.rank), strings.Compare(p.id, q.id))
}
