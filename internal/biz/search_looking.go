package biz

import (
	"context"
	"slices"
	"time"
)

// looking makes one page of a search.
type looking struct {
	*Search
	user  UserID
	query searchQuery
	req   SearchRequest
	limit int
	bytes int

	rooms   []RoomID // empty: too many to name them all
	result  SearchPage
	last    SearchPlace // of the page's last message
	more    bool        // there is one behind that
	nowhere bool        // the user is in no room
	narrow  bool        // rooms are named to the index from the beginning
	begun   time.Time
	looked  int
	read    int
}

// page finds one message more than the page has room for, so that it knows whether it is the last one.
func (l *looking) page(ctx context.Context, at SearchPlace) (SearchPage, error) {
	var err error
	if l.rooms, err = l.scope(ctx); err != nil || l.nowhere {
		return SearchPage{}, err
	}
	// Before the index is asked: what it does not know then is not found, and what it learns since may be.
	if l.result.Incomplete, err = l.index.Behind(ctx, l.user, l.rooms); err != nil {
		return SearchPage{}, err
	}
	ask := l.lookUp()
	for {
		if l.narrow || l.looked >= mostCandidates {
			ask.Any[0] = l.roomTerms()
		}
		ask.After, ask.Limit = at, min(max(fewestCandidates, 4*l.looked), mostCandidates)
		found, err := l.index.LookUp(ctx, ask)
		if err != nil {
			return SearchPage{}, err
		}
		l.looked += ask.Limit
		end, err := l.compare(ctx, found.Places)
		if err != nil {
			return SearchPage{}, err
		}
		switch {
		case l.more:
			return l.upTo(l.last), nil
		case end != (SearchPlace{}):
			return l.upTo(end), nil
		case found.Next == SearchPlace{}:
			return l.result, nil
		}
		at = found.Next
		if l.looked >= maxCandidates || l.enough() {
			return l.upTo(at), nil
		}
	}
}

// enough tells whether the page has read so much, or for so long, that the next one had better go on.
func (l *looking) enough() bool { return l.read >= maxCompared || time.Since(l.begun) > searchPause }

// upTo is the page, which the next one follows from a place on.
func (l *looking) upTo(at SearchPlace) SearchPage {
	l.result.Next = at.token(l.user, l.req)
	return l.result
}

// scope is the rooms to search, or none when there are too many to name.
func (l *looking) scope(ctx context.Context) (rooms []RoomID, err error) {
	list, err := l.named(ctx)
	if err == nil && len(list) == 0 {
		list, err = l.history.Standings(ctx, l.user, "", MaxSearchRooms+1)
		l.nowhere = len(list) == 0
	}
	if err != nil || len(list) > MaxSearchRooms {
		return nil, err
	}
	messages := int64(0)
	for _, s := range list {
		rooms = append(rooms, s.Room)
		messages += s.Head - s.Floor
	}
	l.narrow = len(rooms) <= fewRooms || messages <= fewMessages
	return rooms, nil
}

// named are the rooms that are asked for, which must be the user's.
func (l *looking) named(ctx context.Context) (list []Standing, err error) {
	for _, room := range l.req.Rooms {
		s, err := l.history.Standing(ctx, room, l.user)
		if err != nil {
			return nil, err
		}
		if !s.Member {
			return nil, errNotIn(room, l.user)
		}
		list = append(list, s)
	}
	return list, nil
}

// To name rooms to an index costs about as much as they have messages, which pays where they are few. Elsewhere what
// says the words is looked through for what is in the rooms, and the rooms are named when that has not filled a page.
const (
	fewRooms    = 4
	fewMessages = 5000
)

func (l *looking) lookUp() LookUp {
	ask := LookUp{User: l.user, All: l.query.terms(), Since: l.req.Since, Until: l.req.Until}
	from := make([]string, len(l.req.From))
	for i, user := range l.req.From {
		from[i] = termOfSender(user)
	}
	ask.Any = [][]string{nil, from}
	return ask
}

func (l *looking) roomTerms() []string {
	terms := make([]string, len(l.rooms))
	for i, room := range l.rooms {
		terms[i] = termOfRoom(room)
	}
	return terms
}

// within tells whether a place is in one of the rooms to search.
func (l *looking) within(p SearchPlace) bool {
	return len(l.rooms) == 0 || slices.Contains(l.rooms, p.Room)
}

// compare reads messages and adds those that the query matches. The place that it returns, if any, is where
// the page has to end.
func (l *looking) compare(ctx context.Context, places []SearchPlace) (end SearchPlace, err error) {
	places = slices.DeleteFunc(places, func(p SearchPlace) bool { return !l.within(p) })
	var before SearchPlace // the one that was compared last
	for len(places) > 0 {
		if before != (SearchPlace{}) && l.enough() {
			return before, nil
		}
		part := places[:min(len(places), max(8, 2*(l.limit-len(l.result.Messages))))]
		messages, err := l.messages(ctx, part)
		if err != nil {
			return SearchPlace{}, err
		}
		if len(messages) == 0 || !part[0].is(messages[0]) { // it is not there any more
			before, places = places[0], places[1:]
			l.read++
			continue
		}
		for i, m := range messages {
			if !part[i].is(m) {
				break
			}
			l.read++
			if l.add(part[i], m); l.more {
				return SearchPlace{}, nil
			}
			before, places = places[0], places[1:]
		}
	}
	return SearchPlace{}, nil
}

func (p SearchPlace) is(m *Message) bool { return p.Room == m.Room && p.Seq == m.Seq }

func (l *looking) messages(ctx context.Context, places []SearchPlace) ([]*Message, error) {
	spans := make([]Span, len(places))
	for i, p := range places {
		spans[i] = Span{Room: p.Room, After: p.Seq - 1, To: p.Seq}
	}
	return l.history.Messages(ctx, spans, PageBytes)
}

func (l *looking) add(at SearchPlace, m *Message) {
	if !l.wanted(m) {
		return
	}
	if n := len(l.result.Messages); n == l.limit || n > 0 && m.Bytes() > l.bytes {
		l.more = true
		return
	}
	l.bytes -= m.Bytes()
	l.result.Messages = append(l.result.Messages, m)
	l.last = at
}

// wanted tells whether a message, as it is now, is what was asked for.
func (l *looking) wanted(m *Message) bool {
	switch {
	case m.State != nil && m.State.Recalled, !m.ExpiresAt.IsZero() && !m.ExpiresAt.After(time.Now()):
		return false
	case len(l.req.From) > 0 && !slices.Contains(l.req.From, m.Sender):
		return false
	case m.Time.Before(l.req.Since), !l.req.Until.IsZero() && m.Time.After(l.req.Until):
		return false
	}
	return l.query.matches(l.reader.Text(m))
}
