package hub

import (
	"context"
	"errors"

	"github.com/game-im/hermod/internal/realtime/frame"
)

// ErrGone is what Log.Publications fails with when part of what is asked for is kept no longer.
var ErrGone = errors.New("hub: part of the log is gone")

// Log is what was published on channels, as far as it is kept. It is safe for concurrent use, and called
// without locks held.
type Log interface {
	// Keeps tells whether the log has a channel's publications in a form that is the same for all of its
	// sessions. Of any other channel each session reads for itself. It is called with locks held and must
	// not block.
	Keeps(channel string) bool
	// Publications returns what a channel has above after and up to upTo, in order and without holes, at
	// most limit of them; fewer do not mean that there are no more, none does.
	Publications(ctx context.Context, channel string, after, upTo int64, limit int) ([]*frame.Publication, error)
}

// Heads is a Log that tells of many channels at once how far they reach, so that after an outage only
// those are read of which something is missing.
type Heads interface {
	Log
	// Heads returns the highest seq of each of the channels; one that is absent has none.
	Heads(ctx context.Context, channels []string) (map[string]int64, error)
}
