package data

import (
	"sync"
	"sync/atomic"

	"github.com/game-im/hermod/internal/biz"
)

// mostWanted bounds how many rooms wait to be indexed; the sweep finds those that found no place.
const mostWanted = 64 << 10

// wantedRooms are rooms that have something for the index, each once, in the order in which they were added.
// Safe for concurrent use.
type wantedRooms struct {
	watched atomic.Bool // somebody takes them

	mu    sync.Mutex
	in    map[biz.RoomID]struct{}
	queue []biz.RoomID
	woken chan struct{} // has room for one: there is something
}

func newWantedRooms() *wantedRooms {
	return &wantedRooms{in: make(map[biz.RoomID]struct{}), woken: make(chan struct{}, 1)}
}

// hear is add for a room that something was stored in.
func (w *wantedRooms) hear(room biz.RoomID) {
	if w.watched.Load() {
		w.add(room)
	}
}

func (w *wantedRooms) add(room biz.RoomID) {
	w.mu.Lock()
	_, there := w.in[room]
	if !there && len(w.in) < mostWanted {
		w.in[room] = struct{}{}
		w.queue = append(w.queue, room)
	}
	w.mu.Unlock()
	if there {
		return
	}
	select {
	case w.woken <- struct{}{}:
	default:
	}
}

func (w *wantedRooms) take() (biz.RoomID, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.queue) == 0 {
		return "", false
	}
	room := w.queue[0]
	w.queue = w.queue[1:]
	delete(w.in, room)
	if len(w.queue) == 0 {
		w.queue = nil // and with it the room of all that have gone through
	}
	return room, true
}

func (w *wantedRooms) empty() bool { return w.size() == 0 }

func (w *wantedRooms) size() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.queue)
}
