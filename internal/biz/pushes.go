package biz

import (
	"context"
	"strconv"
	"time"

	"github.com/google/uuid"
)

// PushSessions reaches the sessions that are connected or may still resume, on any node.
type PushSessions interface {
	// PushSession, PushUser and PushGID queue p for every session that the target names. With
	// several sessions the best outcome counts. When p.StoreOffline is set, PushUser queues it for
	// connected ones only and answers OutcomeOffline when there is none.
	PushSession(id SessionID, p *Push) Outcome
	PushUser(id UserID, p *Push) Outcome
	PushGID(gid int64, p *Push) Outcome
	// Broadcast queues p for every connected session: sent of total sessions took it.
	Broadcast(p *Push) (sent, total int)
	// InboxGrew tells the user's sessions that his inbox has something up to seq.
	InboxGrew(user UserID, seq int64)
}

// Inbox keeps pushes for users who are away.
type Inbox interface {
	// Store keeps p until expires and sets p.InboxSeq. It answers KindResourceLimit when limit
	// pushes are kept for the user already.
	Store(ctx context.Context, user UserID, p *Push, expires time.Time, limit int) error
	// Page returns what is kept above after and has not expired, in order.
	Page(ctx context.Context, user UserID, after int64, limit int) ([]*Push, error)
	// Ack forgets everything up to seq. It returns at once; the last calls may be lost with the
	// process, which repeats pushes and loses none.
	Ack(user UserID, seq int64)
}

// PushRules are the node's settings for pushes.
type PushRules struct {
	MaxBytes     int           // title, content, data and metadata of one push together
	MaxTargets   int           // of one batch
	InboxTTL     time.Duration // how long a push waits for somebody who is away
	InboxPerUser int
}

// Pushes is what services tell clients.
type Pushes struct {
	sessions PushSessions
	inbox    Inbox
	rules    PushRules
}

// NewPushes returns the use cases of pushing.
func NewPushes(sessions PushSessions, inbox Inbox, rules PushRules) *Pushes {
	return &Pushes{sessions: sessions, inbox: inbox, rules: rules}
}

// PushOptions qualify a push.
type PushOptions struct {
	StoreOffline bool // keep it in the inbox of an openid who is not connected
}

// PushResult is the outcome for one target. Err says why when nothing was delivered or queued.
type PushResult struct {
	Outcome Outcome
	Err     *Error
}

// Push sends p to one target.
func (s *Pushes) Push(ctx context.Context, t Target, p *Push, o PushOptions) PushResult {
	if err := s.stamp(p); err != nil {
		return PushResult{Outcome: OutcomeRejected, Err: err}
	}
	p.StoreOffline = o.StoreOffline
	return s.push(ctx, t, p)
}

// Batch sends p to every target; the results are in the order of the targets.
func (s *Pushes) Batch(ctx context.Context, targets []Target, p *Push, o PushOptions) ([]PushResult, error) {
	if len(targets) > s.rules.MaxTargets {
		return nil, Errorf(KindInvalid, "TOO_MANY_TARGETS", "%d targets in one call; at most %d are allowed", len(targets), s.rules.MaxTargets)
	}
	if err := s.stamp(p); err != nil {
		return nil, err
	}
	p.StoreOffline = o.StoreOffline
	results := make([]PushResult, len(targets))
	for i, t := range targets {
		results[i] = s.push(ctx, t, p)
	}
	return results, nil
}

// Broadcast sends p to every connected session.
func (s *Pushes) Broadcast(_ context.Context, p *Push) (sent, total int, err error) {
	if err := s.stamp(p); err != nil {
		return 0, 0, err
	}
	sent, total = s.sessions.Broadcast(p)
	return sent, total, nil
}

func (s *Pushes) push(ctx context.Context, t Target, p *Push) PushResult {
	if err := checkID("target_id", t.ID); err != nil {
		return PushResult{Outcome: OutcomeRejected, Err: invalidTarget(AsError(err).Text)}
	}
	var out Outcome
	switch ParseTargetKind(t.Type) {
	case TargetSession:
		out = s.sessions.PushSession(SessionID(t.ID), p)
	case TargetGID:
		gid, err := strconv.ParseInt(t.ID, 10, 64)
		if err != nil {
			return PushResult{Outcome: OutcomeRejected, Err: invalidTarget("gid " + quote(t.ID) + " is not a decimal number")}
		}
		out = s.sessions.PushGID(gid, p)
	case TargetUser:
		out = s.sessions.PushUser(UserID(t.ID), p)
		if out == OutcomeOffline && p.StoreOffline {
			return s.keep(ctx, UserID(t.ID), p)
		}
	default:
		return PushResult{Outcome: OutcomeRejected, Err: invalidTarget("target_type " + quote(t.Type) + " is unknown; session, openid and gid are allowed")}
	}
	return PushResult{Outcome: out, Err: explainOutcome(out, t)}
}

func (s *Pushes) keep(ctx context.Context, user UserID, p *Push) PushResult {
	kept := *p // a place in an inbox is one target's own
	err := s.inbox.Store(ctx, user, &kept, p.Time.Add(s.rules.InboxTTL), s.rules.InboxPerUser)
	if err != nil {
		return PushResult{Outcome: OutcomeRejected, Err: AsError(err)}
	}
	// He may have connected between the attempt and the store, and read his inbox before.
	s.sessions.InboxGrew(user, kept.InboxSeq)
	return PushResult{Outcome: OutcomeQueued}
}

func explainOutcome(o Outcome, t Target) *Error {
	switch o {
	case OutcomeDelivered, OutcomeQueued:
		return nil
	case OutcomeOffline:
		return Errorf(KindUnavailable, "TARGET_OFFLINE", "%s %q has no session", t.Type, t.ID)
	case OutcomeNotFound:
		return Errorf(KindNotFound, "TARGET_NOT_FOUND", "session %q does not exist", t.ID)
	case OutcomeSlow:
		return Errorf(KindResourceLimit, "TARGET_SLOW", "the queue of %s %q is full", t.Type, t.ID)
	}
	return Errorf(KindUnavailable, "UNKNOWN", "the node that held %s %q is gone", t.Type, t.ID)
}

func invalidTarget(text string) *Error {
	return &Error{Kind: KindInvalid, Reason: "INVALID_TARGET", Text: text}
}

// stamp checks what every target shares and gives the push its id and time.
func (s *Pushes) stamp(p *Push) *Error {
	for name, text := range map[string]string{"msg_type": p.MsgType, "title": p.Title, "content": p.Content} {
		if err := checkText(name, text); err != nil {
			return invalidPush(err)
		}
	}
	if err := checkMetadata(p.Metadata, s.rules.MaxBytes); err != nil {
		return invalidPush(err)
	}
	n := len(p.MsgType) + len(p.Title) + len(p.Content) + len(p.Data)
	for k, v := range p.Metadata {
		n += len(k) + len(v)
	}
	if n > s.rules.MaxBytes {
		return Errorf(KindInvalid, "INVALID_REQUEST", "the push has %d bytes; at most %d are allowed", n, s.rules.MaxBytes)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Errorf(KindInternal, "PUSH_FAILED", "no id could be made").Because(err)
	}
	p.ID, p.Time = id.String(), time.Now()
	return nil
}

func invalidPush(err error) *Error {
	return &Error{Kind: KindInvalid, Reason: "INVALID_REQUEST", Text: AsError(err).Text}
}

// Kept returns what waits in a user's inbox above after.
func (s *Pushes) Kept(ctx context.Context, user UserID, after int64, limit int) ([]*Push, error) {
	return s.inbox.Page(ctx, user, after, limit)
}

// Received forgets what the user has received from his inbox, up to seq.
func (s *Pushes) Received(user UserID, seq int64) { s.inbox.Ack(user, seq) }
