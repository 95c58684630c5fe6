package biz

import (
	"context"
	"time"
)

// Inbox keeps pushes for users who are away. A session that has read a push and not acknowledged it
// has a claim on it that excludes nobody: whoever comes meanwhile gets it too, on any node, and the
// first acknowledgement is that of the user.
type Inbox interface {
	// Store keeps p until expires and sets p.InboxSeq. It answers KindResourceLimit when there is no
	// room for it within limits. If p.Again is set and p is there, it stays where it is.
	Store(ctx context.Context, user UserID, p *Push, expires time.Time, limits InboxLimits) error
	// Page returns what is kept above after and has not expired, in order, at most limit pushes and
	// fewer when they are large.
	Page(ctx context.Context, user UserID, after int64, limit int) ([]*Push, error)
	// Ack forgets everything up to seq. It returns at once; the last calls may be lost with the
	// process, which repeats pushes and loses none.
	Ack(user UserID, seq int64)
	// Missed forgets one push that had expired before it could be written. It returns at once.
	Missed(user UserID, seq int64)
	// State returns what is kept for a user now.
	State(ctx context.Context, user UserID) (InboxState, error)
}

// InboxLimits bound what is kept for one user.
type InboxLimits struct {
	Pushes int
	Bytes  int64 // of types, titles, contents, data and metadata
	// DropOldest makes room for a push by dropping the oldest ones; otherwise it is refused.
	DropOldest bool
}

// InboxState is what is kept for a user at a moment.
type InboxState struct {
	Pushes int
	Bytes  int64
	Oldest time.Time // of its acceptance; zero when nothing is kept
	// Last is the last place that was ever given in the inbox; 0: none. What is kept afterwards has a
	// higher one.
	Last int64
}

// keep stores a push for somebody who has no session.
func (s *Pushes) keep(ctx context.Context, user UserID, p *Push) PushResult {
	kept := *p // a place in an inbox is one target's own
	rules := s.rules.Load()
	until := p.Time.Add(rules.InboxTTL)
	if !p.Expires.IsZero() && p.Expires.Before(until) {
		until = p.Expires
	}
	if err := s.inbox.Store(ctx, user, &kept, until, rules.Inbox); err != nil {
		return rejected(AsError(err))
	}
	// He may have connected between the attempt and the store, and read his inbox before.
	s.sessions.InboxGrew(user, kept.InboxSeq)
	return PushResult{Outcome: OutcomeQueued}
}

// Kept returns what waits in a user's inbox above after.
func (s *Pushes) Kept(ctx context.Context, user UserID, after int64, limit int) ([]*Push, error) {
	return s.inbox.Page(ctx, user, after, limit)
}

// Inbox returns what is kept for a user now.
func (s *Pushes) Inbox(ctx context.Context, user UserID) (InboxState, error) {
	if err := checkID("openid", string(user)); err != nil {
		return InboxState{}, err
	}
	return s.inbox.State(ctx, user)
}

// Received forgets what the user has received from his inbox, up to seq.
func (s *Pushes) Received(user UserID, seq int64) { s.inbox.Ack(user, seq) }

// Missed forgets a push of the user's inbox that expired before it was written.
func (s *Pushes) Missed(user UserID, seq int64) { s.inbox.Missed(user, seq) }
