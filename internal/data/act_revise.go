package data

import (
	"errors"

	"github.com/game-im/hermod/internal/biz"
)

// revising is a message that becomes another.
type revising struct {
	*acting
	edit  *biz.Edit
	now   biz.Message // as it is then
	event int64       // seq of what tells of it
	told  []byte      // if it is recalled: the content of events that have repeated what it said
}

// revise returns the message of a plan as it will be.
func (a *acting) revise(plan *biz.ActPlan) (*revising, error) {
	if plan.Event == nil || a.target == nil {
		return nil, internal(errors.New("a message changes and nobody is told, or it was not read"))
	}
	r := &revising{acting: a, edit: plan.Edit, now: *a.target, event: a.g.head + 1}
	state := plan.Edit.State
	if state.Recalled && state.RecallSeq == 0 {
		state.RecallSeq = r.event
	}
	r.now.State = &state
	if e := plan.Edit; e.Replace {
		r.now.Content, r.now.Metadata, r.now.Mentions = e.Content, e.Metadata, e.Mentions
	}
	if !state.Recalled {
		return r, nil
	}
	var err error
	if r.told, err = a.c.events(biz.Event{Type: biz.EventEdited, Target: r.now.Seq, State: state}); err != nil {
		return nil, internal(err)
	}
	return r, nil
}

const (
	updateContent = `UPDATE messages SET content = ?, metadata = ?, extras = ? WHERE room_id = ? AND seq = ?`
	updateExtras  = `UPDATE messages SET extras = ? WHERE room_id = ? AND seq = ?`
)

// store writes the message in its place.
func (r *revising) store() error {
	x := nullable(encodeExtras(&r.now))
	if !r.edit.Replace {
		_, err := r.t.exec(updateExtras, x, string(r.g.room), r.now.Seq)
		return err
	}
	metadata, err := encodeMetadata(r.now.Metadata)
	if err != nil {
		return internal(err)
	}
	_, err = r.t.exec(updateContent, notNil(r.now.Content), nullable(metadata), x, string(r.g.room), r.now.Seq)
	return err
}

const (
	deleteReactions = `DELETE FROM reactions WHERE room_id = ? AND seq = ?`
	deleteReaction  = deleteReactions + ` AND user_id = ? AND reaction = ?`
	deleteMentions  = `DELETE FROM mentions WHERE room_id = ? AND seq = ?`
	deleteExpiry    = `DELETE FROM expiries WHERE room_id = ? AND seq = ?`
	deleteRepeats   = `DELETE FROM message_events WHERE room_id = ? AND seq = ?`
	updateRepeats   = `UPDATE messages SET content = ?, extras = NULL WHERE room_id = ? AND seq IN
		(SELECT event FROM message_events WHERE room_id = ? AND seq = ?)`
	insertReactionSQL = `INSERT INTO reactions (room_id, seq, event, user_id, reaction, at) VALUES (?, ?, ?, ?, ?, ?)`
	insertRepeatSQL   = `INSERT INTO message_events (room_id, seq, event) VALUES (?, ?, ?)`
)

// erase forgets what the message said and what goes with it. The events that repeated it tell from now on that it was
// recalled: whoever reads them instead of who was there when they came ends with the same.
func (r *revising) erase() error {
	room, seq := string(r.g.room), r.now.Seq
	if _, err := r.t.exec(updateRepeats, r.told, room, room, seq); err != nil {
		return err
	}
	for _, statement := range []string{deleteRepeats, deleteReactions, deleteMentions, deleteExpiry} {
		if _, err := r.t.exec(statement, room, seq); err != nil {
			return err
		}
	}
	return releaseAudios(r.t, room, seq)
}

// repeat notes that the event repeats what the message says now, whom that mentions and what it refers to.
func (r *revising) repeat() error {
	room, seq := string(r.g.room), r.now.Seq
	if _, err := r.t.exec(insertRepeatSQL, room, seq, r.event); err != nil {
		return err
	}
	if len(r.target.Mentions) > 0 {
		if _, err := r.t.exec(deleteMentions, room, seq); err != nil {
			return err
		}
	}
	for _, u := range r.now.Mentions {
		if _, err := r.t.exec(insertMention, string(u), room, seq, string(r.now.Sender)); err != nil {
			return err
		}
	}
	return referAnew(r.t, &r.now, r.acting.now)
}

// react notes a reaction of the sender, or takes it away.
func (r *revising) react() error {
	room, user := string(r.g.room), string(r.e.draft.Sender)
	if r.edit.Unreact {
		_, err := r.t.exec(deleteReaction, room, r.now.Seq, user, r.edit.React)
		return err
	}
	_, err := r.t.exec(insertReactionSQL, room, r.now.Seq, r.event, user, r.edit.React, r.acting.now.UnixMicro())
	return err
}
