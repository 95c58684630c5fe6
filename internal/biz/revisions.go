package biz

import (
	"context"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"
)

// RevisionRepo reads what there is about messages that were said. It sees what other nodes have committed.
type RevisionRepo interface {
	// Author returns who sent a message, KindNotFound when it is not kept.
	Author(ctx context.Context, room RoomID, seq int64) (UserID, error)
	// Reactions returns reactions to a message in the order in which they came, those after the one that the
	// event at seq after tells of, and limit of them at most.
	Reactions(ctx context.Context, room RoomID, seq, after int64, limit int) ([]Reaction, error)
	// Due returns messages that are kept and whose time is over at now, the longest overdue first, and limit of them
	// at most.
	Due(ctx context.Context, now time.Time, limit int) ([]Place, error)
	// HeardIn returns the AUDIO messages of a room that refer to a recording.
	HeardIn(ctx context.Context, room RoomID, audio AudioID) ([]int64, error)
}

// Place is where a message is.
type Place struct {
	Room RoomID
	Seq  int64
}

// Revisions is what becomes of messages after they were said: they are edited, recalled and reacted to, and their
// time is over. Each time the room is told, in the order of all that is said there. Safe for concurrent use.
type Revisions struct {
	messages *Messages
	history  *History
	repo     RevisionRepo
	encode   TranscriptEncoder
	log      *slog.Logger
	expired  atomic.Int64
}

// NewRevisions returns the use cases.
func NewRevisions(messages *Messages, history *History, repo RevisionRepo, encode TranscriptEncoder, log *slog.Logger) *Revisions {
	return &Revisions{messages: messages, history: history, repo: repo, encode: encode, log: log}
}

// Revised is what has come of a revision.
type Revised struct {
	Seq   int64 // of the event that the room was told of; 0: nothing has changed
	State MessageState
}

// revision is what acts about a message have in common.
type revision struct {
	actor Actor
	seq   int64 // of the message
	after MessageState
}

// of returns the message that a revision is about, if it is one of those that can be revised. Who is no member learns
// nothing of what the room has.
func (r *revision) of(s *ActState) (*Message, error) {
	switch m := s.Message; {
	case s.Sender == nil && !r.actor.Service:
		return nil, errNotIn(s.Room.ID, r.actor.User)
	case !s.Room.Config.Persistent:
		return nil, errNotPersistent(s.Room.ID)
	case m == nil && r.seq > s.Room.HeadSeq:
		return nil, Errorf(KindNotFound, "MESSAGE_NOT_FOUND", "seq %d is not given out yet; the newest message of room %q is %d", r.seq, s.Room.ID, s.Room.HeadSeq)
	case m == nil:
		return nil, Errorf(KindNotFound, "MESSAGE_NOT_FOUND", "message %d of room %q is no longer kept", r.seq, s.Room.ID)
	case m.tells():
		return nil, Errorf(KindInvalid, "NOT_A_MESSAGE", "message %d of room %q tells of an event, of which it stays", r.seq, s.Room.ID)
	}
	return s.Message, nil
}

// standing returns the message if it can be changed: its content is there, and the sender may speak.
func (r *revision) standing(s *ActState, do Action) (*Message, error) {
	m, err := r.of(s)
	if err != nil {
		return nil, err
	}
	if err := May(r.actor, do, &s.Room, s.Sender, nil); err != nil {
		return nil, err
	}
	if s.Sender != nil && s.Sender.MutedAt(s.Now) {
		return nil, Errorf(KindPermissionDenied, "MUTED", "user %q is muted in room %q", r.actor.User, s.Room.ID)
	}
	if m.State != nil && m.State.Recalled {
		return nil, Errorf(KindInvalid, "MESSAGE_RECALLED", "message %d of room %q was recalled, or its time is over", r.seq, s.Room.ID)
	}
	return m, nil
}

// tells tells whether the message tells of an event.
func (m *Message) tells() bool { return m.Type == TypeSystem && m.Metadata[MetaEventType] != "" }

// event is what the room is told of a revision.
func (r *revision) event(t EventType, data ...string) *Event {
	e := &Event{Type: t, By: r.actor.User, Target: r.seq, State: r.after, Data: map[string]string{"target_seq": strconv.FormatInt(r.seq, 10)}}
	if r.actor.User != "" {
		e.Data["user_id"] = string(r.actor.User)
	}
	for i := 0; i+1 < len(data); i += 2 {
		if data[i+1] != "" {
			e.Data[data[i]] = data[i+1]
		}
	}
	return e
}

// do has an act of somebody decided and stored, and returns the seq of its event.
func (r *Revisions) do(ctx context.Context, d *Draft) (Receipt, error) {
	type outcome struct {
		receipt Receipt
		err     error
	}
	done := make(chan outcome, 1)
	r.messages.log.Append(d, func(receipt Receipt, err error) { done <- outcome{receipt, err} })
	select {
	case o := <-done:
		return o.receipt, o.err
	case <-ctx.Done():
		return Receipt{}, ctx.Err()
	}
}

// checkTarget checks what all requests about a message have.
func checkTarget(room RoomID, seq int64) error {
	if err := checkID("room_id", string(room)); err != nil {
		return err
	}
	if seq <= 0 {
		return Errorf(KindInvalid, "INVALID_ARGUMENT", "seq is %d; messages are numbered from 1", seq)
	}
	return nil
}

// draft is an act of somebody in a room.
func (r *revision) draft(room RoomID, act Act) *Draft {
	return &Draft{Message: Message{Room: room, Sender: r.actor.User, Type: TypeSystem}, Act: act, Service: r.actor.Service}
}

// userOf returns who a request about a message comes from, for whom a service may speak but not for nobody.
func userOf(by Identity, named UserID, room RoomID, seq int64) (Actor, error) {
	if err := checkTarget(room, seq); err != nil {
		return Actor{}, err
	}
	actor, err := ActorOf(by, named)
	if err == nil && actor.User == "" {
		_, err = by.ActAs("") // which says what is missing
	}
	return actor, err
}
