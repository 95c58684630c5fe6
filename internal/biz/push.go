package biz

import (
	"strconv"
	"sync"
	"time"
)

// TargetKind says what a push target names.
type TargetKind uint8

// The kinds of target.
const (
	TargetInvalid TargetKind = iota
	TargetSession
	TargetUser // openid
	TargetGID
)

// ParseTargetKind reads a kind as services write it.
func ParseTargetKind(s string) TargetKind {
	switch s {
	case "session":
		return TargetSession
	case "openid":
		return TargetUser
	case "gid":
		return TargetGID
	}
	return TargetInvalid
}

// Target is whom a push is for, as the caller wrote it.
type Target struct {
	Type string // session, openid, gid
	ID   string
}

// Recipient is a Target that was understood.
type Recipient struct {
	Kind TargetKind
	ID   string // of a session or user
	GID  int64
}

// recipient reads the target.
func (t Target) recipient() (Recipient, *Error) {
	if err := checkID("target_id", t.ID); err != nil {
		return Recipient{}, invalidTarget(AsError(err).Text)
	}
	to := Recipient{Kind: ParseTargetKind(t.Type), ID: t.ID}
	switch to.Kind {
	case TargetInvalid:
		return Recipient{}, invalidTarget("target_type " + quote(t.Type) + " is unknown; session, openid and gid are allowed")
	case TargetGID:
		gid, err := strconv.ParseInt(t.ID, 10, 64)
		if err != nil {
			return Recipient{}, invalidTarget("gid " + quote(t.ID) + " is not a decimal number of 64 bits")
		}
		to.GID = gid
	}
	return to, nil
}

func invalidTarget(text string) *Error {
	return &Error{Kind: KindInvalid, Reason: "INVALID_TARGET", Text: text}
}

// Push is what a service tells a client, unasked.
type Push struct {
	ID       string // the server's, unique
	MsgType  string
	Title    string
	Content  string
	Data     []byte
	Metadata map[string]string
	Time     time.Time
	// InboxSeq is the push's place in the user's inbox when it was kept there, 0 otherwise.
	InboxSeq int64
	// StoreOffline asks that a user who is not connected finds the push in his inbox. A session that
	// is away does not take it: it could end before its client comes back, and the inbox does not.
	StoreOffline bool
	// Again is set when the push may have been made before, under the same ID and Time, by a node that
	// stopped in the middle of it. What is in an inbox already is not kept there twice.
	Again bool
	// Bound, unless it is zero, lets the push go with the answer to a request of the client.
	Bound PushBound
	// Expires is when the push has lost its worth: whoever has not been written it by then does not get
	// it. Zero: never.
	Expires time.Time
	// Prepared is for the implementation of PushSessions: its own form of the push. Copies share it.
	Prepared *Prepared
}

// over tells whether the push has lost its worth.
func (p *Push) over(now time.Time) bool { return !p.Expires.IsZero() && now.After(p.Expires) }

// begunAt makes the push the one that a node has begun and not ended: its time counts from then.
func (p *Push) begunAt(id string, at time.Time) {
	if !p.Expires.IsZero() {
		p.Expires = p.Expires.Add(at.Sub(p.Time))
	}
	p.ID, p.Time, p.Again = id, at, true
}

// Prepared is a form of a push that is made once for all targets. Safe for concurrent use.
type Prepared struct {
	once sync.Once
	form any
}

// Of returns the form, and makes it if it is the first to ask.
func (p *Prepared) Of(prepare func() any) any {
	p.once.Do(func() { p.form = prepare() })
	return p.form
}

// PushBound ties a push to the answer to a request.
type PushBound struct {
	ClientSeq uint64 // the client's number of the request; 0: it is not bound
	After     bool   // right behind the answer; otherwise immediately ahead of it
}

// Outcome is what became of a push to one target; every target has exactly one.
type Outcome uint8

// The outcomes.
const (
	OutcomeRejected  Outcome = iota // never attempted: the request or the target is wrong
	OutcomeDelivered                // queued for a connected session, or acknowledged if that was waited for
	OutcomeQueued                   // kept for a session that is away, for the answer that it is bound to, or in the inbox, or not acknowledged in time
	OutcomeOffline                  // no session
	OutcomeNotFound                 // no such session id
	OutcomeSlow                     // the session's queue was full
	OutcomeUnknown                  // it may have arrived: the node or session that had it is gone
	OutcomeExpired                  // its time was over before it was written to anybody
)

// Outcomes is every outcome.
func Outcomes() []Outcome {
	return []Outcome{
		OutcomeRejected, OutcomeDelivered, OutcomeQueued, OutcomeOffline, OutcomeNotFound, OutcomeSlow, OutcomeUnknown, OutcomeExpired,
	}
}

// ParseOutcome reads what String writes.
func ParseOutcome(s string) (o Outcome, ok bool) {
	for _, o := range Outcomes() {
		if o.String() == s {
			return o, true
		}
	}
	return OutcomeRejected, false
}

// String returns the outcome's name in metrics and answers.
func (o Outcome) String() string {
	switch o {
	case OutcomeDelivered:
		return "delivered"
	case OutcomeQueued:
		return "queued"
	case OutcomeOffline:
		return "offline"
	case OutcomeNotFound:
		return "not_found"
	case OutcomeSlow:
		return "slow"
	case OutcomeUnknown:
		return "unknown"
	case OutcomeExpired:
		return "expired"
	}
	return "rejected"
}
