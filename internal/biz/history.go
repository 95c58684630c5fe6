package biz

import (
	"context"
	"slices"
)

// Bounds of what one page of a room's past, or of a synchronisation, has.
const (
	DefaultHistory = 50
	MaxHistory     = 500
	// PageBytes is where a page ends that its caller does not bound further, counted by Message.Bytes. It
	// always has one message, however large that is.
	PageBytes = 1 << 20
)

// HistoryRepo reads rooms as they are stored, for those who look back. What other nodes have committed is
// seen as well.
type HistoryRepo interface {
	// Standing returns where a room stands, and the user in it if he is a member; user may be empty. It is
	// KindNotFound when there is no such room.
	Standing(ctx context.Context, room RoomID, user UserID) (Standing, error)
	// Standings returns the rooms that the user is a member of, those with ids above after, in the order of
	// their bytes, and limit of them at most.
	Standings(ctx context.Context, user UserID, after RoomID, limit int) ([]Standing, error)
	// Messages returns the messages of the spans, one span after another. It ends before the messages would
	// have more than maxBytes, though it always has one, and with a message that is not there any more.
	Messages(ctx context.Context, spans []Span, maxBytes int) ([]*Message, error)
	UnreadRepo
}

// UnreadRepo counts what a user has not read.
type UnreadRepo interface {
	// Unread counts, for each span, the messages that are not the user's own, up to most. It may answer for
	// the first of the spans alone, one at least, when it has to look at many messages for that.
	Unread(ctx context.Context, user UserID, spans []Span, most int) ([]int, error)
	// Mentions counts, for those of the rooms that have any, the messages of others that mention the user among
	// those that he has not read, of the newest ones at least.
	Mentions(ctx context.Context, user UserID, rooms []RoomID) (map[RoomID]int, error)
	// MarkRead raises the mark of a member, and never lowers it. Without a membership it does nothing.
	MarkRead(ctx context.Context, room RoomID, user UserID, seq int64) error
}

// Standing is where a room stands, and one who may be a member of it.
type Standing struct {
	Room       RoomID
	Persistent bool
	Head       int64
	Floor      int64 // messages up to this one are no longer kept
	Member     bool
	Joined     int64 // the head when he joined
	Read       int64 // how far he says that he has read
}

// seenBy is the standing as somebody sees it to whom the room is as his membership has it. Nothing is kept
// in a room that is not persistent.
func (s Standing) seenBy(member bool) Standing {
	switch {
	case !s.Persistent:
		s.Head, s.Floor, s.Read = 0, 0, 0
	case member && s.Member:
		s.Floor = max(s.Floor, s.Joined)
	}
	return s
}

// Span is a part of a room's log.
type Span struct {
	Room  RoomID
	After int64 // the seq before the first
	To    int64 // the last
	Back  bool  // read from the last one down
}

func (s Span) empty() bool { return s.To <= s.After }

// begins tells whether messages are the beginning of the span, in the order in which it is read.
func (s Span) begins(messages []*Message) bool {
	switch {
	case s.empty():
		return true
	case len(messages) == 0:
		return false
	case s.Back:
		return messages[0].Seq == s.To
	}
	return messages[0].Seq == s.After+1
}

// History is the past of rooms, for their members. A member sees what came after he joined, as far as it
// is kept: what was before him is no more his than what is delivered to him when he was away. Safe for
// concurrent use.
type History struct {
	repo HistoryRepo
}

// NewHistory returns the use cases of looking back.
func NewHistory(repo HistoryRepo) *History { return &History{repo: repo} }

// HistoryRequest asks for a page of a room's past.
type HistoryRequest struct {
	Room RoomID
	User UserID // empty: the caller's own; or nobody, who sees all that is kept
	// The page has the first messages above After, or the last ones below Before; without either the
	// newest ones.
	After, Before *int64
	Limit         int // messages; 0: DefaultHistory
	Bytes         int // 0: PageBytes
}

// HistoryPage is a part of a room's log.
type HistoryPage struct {
	Messages []*Message // in the order of seq
	Floor    int64      // nothing up to here is there for who asked
	Head     int64
	More     bool // in the direction that was asked
}

// readAttempts is how often a read begins anew because what it was about to read had just been deleted.
const readAttempts = 4

// Page returns a page of a room's past.
func (h *History) Page(ctx context.Context, by Identity, req HistoryRequest) (HistoryPage, error) {
	if err := req.check(); err != nil {
		return HistoryPage{}, err
	}
	who, err := readerOf(by, req.User)
	if err != nil {
		return HistoryPage{}, err
	}
	for range readAttempts {
		s, err := h.standing(ctx, who, req)
		if err != nil {
			return HistoryPage{}, err
		}
		span := req.span(s)
		messages, err := h.messages(ctx, []Span{span}, orElse(req.Bytes, PageBytes))
		if err != nil {
			return HistoryPage{}, err
		}
		if span.begins(messages) {
			return pageOf(s, span, messages), nil
		}
	}
	return HistoryPage{}, errShifting(req.Room)
}

// standing is the room as who asks may see it.
func (h *History) standing(ctx context.Context, who reader, req HistoryRequest) (Standing, error) {
	s, err := h.repo.Standing(ctx, req.Room, who.user)
	if err != nil {
		return Standing{}, err
	}
	if !s.Member && !who.any {
		return Standing{}, errNotIn(req.Room, who.user)
	}
	return s.seenBy(!who.any || req.User != ""), nil
}

func (h *History) messages(ctx context.Context, spans []Span, maxBytes int) ([]*Message, error) {
	spans = withoutEmpty(spans)
	if len(spans) == 0 {
		return nil, nil
	}
	return h.repo.Messages(ctx, spans, maxBytes)
}

func withoutEmpty(spans []Span) (left []Span) {
	for _, s := range spans {
		if !s.empty() {
			left = append(left, s)
		}
	}
	return left
}

// errShifting is the answer of a room that loses its oldest messages faster than they are read.
func errShifting(room RoomID) *Error {
	return Errorf(KindUnavailable, "HISTORY_SHIFTING", "messages of room %q are being deleted while they are read; ask again", room)
}

func (r HistoryRequest) check() error {
	switch {
	case r.After != nil && r.Before != nil:
		return Errorf(KindInvalid, "INVALID_ARGUMENT", "after_seq and before_seq are both set; a page lies on one side of a message")
	case r.After != nil && *r.After < 0:
		return Errorf(KindInvalid, "INVALID_ARGUMENT", "after_seq is %d; it is not negative", *r.After)
	case r.Before != nil && *r.Before < 0:
		return Errorf(KindInvalid, "INVALID_ARGUMENT", "before_seq is %d; it is not negative", *r.Before)
	}
	if err := checkLimit(r.Limit, MaxHistory); err != nil {
		return err
	}
	return checkID("room_id", string(r.Room))
}

func checkLimit(limit, most int) error {
	if limit < 0 || limit > most {
		return Errorf(KindInvalid, "INVALID_ARGUMENT", "limit is %d; 0 to %d are allowed", limit, most)
	}
	return nil
}

// span is what to read. Numbers have no holes, so that it has as many messages as it is long.
func (r HistoryRequest) span(s Standing) Span {
	limit := int64(orElse(r.Limit, DefaultHistory))
	if r.After != nil {
		after := min(max(*r.After, s.Floor), s.Head)
		return Span{Room: r.Room, After: after, To: min(s.Head, after+limit)}
	}
	to := s.Head
	if r.Before != nil {
		to = min(to, max(*r.Before-1, s.Floor))
	}
	return Span{Room: r.Room, After: max(s.Floor, to-limit), To: to, Back: true}
}

func pageOf(s Standing, span Span, messages []*Message) HistoryPage {
	p := HistoryPage{Messages: messages, Floor: s.Floor, Head: s.Head}
	if len(messages) == 0 {
		return p
	}
	last := messages[len(messages)-1].Seq
	if !span.Back {
		p.More = last < s.Head
		return p
	}
	p.More = last > s.Floor+1
	slices.Reverse(messages)
	return p
}

// orElse is n, or the default for which 0 stands.
func orElse(n, fallback int) int {
	if n == 0 {
		return fallback
	}
	return n
}
