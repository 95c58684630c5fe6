package data

import (
	"database/sql"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// acting is an act on its way through the transaction that stores what it tells. The row of the room is locked, so
// nobody else changes what the decision rests on.
type acting struct {
	c      *committer
	t      *tx
	g      *group
	e      *entry
	now    time.Time
	target *biz.Message // that the act is about, if it needs one that is kept
	flush  func() error // writes what the batch has yet to write of messages
}

// deed is what came of an act.
type deed struct {
	said     *biz.Message // what the room is told; nil: nothing
	metadata []byte       // encoded
	then     *then        // what said says later; nil: the same
	stored   bool         // said has a place in the log
	left     biz.UserID   // whose membership has ended
	ended    bool         // the room itself has
}

// act decides and does what comes of it, save for storing the message and the claim. A refusal is the entry's; an
// error ends the transaction.
func (a *acting) act() error {
	a.e.deed, a.e.receipt, a.e.err = nil, biz.Receipt{}, nil
	if a.g.gone {
		a.e.err = biz.ErrRoomNotFound(a.g.room)
		return nil
	}
	state, err := a.read(a.e.draft.Act.Needs())
	if err != nil {
		return err
	}
	plan, err := a.decide(state)
	if err != nil {
		a.e.err = err
		return nil
	}
	d, err := a.word(&plan)
	if err != nil {
		a.e.err = err
		return nil
	}
	if err := a.apply(&plan); err != nil {
		return a.orRefused(err)
	}
	a.settle(d, plan.Said)
	return nil
}

// orRefused makes an error of biz the entry's. Whoever returns one has not written anything.
func (a *acting) orRefused(err error) error {
	var refused *biz.Error
	if !errors.As(err, &refused) {
		return err
	}
	a.e.err = refused
	return nil
}

// read reads what the act needs, all of it by its keys.
func (a *acting) read(needs biz.ActNeeds) (biz.ActState, error) {
	if a.g.info == nil {
		info, err := loadRoom(a.t.scan, a.g.room)
		if err != nil {
			return biz.ActState{}, err
		}
		a.g.info = &info
	}
	state := biz.ActState{Now: a.now, Room: *a.g.info}
	state.Room.HeadSeq = a.g.head
	var err error
	if state.Sender, err = a.member(a.e.draft.Sender); err != nil {
		return state, err
	}
	if needs.Member != "" {
		if err := a.readMember(&state, needs.Member); err != nil {
			return state, err
		}
	}
	if needs.Heir != "" {
		if err := a.readHeir(&state, needs.Heir); err != nil {
			return state, err
		}
	}
	if needs.Invitations {
		if err := a.countInvitations(&state, needs.Member); err != nil {
			return state, err
		}
	}
	if needs.Message > 0 {
		err = a.readTarget(&state, needs)
	}
	return state, err
}

func (a *acting) readMember(state *biz.ActState, user biz.UserID) (err error) {
	if state.Member, err = a.member(user); err != nil {
		return err
	}
	if state.Ban, err = loadBan(a.t.scan, a.g.room, user, a.now); err != nil {
		return err
	}
	state.Invitation, err = loadInvitation(a.t.scan, a.g.room, user)
	return err
}

// member returns nil for who is none.
func (a *acting) member(user biz.UserID) (*biz.Member, error) {
	if user == "" {
		return nil, nil
	}
	m, err := loadMember(a.t.scan, a.g.room, user)
	if notFound(err) {
		return nil, nil
	}
	return &m, err
}

// decide turns a panic, which would take the node down, into a refusal.
func (a *acting) decide(state biz.ActState) (plan biz.ActPlan, err error) {
	defer func() {
		if p := recover(); p != nil {
			a.c.logger.Error("panic in a decision", "panic", p, "stack", string(debug.Stack()))
			err = internal(fmt.Errorf("panic: %v", p))
		}
	}()
	return a.e.draft.Act.Decide(state)
}

func internal(cause error) error {
	return biz.Errorf(biz.KindInternal, "INTERNAL", "internal error").Because(cause)
}

// word makes the message of what is to be told.
func (a *acting) word(plan *biz.ActPlan) (*deed, error) {
	d := &deed{left: plan.Remove, ended: plan.Room != nil && !plan.Room.DeletedAt.IsZero()}
	if plan.Event == nil {
		return d, nil
	}
	if a.c.events == nil {
		return nil, internal(errors.New("the log cannot tell of acts: it has no encoder of events"))
	}
	content, err := a.c.events(*plan.Event)
	if err != nil {
		return nil, internal(err)
	}
	m := a.e.draft.Message // of which the sender's own id and wishes stay
	m.Type, m.Content = biz.TypeSystem, content
	m.Metadata = map[string]string{biz.MetaEventType: string(plan.Event.Type)}
	d.said = &m
	d.stored = a.g.info.Config.Persistent && !d.ended
	if d.metadata, err = encodeMetadata(m.Metadata); err != nil {
		return nil, err
	}
	d.then, err = a.wordThen(plan)
	return d, err
}

// wordThen is what the event of an edit says once the message expires: that it was recalled.
func (a *acting) wordThen(plan *biz.ActPlan) (*then, error) {
	if plan.Edit == nil || !plan.Edit.Replace || plan.Edit.State.Recalled || a.target == nil || a.target.ExpiresAt.IsZero() {
		return nil, nil
	}
	m := *a.target
	m.State = &plan.Edit.State
	content, err := a.c.events(biz.Event{Type: biz.EventEdited, Target: m.Seq, State: *m.At(m.ExpiresAt).State})
	if err != nil {
		return nil, internal(err)
	}
	return &then{From: toMicros(m.ExpiresAt), Content: content}, nil
}

// settle gives what is told its place and the entry its receipt.
func (a *acting) settle(d *deed, said int64) {
	a.e.deed = d
	a.e.receipt = biz.Receipt{Seq: said, Time: a.now}
	if d.said == nil {
		return
	}
	var seq int64
	if d.stored {
		a.g.head++
		seq = a.g.head
	}
	d.said.ID, d.said.Seq, d.said.Time = biz.NewMessageID(a.g.room, seq, a.now), seq, a.now
	a.e.receipt = biz.Receipt{ID: d.said.ID, Seq: seq, Time: a.now}
}

// writeAct is writeEntry for an act, and for what comes after one that has ended the room.
func (c *committer) writeAct(t *tx, g *group, e *entry, now time.Time) error {
	e.refused = nil
	held, expired, err := c.heldClaim(t, e, now)
	if err != nil {
		return err
	}
	if held != nil {
		e.deed, e.err = nil, nil
		e.repeat(*held)
		return nil
	}
	a := acting{c: c, t: t, g: g, e: e, now: now, flush: func() error { return nil }}
	if err := a.act(); err != nil || e.err != nil {
		return err
	}
	if d := e.deed; d.stored {
		if err := storeMessage(t, e, d.said, d.metadata); err != nil {
			return err
		}
	}
	switch {
	case e.draft.ClientID == "":
		return nil
	case expired:
		return c.replaceClaim(t, e)
	}
	_, err = c.insertClaim(t, e)
	return err
}

// heldClaim returns the claim on the entry's id, if there is one, and tells whether there is one that no longer
// counts.
func (c *committer) heldClaim(t *tx, e *entry, now time.Time) (held *heldClaim, expired bool, err error) {
	if e.draft.ClientID == "" {
		return nil, false, nil
	}
	var h heldClaim
	var created int64
	d := &e.draft.Message
	err = t.scan(selectClaim, []any{string(d.Room), string(d.Sender), d.ClientID}, &h.hash, &h.receipt.Seq, &h.receipt.ID, &created)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, false, nil
	case err != nil:
		return nil, false, err
	case created < now.Add(-c.window).UnixMicro():
		return nil, true, nil
	}
	h.receipt.Time, h.receipt.Duplicate = fromMicros(created), true
	return &h, false, nil
}

// act is writeAct for the entry at a place of a group. Who may say what may be another matter afterwards.
func (b *bulkBatch) act(t *tx, g *group, at int) error {
	e := g.entries[at]
	e.refused = nil
	if c, ok := b.held[claimKeyOf(&e.draft.Message)]; ok && e.draft.ClientID != "" {
		e.deed, e.err = nil, nil
		e.repeat(c)
		return nil
	}
	before := g.version
	a := acting{c: b.c, t: t, g: g, e: e, now: b.now, flush: func() error { return b.flush(t) }}
	if err := a.act(); err != nil || e.err != nil {
		return err
	}
	if d := e.deed; d.stored {
		b.add(e, d.said, d.metadata)
	} else {
		b.add(e, nil, nil)
	}
	if g.version == before || g.gone {
		return nil
	}
	rest := []group{*g}
	rest[0].entries = g.entries[at+1:]
	err := b.permitSome(t, rest)
	g.met = rest[0].met
	return err
}
