package plugins

import (
	"slices"
	"strings"

	"github.com/game-im/hermod/internal/biz"
)

// rooms are those that a plugin is for: names, and beginnings of names; nil: all.
type rooms struct{ names, beginnings []string }

func roomsOf(patterns []string) *rooms {
	if len(patterns) == 0 {
		return nil
	}
	r := &rooms{}
	for _, p := range patterns {
		if beginning, ok := strings.CutSuffix(p, "*"); ok {
			r.beginnings = append(r.beginnings, beginning)
		} else {
			r.names = append(r.names, p)
		}
	}
	return r
}

func (r *rooms) has(room biz.RoomID) bool {
	return r == nil || slices.Contains(r.names, string(room)) ||
		slices.ContainsFunc(r.beginnings, func(b string) bool { return strings.HasPrefix(string(room), b) })
}
