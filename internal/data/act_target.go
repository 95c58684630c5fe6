package data

import (
	"database/sql"
	"errors"

	"github.com/game-im/hermod/internal/biz"
)

const selectMessage = `SELECT ` + messageColumns + ` FROM messages WHERE room_id = ? AND seq = ?`

// readTarget reads the message that an act is about. One of the same batch has to be written first.
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
	state.Message, err = fromMessageRow(&row)
	return err
}

// applyEdit does to the message what a plan says. It is the first of a plan to be applied, and what it returns of
// biz refuses the act, so that nothing may be written before. The event, if there is one, will have the seq that
// follows a.g.head.
func (a *acting) applyEdit(plan *biz.ActPlan) error {
	if plan.Edit == nil {
		return nil
	}
	return internal(errors.New("this store cannot change messages"))
}
