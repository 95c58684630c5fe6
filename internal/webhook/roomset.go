package webhook

import (
	"sync"

	"github.com/game-im/hermod/internal/biz"
)

// roomSet is rooms that somebody has been told of, each once. What has no place is dropped: a sweep finds it. Safe for
// concurrent use.
type roomSet struct {
	mu    sync.Mutex
	rooms map[biz.RoomID]struct{}
	woken chan struct{} // has room for one: there is something
}

func newRoomSet() *roomSet {
	return &roomSet{rooms: make(map[biz.RoomID]struct{}), woken: make(chan struct{}, 1)}
}

func (s *roomSet) add(room biz.RoomID) {
	s.mu.Lock()
	if len(s.rooms) < mostRooms {
		s.rooms[room] = struct{}{}
	}
	s.mu.Unlock()
	select {
	case s.woken <- struct{}{}:
	default:
	}
}

// take returns up to limit of them, which are no longer in it, and wakes whoever takes the rest.
func (s *roomSet) take(limit int) []biz.RoomID {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []biz.RoomID
	for room := range s.rooms {
		if len(out) == limit {
			select {
			case s.woken <- struct{}{}:
			default:
			}
			break
		}
		out = append(out, room)
		delete(s.rooms, room)
	}
	return out
}

func (s *roomSet) size() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.rooms)
}

// clear forgets all of them.
func (s *roomSet) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.rooms)
}
