package data

import (
	"database/sql"
	"errors"

	"github.com/game-im/hermod/internal/biz"
)

const (
	selectMessage = `SELECT ` + messageColumns + ` FROM messages WHERE room_id = ? AND seq = ?`
	selectReacted = `SELECT 1 FROM reactions WHERE room_id = ? AND seq = ? AND user_id = ? AND reaction = ?`
)

// readTarget reads the message that an act is about, as it is read by anybody: one whose time is over is recalled. One
// of the same batch has to be written first.
func (a *acting) readTarget(state *biz.ActState, needs biz.ActNeeds) error {
	if err := a.flush(); err != nil {
		return err
	}
	if needs.Message <= state.Room.FloorSeq {
		return nil
	}
	var row messageRow
	err := a.t.scan(selectMessage, []any{string(a.g.room), needs.Message}, row.fields()...)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	if state.Message, err = fromMessageRow(&row); err != nil {
		return err
	}
	if a.target = state.Message; needs.Reaction == "" {
		return nil
	}
	state.Reacted, err = a.reacted(needs)
	return err
}

func (a *acting) reacted(needs biz.ActNeeds) (bool, error) {
	var one int
	err := a.t.scan(selectReacted, []any{string(a.g.room), needs.Message, string(a.e.draft.Sender), needs.Reaction}, &one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// applyEdit does to the message what a plan says. It is the first of a plan to be applied, and what it returns of
// biz refuses the act, so that nothing may be written before. The event, if there is one, will have the seq that
// follows a.g.head.
func (a *acting) applyEdit(plan *biz.ActPlan) error {
	if plan.Edit == nil {
		return nil
	}
	r, err := a.revise(plan)
	if err != nil {
		return err
	}
	if err := r.store(); err != nil {
		return err
	}
	switch {
	case r.now.State.Recalled:
		return r.erase()
	case plan.Edit.Replace:
		return r.repeat()
	case plan.Edit.React != "":
		return r.react()
	}
	return nil
}
