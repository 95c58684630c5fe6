package biz

import (
	"context"
	"slices"
	"time"
)

// EditRequest gives a message another content.
type EditRequest struct {
	Room      RoomID
	User      UserID // empty: the caller's own
	Seq       int64
	Content   []byte
	Metadata  map[string]string
	Mentions  []UserID
	ClientID  string // the sender's own id for the edit, may be empty
	IfVersion int64  // when not 0, the version that the message has to be as of
}

// Edit gives a message of one's own another content, metadata and mentions; its type stays.
func (r *Revisions) Edit(ctx context.Context, by Identity, req EditRequest) (Revised, error) {
	actor, err := userOf(by, req.User, req.Room, req.Seq)
	if err != nil {
		return Revised{}, err
	}
	if err := checkOptionalID("message_id", req.ClientID); err != nil {
		return Revised{}, err
	}
	rules := r.messages.rules.Load()
	if err := rules.checkSize(req.Content, req.Metadata); err != nil {
		return Revised{}, err
	}
	if req.Mentions, err = checkMentions(req.Mentions); err != nil {
		return Revised{}, err
	}
	to := req
	if err := r.intercept(ctx, by, actor.User, &to); err != nil {
		return Revised{}, err
	}
	act := &edit{revision: revision{actor: actor, seq: req.Seq}, to: to, window: rules.EditWindow}
	d := act.draft(req.Room, act)
	// What the edit is, for its idempotency; the event takes the place of the content.
	d.ClientID, d.Content, d.Metadata, d.Mentions = req.ClientID, req.Content, req.Metadata, req.Mentions
	receipt, err := r.do(ctx, d)
	if err != nil {
		return Revised{}, err
	}
	if receipt.Duplicate {
		return r.present(ctx, req.Room, req.Seq, receipt.Seq)
	}
	return Revised{Seq: receipt.Seq, State: act.after}, nil
}

// present is the answer to what was asked and done before: the state is the present one.
func (r *Revisions) present(ctx context.Context, room RoomID, seq, event int64) (Revised, error) {
	found, err := r.history.repo.Messages(ctx, []Span{{Room: room, After: seq - 1, To: seq}}, PageBytes)
	if err != nil || len(found) == 0 || found[0].State == nil {
		return Revised{Seq: event}, err
	}
	return Revised{Seq: event, State: *found[0].State}, nil
}

// edit is the Act.
type edit struct {
	revision
	to     EditRequest
	window time.Duration
}

// Needs implements Act.
func (e *edit) Needs() ActNeeds { return ActNeeds{Message: e.seq} }

// Decide implements Act.
func (e *edit) Decide(s ActState) (ActPlan, error) {
	m, err := e.standing(&s, ActEditOwn)
	if err != nil {
		return ActPlan{}, err
	}
	if err := e.allowed(&s, m); err != nil {
		return ActPlan{}, err
	}
	e.after = m.State.edited(s.Now)
	event := e.event(EventEdited)
	event.Content, event.Metadata = e.to.Content, e.to.Metadata
	return ActPlan{Event: event, Edit: &Edit{
		State: e.after, Replace: true, Content: e.to.Content, Metadata: e.to.Metadata, Mentions: e.to.Mentions,
	}}, nil
}

func (e *edit) allowed(s *ActState, m *Message) error {
	var version int64
	if m.State != nil {
		version = m.State.Version
	}
	switch {
	case m.Sender != e.actor.User:
		return Errorf(KindPermissionDenied, "NOT_YOUR_MESSAGE", "message %d of room %q is not user %q's own; nobody else edits it", m.Seq, s.Room.ID, e.actor.User)
	case m.Type != TypeText && m.Type != TypeRichText:
		return Errorf(KindInvalid, "INVALID_TYPE", "message %d of room %q has type %d; TEXT (1) and RICH_TEXT (3) can be edited", m.Seq, s.Room.ID, m.Type)
	case e.window > 0 && s.Now.Sub(m.Time) > e.window:
		return Errorf(KindPermissionDenied, "EDIT_WINDOW_OVER", "message %d of room %q was said at %s; a message can be edited for %s", m.Seq, s.Room.ID, m.Time.Format(time.RFC3339), e.window)
	case e.to.IfVersion != 0 && e.to.IfVersion != version:
		return Errorf(KindConflict, "VERSION_CONFLICT", "message %d of room %q is as of version %d, not %d", m.Seq, s.Room.ID, version, e.to.IfVersion)
	case slices.Contains(e.to.Mentions, MentionAll):
		return May(e.actor, ActMentionAll, &s.Room, s.Sender, nil)
	}
	return nil
}
