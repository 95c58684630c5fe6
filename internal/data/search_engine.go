package data

import (
	"strings"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// searchEngine is a database's index of terms. Terms are letters and digits alone, see biz.SearchTerms.
type searchEngine interface {
	// put has messages found by their terms, and no longer by those that they had before.
	put(t *tx, docs []searchDoc) error
	// drop has messages not found any more, if they are.
	drop(t *tx, docs []searchDoc) error
	// clear does that with those of a room up to a seq, limit of them at most, and tells how many it were.
	clear(t *tx, room biz.RoomID, upTo int64, limit int) (int64, error)
	// clears tells whether clear has anything to do: an index may follow by itself what is deleted.
	clears() bool
	// lookUp asks the index; see biz.SearchRepo.
	lookUp(r searchReading, l biz.LookUp) (biz.Found, error)
}

// searchDoc is a message in an index.
type searchDoc struct {
	room    biz.RoomID
	seq     int64
	created time.Time
	terms   []string // none: it is not to be found
}

func (d *searchDoc) text() string { return strings.Join(d.terms, " ") }

// matchOf writes what is asked for in the language of an index: all, and of each group any. The group that is
// likely to be the rarest, the words, comes first.
func matchOf(l biz.LookUp, and, or, group string) string {
	parts := make([]string, 0, len(l.All)+len(l.Any))
	for _, term := range l.All {
		parts = append(parts, group+term)
	}
	for _, some := range l.Any {
		if len(some) > 0 {
			parts = append(parts, group+"("+strings.Join(some, or)+")")
		}
	}
	return strings.Join(parts, and)
}
