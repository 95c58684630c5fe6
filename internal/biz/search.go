package biz

import (
	"context"
	"errors"
	"time"
)

// Bounds of a search.
const (
	DefaultSearch   = 20
	MaxSearch       = 100
	MaxSearchRooms  = 64 // that are named; also the most that an index is asked for by name
	MaxSearchPeople = 64

	searchTimeout = 4 * time.Second
	// searchPause ends a page that has something to go on from; the next one goes on there.
	searchPause = time.Second
	// maxCandidates and maxCompared bound the work for one page: what an index finds, and what of that is read.
	maxCandidates    = 20_000
	maxCompared      = 2000
	fewestCandidates = 64
	mostCandidates   = 1000
)

// SearchRepo is an index of what was said. It knows terms, see SearchTerms, and finds what has all of them and
// may have more: whoever asks compares. It may be behind the rooms that it is about.
type SearchRepo interface {
	// LookUp returns messages with the terms, the newest first, those of rooms alone in which the user is a
	// member and which came after he joined. A message that is not kept any more may be among them.
	LookUp(ctx context.Context, l LookUp) (Found, error)
	// Behind tells whether one of the user's rooms has messages that are not in the index yet. Without rooms
	// it is asked for all that are his.
	Behind(ctx context.Context, user UserID, rooms []RoomID) (bool, error)
}

// LookUp asks an index.
type LookUp struct {
	User         UserID
	All          []string   // terms, all of which a message has
	Any          [][]string // groups, of each of which it has one at least; empty ones do not count
	Since, Until time.Time  // what was said outside may be left out; zero: no bound
	After        SearchPlace
	Limit        int // of what is looked at, and so of what is found
}

// SearchPlace is a message's place in the order of an index, the newest first. The zero place is before all.
type SearchPlace struct {
	At   int64 // in an index's own measure, never 0; ties are broken by room, upwards, and seq, downwards
	Room RoomID
	Seq  int64
}

// Found is what an index has found.
type Found struct {
	Places []SearchPlace
	// Next is where to go on, in After; the zero place: there is nothing more.
	Next SearchPlace
}

// MessageReader tells what a message means to a search, which knows nothing of contents.
type MessageReader interface {
	// Text is what people can find in the message; empty: nothing.
	Text(m *Message) string
	// Changed is the seq of the message that this one tells of a change of; 0: it is no such event.
	Changed(m *Message) int64
}

// Search finds what was said in the rooms of a user. Safe for concurrent use.
type Search struct {
	index   SearchRepo
	history HistoryRepo
	reader  MessageReader
	rules   SearchRules
}

// SearchRules say whether there is an index.
type SearchRules struct {
	Enabled bool
}

// NewSearch returns the use case.
func NewSearch(index SearchRepo, history HistoryRepo, reader MessageReader, rules SearchRules) *Search {
	return &Search{index: index, history: history, reader: reader, rules: rules}
}

// SearchRequest asks for messages.
type SearchRequest struct {
	User         UserID // empty: the caller's own
	Query        string // words, all of which a message has, and phrases in quotes
	Rooms        []RoomID
	From         []UserID
	Since, Until time.Time // inclusive; zero: no bound
	Limit        int       // messages; 0: DefaultSearch
	Token        string    // SearchPage.Next of the page before
	Bytes        int       // of a page; 0: PageBytes
}

// SearchPage is a part of what was found.
type SearchPage struct {
	Messages []*Message // the newest first
	// Next is for the next page; empty: this was the last one. A page may have fewer messages than were asked
	// for, or none, and a next one nevertheless: when the words are common and what was meant is rare.
	Next string
	// Incomplete: there are messages that were not searched, since they are not in the index yet.
	Incomplete bool
}

// Find returns the newest messages that say what the query says, in rooms of which the user is a member, as far
// back as he may look. It compares the messages themselves: what was recalled, edited or deleted is found, or not,
// as it is now, also when the index is behind.
func (s *Search) Find(ctx context.Context, by Identity, req SearchRequest) (SearchPage, error) {
	if !s.rules.Enabled {
		return SearchPage{}, Errorf(KindNotFound, "SEARCH_DISABLED", "this node searches nothing; search.enabled is false in its configuration")
	}
	user, err := by.ActAs(req.User)
	if err != nil {
		return SearchPage{}, err
	}
	if err := req.check(); err != nil {
		return SearchPage{}, err
	}
	query, err := parseQuery(req.Query)
	if err != nil {
		return SearchPage{}, err
	}
	at, err := readSearchToken(req.Token, user, req)
	if err != nil {
		return SearchPage{}, err
	}
	limited, cancel := context.WithTimeout(ctx, searchTimeout)
	defer cancel()
	l := &looking{Search: s, user: user, query: query, req: req, begun: time.Now(),
		limit: orElse(req.Limit, DefaultSearch), bytes: orElse(req.Bytes, PageBytes)}
	page, err := l.page(limited, at)
	if errors.Is(limited.Err(), context.DeadlineExceeded) && ctx.Err() == nil && err != nil {
		return SearchPage{}, Errorf(KindUnavailable, "SEARCH_TOO_BROAD",
			"the search has not ended after %v; name rooms, or words that are rarer", searchTimeout).Because(err)
	}
	return page, err
}

func (r SearchRequest) check() error {
	switch {
	case len(r.Rooms) > MaxSearchRooms:
		return Errorf(KindInvalid, "TOO_MANY_ROOMS", "there are %d room_ids; at most %d are allowed, and none is all rooms of the user", len(r.Rooms), MaxSearchRooms)
	case len(r.From) > MaxSearchPeople:
		return Errorf(KindInvalid, "TOO_MANY_USERS", "there are %d from_user_ids; at most %d are allowed, and none is everybody", len(r.From), MaxSearchPeople)
	case !r.Since.IsZero() && !r.Until.IsZero() && r.Until.Before(r.Since):
		return Errorf(KindInvalid, "INVALID_ARGUMENT", "until is before since; nothing was said then")
	}
	for _, room := range r.Rooms {
		if err := checkID("a room_id", string(room)); err != nil {
			return err
		}
	}
	for _, user := range r.From {
		if err := checkID("a from_user_id", string(user)); err != nil {
			return err
		}
	}
	return checkLimit(r.Limit, MaxSearch)
}
