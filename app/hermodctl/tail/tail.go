package tail

import (
	"context"
	"errors"
	"math"

	imv1 "github.com/game-im/hermod/api/im/v1"
)

// Page sizes: the largest that a node gives.
const (
	historyPage = 500
	syncPage    = 1000
)

// Config says what a tail shows.
type Config struct {
	// User sees what is shown: a member, of a room what was said since he joined. Empty: the one that the
	// token is of; for a service that is nobody, who sees all that is kept of a room.
	User string
	// Last is with how many messages to begin, of those that there are; where After says so it does not
	// count.
	Last int
	// After is behind which seq to begin in a room; -1: see Last.
	After int64
	// Rooms are behind which seq to begin in single rooms of a user.
	Rooms map[string]int64
	// Limit is how many messages to show; 0: any number.
	Limit int
	// UntilHead: end with the last message that there was at the beginning, instead of following.
	UntilHead bool
}

// Screen shows messages.
type Screen interface {
	Message(m *imv1.MessageResponse) error
	// Flush is called when nothing more comes for a while, and at the end.
	Flush() error
}

// Notes are told what is not a message, such as that some are missing.
type Notes func(format string, args ...any)

// errLimit ends a tail that has shown as many messages as it was to.
var errLimit = errors.New("the limit is reached")

// view shows messages up to a limit and notes what is missing between them.
type view struct {
	screen Screen
	note   Notes
	left   int // messages that may be shown
}

func newView(cfg Config, screen Screen, note Notes) view {
	v := view{screen: screen, note: note, left: math.MaxInt}
	if cfg.Limit > 0 {
		v.left = cfg.Limit
	}
	return v
}

// show shows the next message of a room behind *cursor, and moves that. One that is not behind it was shown.
func (v *view) show(m *imv1.MessageResponse, cursor *int64) error {
	if m.GetSeq() <= *cursor {
		return nil
	}
	v.gone(m.GetRoomId(), cursor, m.GetSeq()-1)
	if err := v.screen.Message(m); err != nil {
		return err
	}
	*cursor = m.GetSeq()
	if v.left--; v.left == 0 {
		return errLimit
	}
	return nil
}

// gone moves the cursor to where a room's log begins, if that is behind it, and tells what is missing.
func (v *view) gone(room string, cursor *int64, floor int64) {
	if floor <= *cursor {
		return
	}
	if *cursor > 0 { // who begins at 0 asked for what there is
		v.note("room %s: messages %d to %d are not kept, or not to be seen", room, *cursor+1, floor)
	}
	*cursor = floor
}

// back moves the cursor down to the head of a room whose log has lost its end.
func (v *view) back(room string, cursor *int64, head int64) {
	if head < *cursor {
		v.note("room %s: its last message is %d, and %d was shown: the store has gone back; going on behind %d", room, head, *cursor, head)
		*cursor = head
	}
}

// end flushes, and makes of err what the end is.
func (v *view) end(ctx context.Context, err error) error {
	flushed := v.screen.Flush()
	if errors.Is(err, errLimit) || ctx.Err() != nil {
		return flushed
	}
	return errors.Join(err, flushed)
}
