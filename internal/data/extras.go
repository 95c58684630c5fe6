package data

import (
	"encoding/json"
	"time"

	"github.com/game-im/hermod/internal/biz"
)

// extras is what few messages have: it is kept with a message as a JSON object, and is NULL for all others, which
// costs them nothing. Times are microseconds.
type extras struct {
	ReplyTo  int64         `json:"reply,omitempty"`
	Mentions []biz.UserID  `json:"mentions,omitempty"`
	Expires  int64         `json:"expires,omitempty"`
	State    *messageState `json:"state,omitempty"`
	Then     *then         `json:"then,omitempty"`
}

// then is what the event of an edit says from a moment on, at which the time of the message is over that it is about.
// The eraser puts the same in its place, but only some seconds later.
type then struct {
	From    int64  `json:"from"`
	Content []byte `json:"content"`
}

// messageState is a biz.MessageState.
type messageState struct {
	Version    int64           `json:"v"`
	Edits      int             `json:"edits,omitempty"`
	EditedAt   int64           `json:"edited,omitempty"`
	Recalled   bool            `json:"recalled,omitempty"`
	RecalledBy biz.UserID      `json:"by,omitempty"`
	RecalledAt int64           `json:"at,omitempty"`
	RecallSeq  int64           `json:"seq,omitempty"`
	Reactions  []reactionCount `json:"reactions,omitempty"`
}

type reactionCount struct {
	Reaction string `json:"r"`
	Users    int    `json:"n"`
}

// encodeExtras returns nil when there are none.
func encodeExtras(m *biz.Message) []byte { return encodeEventExtras(m, nil) }

// encodeEventExtras is encodeExtras for an event, which may say something else later.
func encodeEventExtras(m *biz.Message, later *then) []byte {
	if m.ReplyTo == 0 && len(m.Mentions) == 0 && m.ExpiresAt.IsZero() && m.State == nil && later == nil {
		return nil
	}
	b, err := json.Marshal(extras{
		ReplyTo: m.ReplyTo, Mentions: m.Mentions, Expires: toMicros(m.ExpiresAt), State: toMessageState(m.State), Then: later,
	})
	if err != nil { // of numbers and texts, which JSON has for all of
		panic(err)
	}
	return b
}

// decodeExtras puts what is stored into m, and takes from an event what it says no more.
func decodeExtras(b []byte, m *biz.Message) error {
	if len(b) == 0 {
		return nil
	}
	var x extras
	if err := json.Unmarshal(b, &x); err != nil {
		return biz.Errorf(biz.KindInternal, "STORE_CORRUPT", "what is stored of message %d of room %q cannot be read", m.Seq, m.Room).Because(err)
	}
	m.ReplyTo, m.Mentions, m.ExpiresAt, m.State = x.ReplyTo, x.Mentions, fromMicros(x.Expires), x.State.state()
	if x.Then != nil && !time.Now().Before(fromMicros(x.Then.From)) {
		m.Content, m.Mentions, m.ReplyTo = x.Then.Content, nil, 0
	}
	return nil
}

func toMessageState(s *biz.MessageState) *messageState {
	if s == nil || s.Version == 0 {
		return nil
	}
	out := &messageState{
		Version: s.Version, Edits: s.Edits, EditedAt: toMicros(s.EditedAt),
		Recalled: s.Recalled, RecalledBy: s.RecalledBy, RecalledAt: toMicros(s.RecalledAt), RecallSeq: s.RecallSeq,
	}
	for _, r := range s.Reactions {
		out.Reactions = append(out.Reactions, reactionCount(r))
	}
	return out
}

func (s *messageState) state() *biz.MessageState {
	if s == nil {
		return nil
	}
	out := &biz.MessageState{
		Version: s.Version, Edits: s.Edits, EditedAt: fromMicros(s.EditedAt),
		Recalled: s.Recalled, RecalledBy: s.RecalledBy, RecalledAt: fromMicros(s.RecalledAt), RecallSeq: s.RecallSeq,
	}
	for _, r := range s.Reactions {
		out.Reactions = append(out.Reactions, biz.ReactionCount(r))
	}
	return out
}

// asRead is a stored message as it is read now.
func asRead(m *biz.Message) *biz.Message {
	if m.ExpiresAt.IsZero() {
		return m
	}
	return m.At(time.Now())
}
