package biz

import "context"

// walk makes one page. It goes on from a place, and leaves there what the next page goes on from.
type walk struct {
	*History
	user    UserID
	cursors map[RoomID]int64
	at      place
	page    SyncPage

	messages int // that the page may still have
	bytes    int
}

// run tells whether this is the last page.
func (w *walk) run(ctx context.Context) (over bool, err error) {
	if !w.at.counting {
		over, err = w.read(ctx)
		if err != nil || !over {
			return false, err
		}
		w.at = place{counting: true}
	}
	return w.count(ctx)
}

// read goes through the rooms for their messages, and tells whether it has come to the end.
func (w *walk) read(ctx context.Context) (over bool, err error) {
	for try := 1; w.messages > 0 && w.bytes > 0; {
		batch, last, err := w.batch(ctx)
		if err != nil {
			return false, err
		}
		given, err := w.give(ctx, batch)
		switch {
		case err != nil:
			return false, err
		case given && last:
			return true, nil
		case given:
			continue
		case len(w.page.Rooms) > 0: // a page that is full, or begins anew where something has been deleted
			return false, nil
		case try == readAttempts:
			return false, errShifting(batch[0].Room)
		}
		try++
	}
	return false, nil
}

// batch returns the rooms that are next, and whether there are none behind them.
func (w *walk) batch(ctx context.Context) (batch []Standing, last bool, err error) {
	if w.at.within() {
		s, err := w.membership(ctx, w.at.room, w.user)
		switch {
		case err == nil:
			return []Standing{s}, false, nil
		case KindOf(err) != KindNotFound && KindOf(err) != KindPermissionDenied:
			return nil, false, err
		}
		w.at = place{room: w.at.room} // he has left it since
	}
	batch, err = w.repo.Standings(ctx, w.user, w.at.room, standingsAtOnce)
	for i := range batch {
		batch[i] = batch[i].seenBy(true)
	}
	return batch, len(batch) < standingsAtOnce, err
}

// due is what a room has for the client.
type due struct {
	Span
	bound int64 // the last message that the room has for it; above To: not all of it is asked for at once
	floor int64
	reset bool
}

// due begins at the floor whatever it is that the client has when that does not connect to what there is.
func (w *walk) due(s Standing) due {
	from, known := w.cursors[s.Room]
	bound := s.Head
	if w.at.within() && w.at.room == s.Room {
		from, known, bound = w.at.seq, true, min(w.at.bound, s.Head)
	}
	d := due{floor: s.Floor, bound: bound}
	if !known || from < s.Floor || from > s.Head {
		d.reset, d.bound, from = known, s.Head, s.Floor
	}
	d.Span = Span{Room: s.Room, After: from, To: d.bound}
	return d
}

// plan picks what one read is to bring, from the front of a batch. whole is how many of its rooms that
// brings to their ends.
func (w *walk) plan(batch []Standing) (dues []due, whole int) {
	left := int64(min(w.messages, messagesAtOnce))
	for _, s := range batch {
		d := w.due(s)
		d.To = min(d.To, d.After+left)
		left -= max(0, d.To-d.After)
		if !d.empty() || d.reset {
			dues = append(dues, d)
		}
		if d.To < d.bound {
			break
		}
		whole++
	}
	return dues, whole
}

// give puts what a batch of rooms has into the page, and tells whether that was all of it.
func (w *walk) give(ctx context.Context, batch []Standing) (all bool, err error) {
	for len(batch) > 0 {
		if w.messages <= 0 || w.bytes <= 0 {
			return false, nil
		}
		dues, whole := w.plan(batch)
		given, err := w.fetch(ctx, dues)
		if err != nil || !given {
			return false, err
		}
		if !w.at.within() {
			w.at = place{room: batch[whole-1].Room}
		}
		batch = batch[whole:]
	}
	return true, nil
}

// fetch reads what is due, and tells whether it has got all that it asked for.
func (w *walk) fetch(ctx context.Context, dues []due) (all bool, err error) {
	spans := make([]Span, len(dues))
	for i, d := range dues {
		spans[i] = d.Span
	}
	messages, err := w.History.messages(ctx, spans, w.bytes)
	if err != nil {
		return false, err
	}
	if len(messages) == 1 && len(w.page.Rooms) > 0 && messages[0].Bytes() > w.bytes {
		messages = nil // it begins the next page
	}
	for _, d := range dues {
		n := 0
		for n < len(messages) && messages[n].Room == d.Room {
			n++
		}
		if !d.begins(messages[:n]) {
			return false, nil
		}
		w.add(d, messages[:n:n])
		if int64(n) < d.To-d.After {
			return false, nil
		}
		messages = messages[n:]
	}
	return true, nil
}

// add puts a part of a room into the page.
func (w *walk) add(d due, messages []*Message) {
	w.at = place{room: d.Room, seq: d.After + int64(len(messages)), bound: d.bound}
	w.messages -= len(messages)
	for _, m := range messages {
		w.bytes -= m.Bytes()
	}
	if n := len(w.page.Rooms); n > 0 && w.page.Rooms[n-1].Room == d.Room && !d.reset {
		w.page.Rooms[n-1].Messages = append(w.page.Rooms[n-1].Messages, messages...)
		return
	}
	w.bytes -= roomOverhead + len(d.Room)
	w.page.Rooms = append(w.page.Rooms, RoomPage{Room: d.Room, Messages: messages, Floor: d.floor, Reset: d.reset})
}

// count goes through the rooms for the snapshot, and tells whether it has come to the end.
func (w *walk) count(ctx context.Context) (over bool, err error) {
	for w.bytes > 0 {
		batch, last, err := w.batch(ctx)
		if err != nil {
			return false, err
		}
		states, err := w.states(ctx, w.user, batch)
		if err != nil {
			return false, err
		}
		fitting := w.fitting(states)
		w.page.Snapshot = append(w.page.Snapshot, fitting...)
		if len(fitting) < len(batch) {
			w.at.room = fitting[len(fitting)-1].Room
			return false, nil
		}
		if last {
			return true, nil
		}
		w.at.room = batch[len(batch)-1].Room
	}
	return false, nil
}

// fitting is what of the states the page has room for, one at least.
func (w *walk) fitting(states []RoomState) []RoomState {
	n := 0
	for n < len(states) && w.bytes > 0 {
		w.bytes -= roomOverhead + len(states[n].Room)
		n++
	}
	return states[:n]
}
