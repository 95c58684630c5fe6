package bench

import (
	"context"
	"fmt"
	"sync"
)

// talk is members of rooms who send: one of each room, or all.
type talk struct {
	load  *load
	rooms []*room
}

// room is its members, and those of them who send.
type room struct {
	members, senders []*client
}

func newTalk(l *load) *talk {
	t := &talk{load: l, rooms: make([]*room, l.plan.Rooms)}
	for i := range t.rooms {
		t.rooms[i] = &room{}
	}
	for i := range l.plan.Connections {
		n := i % len(t.rooms)
		t.rooms[n].add(l, i, fmt.Sprintf("bench-%x-%d", l.run, n))
	}
	for _, r := range t.rooms {
		for _, c := range r.members {
			c.next = make([]uint64, len(r.senders))
		}
	}
	return t
}

// add makes a client a member. The first one sends, and with Rooms the others do too.
func (r *room) add(l *load, index int, name string) {
	c := newClient(l, index, name, 0)
	r.members = append(r.members, c)
	if l.plan.Mode == Rooms || len(r.members) == 1 {
		c.sender = uint32(len(r.senders))
		c.lane = newLane(l, l.plan.InFlight)
		c.who.capabilities = "ack"
		r.senders = append(r.senders, c)
	}
	if l.plan.Envelopes {
		c.who.capabilities += ",batch"
	}
}

func (t *talk) clients() (all []*client) {
	for _, r := range t.rooms {
		all = append(all, r.members...)
	}
	return all
}

func (t *talk) drive(ctx context.Context) {
	var senders []*client
	var ready []func() bool
	for _, r := range t.rooms {
		for _, c := range r.senders {
			senders, ready = append(senders, c), append(ready, r.ready(t.load.plan.window()))
		}
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	for i, s := range schedules(t.load.plan.Rate, len(senders)) {
		wg.Go(func() { senders[i].drive(ctx, s, ready[i]) })
	}
}

// ready tells whether a sender may go on: nobody in the room has a window of messages still to come.
func (r *room) ready(window int64) func() bool {
	if window == 0 {
		return nil
	}
	free := int64(0) // that may be sent without looking again
	return func() bool {
		if free == 0 {
			free = max(0, window-r.behind()) / int64(len(r.senders))
		}
		if free == 0 {
			return false
		}
		free--
		return true
	}
}

// behind is how many messages may still come to the slowest member.
func (r *room) behind() (most int64) {
	for _, m := range r.members {
		if !m.lost() {
			most = max(most, r.pending(m))
		}
	}
	return most
}

// pending is how many messages of the others may still come to a member.
func (r *room) pending(m *client) int64 {
	n := -m.delivered.Load()
	for _, s := range r.senders {
		if s != m {
			n += s.lane.sent.Load() - s.lane.refused.Load()
		}
	}
	return n
}

// missing is how many messages of the others have been accepted and have not come to a member.
func (r *room) missing(m *client) int64 { return max(0, r.expected(m)-m.delivered.Load()) }

func (r *room) expected(m *client) (n int64) {
	for _, s := range r.senders {
		if s != m {
			n += s.lane.accepted.Load()
		}
	}
	return n
}

func (t *talk) settled() bool {
	for _, r := range t.rooms {
		for _, m := range r.members {
			if !m.lost() && (m.lane != nil && m.lane.unanswered() > 0 || r.missing(m) > 0) {
				return false
			}
		}
	}
	return true
}

func (t *talk) counts() (n Counts) {
	for _, r := range t.rooms {
		for _, m := range r.members {
			n.Delivered += m.delivered.Load()
			if m.lane != nil {
				n.addLane(m.lane)
			}
		}
	}
	return n
}

// account adds what is to be known at the end only.
func (t *talk) account(n *Counts) {
	for _, r := range t.rooms {
		for _, m := range r.members {
			missing := r.missing(m)
			n.Expected += r.expected(m)
			n.Missing += missing
			t.load.tally.missed(m, missing)
		}
	}
}

func (t *talk) close() error { return nil }

// missed counts what has not come to a client.
func (t *tally) missed(m *client, missing int64) {
	switch {
	case missing == 0:
	case m.cut:
		t.add("not delivered to a client that was closed", missing, m.who.user)
	default:
		t.add("lost", missing, fmt.Sprintf("%s has not got %d messages", m.who.user, missing))
	}
}
