package biz

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// PushSessions reaches the sessions that are connected or may still resume, on any node. Its methods
// are safe for concurrent use. None of them waits for other nodes longer than some seconds, nor than ctx.
type PushSessions interface {
	// Push queues p for every session of the recipient. With several sessions the best outcome
	// counts. When p.StoreOffline is set, a push to a user is queued for connected ones only, and
	// OutcomeOffline says that there is none.
	Push(ctx context.Context, to Recipient, p *Push) Offered
	// Batch does the same for many recipients; the outcomes are in their order.
	Batch(ctx context.Context, to []Recipient, p *Push) []Offered
	// Await does the same for a caller who wants to know that p has arrived. It waits for that until
	// ctx ends, which has a deadline. What it returns is in the order of the recipients.
	Await(ctx context.Context, to []Recipient, p *Push) []AwaitedPush

	PushAudiences
	PushSignals
}

// PushSignals is what sessions and nodes are told beside pushes.
type PushSignals interface {
	// InboxGrew tells the user's sessions that his inbox has something up to seq.
	InboxGrew(user UserID, seq int64)
	// AtWork tells whether another node is at the request with a key. One that does not answer is not.
	AtWork(ctx context.Context, k PushKey) bool
	// Works has other nodes told by is whether this one is. It is called before the node runs.
	Works(is func(k PushKey) bool)
}

// PushAudiences reaches all sessions.
type PushAudiences interface {
	// Broadcast pushes p to the sessions that there are now. All sessions of a node get broadcasts in one
	// order.
	Broadcast(ctx context.Context, p *Push) BroadcastCounts
	// Audience returns the sessions that there are now, to push p to some of them at a time.
	Audience(ctx context.Context, p *Push) Audience
}

// Offered is what became of a push that was offered to the sessions of a target.
type Offered struct {
	Outcome Outcome
	// Why tells people why that is not known, with OutcomeUnknown; it goes on behind "is not known: ".
	Why string
}

// PushRules are the node's settings for pushes.
type PushRules struct {
	MaxBytes   int           // title, content, data and metadata of one push together
	MaxTargets int           // of one batch
	InboxTTL   time.Duration // how long a push waits for somebody who is away
	Inbox      InboxLimits
}

// Pushes is what services tell clients. Safe for concurrent use.
type Pushes struct {
	sessions PushSessions
	inbox    Inbox
	once     *onceByKey
	paced    *pacer
	rules    atomic.Pointer[PushRules]

	authorizer Authorizer // nil: none
}

// NewPushes returns the use cases of pushing.
func NewPushes(sessions PushSessions, inbox Inbox, keys PushKeys, rules PushRules) *Pushes {
	s := &Pushes{sessions: sessions, inbox: inbox, once: newOnceByKey(keys, sessions.AtWork), paced: newPacer()}
	sessions.Works(s.once.atWork)
	s.SetRules(rules)
	return s
}

// SetRules replaces the rules, for what is pushed from then on.
func (s *Pushes) SetRules(rules PushRules) { s.rules.Store(&rules) }

// PushResult is the outcome for one target. Err says why when nothing was delivered or queued.
type PushResult struct {
	Outcome Outcome
	Err     *Error
	Note    string // more about a success, for people; may be empty
	// Repeated means that this is the result of an earlier call with the same key: nothing was pushed.
	Repeated bool
}

// Push sends p to one target.
func (s *Pushes) Push(ctx context.Context, t Target, p *Push, o PushOptions) PushResult {
	if err := s.stamp(p, o); err != nil {
		return rejected(err)
	}
	denied := s.authorize(ctx, []Target{t})
	if o.Key == "" {
		if err := denied.of(0); err != nil {
			return rejected(err)
		}
		return s.push(ctx, t, p, o)
	}
	results, repeated, err := s.pushOnce(ctx, "push", []Target{t}, denied, p, o)
	if err != nil {
		return PushResult{Outcome: OutcomeRejected, Err: AsError(err), Repeated: repeated}
	}
	return results[0]
}

// Batch sends p to every target; the results are in the order of the targets.
func (s *Pushes) Batch(ctx context.Context, targets []Target, p *Push, o PushOptions) ([]PushResult, error) {
	if most := s.rules.Load().MaxTargets; len(targets) > most {
		return nil, Errorf(KindInvalid, "TOO_MANY_TARGETS", "%d targets in one call; at most %d are allowed", len(targets), most)
	}
	if err := s.stamp(p, o); err != nil {
		return nil, err
	}
	denied := s.authorize(ctx, targets)
	if o.Key == "" {
		return s.pushAll(ctx, targets, denied, p, o), nil
	}
	results, _, err := s.pushOnce(ctx, "batch", targets, denied, p, o)
	return results, err
}

func (s *Pushes) push(ctx context.Context, t Target, p *Push, o PushOptions) PushResult {
	if o.AckWithin > 0 {
		return s.pushAcked(ctx, []Target{t}, nil, p, o)[0]
	}
	to, err := t.recipient()
	if err != nil {
		return rejected(err)
	}
	if p.over(time.Now()) {
		return p.tooLate()
	}
	out := s.sessions.Push(ctx, to, p)
	if out.keeps(to, p) {
		return s.keepAfter(ctx, out, t, p)
	}
	return PushResult{Outcome: out.Outcome, Err: explainOutcome(out, t)}
}

// keeps tells whether the push is to be kept for the target: nobody has it, or perhaps nobody.
func (o Offered) keeps(to Recipient, p *Push) bool {
	return p.StoreOffline && to.Kind == TargetUser && (o.Outcome == OutcomeOffline || o.Outcome == OutcomeUnknown)
}

// keepAfter keeps a push that nobody has, or perhaps nobody: rather twice than never.
func (s *Pushes) keepAfter(ctx context.Context, out Offered, t Target, p *Push) PushResult {
	result := s.keep(ctx, UserID(t.ID), p)
	if out.Outcome == OutcomeUnknown {
		if result.Err != nil {
			return PushResult{Outcome: out.Outcome, Err: explainOutcome(out, t)}
		}
		result.Note = "it is kept in the inbox, since it is not known whether it arrived: " + out.Why
	}
	return result
}

func rejected(err *Error) PushResult { return PushResult{Outcome: OutcomeRejected, Err: err} }

// tooLate is the result for a target whose turn comes when the push has lost its worth.
func (p *Push) tooLate() PushResult {
	if p.Again {
		return PushResult{Outcome: OutcomeUnknown, Err: Errorf(KindUnavailable, "UNKNOWN",
			"the node stopped while it pushed, and the ttl is over now; whether the push arrived is not known")}
	}
	return PushResult{Outcome: OutcomeExpired, Err: errExpired()}
}

func errExpired() *Error {
	return Errorf(KindUnavailable, "EXPIRED", "the ttl of the push was over before it was written to anybody")
}

func explainOutcome(o Offered, t Target) *Error {
	switch o.Outcome {
	case OutcomeDelivered, OutcomeQueued:
		return nil
	case OutcomeOffline:
		return Errorf(KindUnavailable, "TARGET_OFFLINE", "%s %q has no session", t.Type, t.ID)
	case OutcomeNotFound:
		return Errorf(KindNotFound, "TARGET_NOT_FOUND", "session %q does not exist", t.ID)
	case OutcomeExpired:
		return errExpired()
	case OutcomeSlow:
		return Errorf(KindResourceLimit, "TARGET_SLOW", "the queue of %s %q is full", t.Type, t.ID)
	}
	return Errorf(KindUnavailable, "UNKNOWN", "whether the push reached %s %q is not known: %s", t.Type, t.ID, o.Why)
}

// stamp checks what every target shares and gives the push its id and time.
func (s *Pushes) stamp(p *Push, o PushOptions) *Error {
	if err := o.check(); err != nil {
		return err
	}
	for name, text := range map[string]string{"msg_type": p.MsgType, "title": p.Title, "content": p.Content} {
		if err := checkText(name, text); err != nil {
			return invalidPush(err)
		}
	}
	most := s.rules.Load().MaxBytes
	if err := checkMetadata(p.Metadata, most); err != nil {
		return invalidPush(err)
	}
	n := len(p.MsgType) + len(p.Title) + len(p.Content) + len(p.Data)
	for k, v := range p.Metadata {
		n += len(k) + len(v)
	}
	if n > most {
		return Errorf(KindInvalid, "INVALID_REQUEST", "the push has %d bytes; at most %d are allowed", n, most)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Errorf(KindInternal, "PUSH_FAILED", "no id could be made").Because(err)
	}
	p.ID, p.Time, p.StoreOffline, p.Prepared = id.String(), time.Now(), o.StoreOffline, &Prepared{}
	if o.TTL > 0 {
		p.Expires = p.Time.Add(o.TTL)
	}
	return nil
}

func invalidPush(err error) *Error {
	return &Error{Kind: KindInvalid, Reason: "INVALID_REQUEST", Text: AsError(err).Text}
}
