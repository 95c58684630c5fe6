package webhook

import (
	"container/heap"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// room is one that has something to deliver, or whose progress is still to be noted.
type room struct {
	id    biz.RoomID
	place *biz.WebhookPlace // how far it is; nil: to be read

	ready   bool // waits for its turn
	flying  bool // a part of it is somebody's who reads and sends
	again   bool // something was stored meanwhile
	due     time.Time
	inLater int // place in the heap, from 1; 0: not there

	epoch    int   // rises when somebody else has moved the place
	away     bool  // it was out of reach at the last failure
	failures int   // in a row
	attempts int   // of those, that count
	seen     int64 // requests that had been delivered at the last failure
	limit    int   // messages at a time while it fails; 0: as many as a request has
	alone    bool  // it shares no request

	move *biz.WebhookMove // to be noted; nil: nothing
}

// succeeded forgets what went wrong with what is delivered by now.
func (r *room) succeeded() {
	r.failures, r.attempts, r.alone = 0, 0, false
	if r.limit *= 2; r.limit > mostLimit {
		r.limit = 0
	}
}

// mostLimit is when a room that failed is as any other again.
const mostLimit = 64

// narrow has less of the room tried next time, so that what is at fault is found, and its neighbours are delivered.
func (r *room) narrow(messages int) {
	r.alone = true
	r.limit = max(1, messages/2)
}

// rooms are all that a courier knows of. One goroutine uses them.
type rooms struct {
	all   map[biz.RoomID]*room
	queue []*room // ready, in order
	later laterRooms
	dirty map[*room]struct{} // whose progress is to be noted
}

func newRooms() *rooms {
	return &rooms{all: make(map[biz.RoomID]*room), dirty: make(map[*room]struct{})}
}

// hear notes that something was stored in a room. Beyond mostRooms it is left to the sweep.
func (rs *rooms) hear(id biz.RoomID) {
	r := rs.all[id]
	switch {
	case r == nil && len(rs.all) >= mostRooms:
	case r == nil:
		r = &room{id: id}
		rs.all[id] = r
		rs.enqueue(r)
	case r.flying:
		r.again = true
	case !r.ready && r.inLater == 0: // it rests until its progress is noted
		rs.enqueue(r)
	}
}

func (rs *rooms) enqueue(r *room) {
	r.ready = true
	rs.queue = append(rs.queue, r)
}

// postpone has a room wait for a time.
func (rs *rooms) postpone(r *room, until time.Time) {
	r.due = until
	heap.Push(&rs.later, r)
}

// wake enqueues the rooms whose time has come, and returns the next one's, zero if there is none.
func (rs *rooms) wake(now time.Time) time.Time {
	for len(rs.later) > 0 {
		if r := rs.later[0]; r.due.After(now) {
			return r.due
		}
		rs.enqueue(heap.Pop(&rs.later).(*room))
	}
	return time.Time{}
}

// back has the rooms that failed while the endpoint was away wait no longer.
func (rs *rooms) back(now time.Time) {
	for _, r := range rs.later {
		if r.away {
			r.due = now
		}
	}
	heap.Init(&rs.later)
}

// next takes rooms for one request, which now are its own.
func (rs *rooms) next() []*room {
	var batch []*room
	for len(rs.queue) > 0 && len(batch) < batchRooms {
		r := rs.queue[0]
		if r.alone && len(batch) > 0 {
			break
		}
		rs.queue = rs.queue[1:]
		r.ready, r.flying, r.again = false, true, false
		batch = append(batch, r)
		if r.alone {
			break
		}
	}
	if len(rs.queue) == 0 {
		rs.queue = nil // and with it the room of all that have gone through
	}
	return batch
}

// settled forgets a room that has nothing more to do.
func (rs *rooms) settled(r *room) {
	if !r.ready && !r.flying && r.inLater == 0 && r.move == nil && r.failures == 0 {
		delete(rs.all, r.id)
	}
}

// laterRooms is a heap by due.
type laterRooms []*room

func (l laterRooms) Len() int           { return len(l) }
func (l laterRooms) Less(i, j int) bool { return l[i].due.Before(l[j].due) }
func (l laterRooms) Swap(i, j int) {
	l[i], l[j] = l[j], l[i]
	l[i].inLater, l[j].inLater = i+1, j+1
}

// Push implements heap.Interface.
func (l *laterRooms) Push(x any) {
	r := x.(*room)
	*l = append(*l, r)
	r.inLater = len(*l)
}

// Pop implements heap.Interface.
func (l *laterRooms) Pop() any {
	old := *l
	r := old[len(old)-1]
	old[len(old)-1] = nil
	*l = old[:len(old)-1]
	r.inLater = 0
	return r
}
