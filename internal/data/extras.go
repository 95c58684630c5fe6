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
func encodeExtras(m *biz.Message) []byte {
	if m.ReplyTo == 0 && len(m.Mentions) == 0 && m.ExpiresAt.IsZero() && m.State == nil {
		return nil
	}
	b, err := json.Marshal(extras{
		ReplyTo: m.ReplyTo, Mentions: m.Mentions, Expires: toMicros(m.ExpiresAt), State: toMessageState(m.State),
	})
	if err != nil { // of numbers and texts, which JSON has for all of
		panic(err)
	}
	return b
}

// decodeExtras puts what is stored into m.
func decodeExtras(b []byte, m *biz.Message) error {
	if len(b) == 0 {
		return nil
	}
	var x extras
	if err := json.Unmarshal(b, &x); err != nil {
		return biz.Errorf(biz.KindInternal, "STORE_CORRUPT", "what is stored of message %d of room %q cannot be read", m.Seq, m.Room).Because(err)
	}
	m.ReplyTo, m.Mentions, m.ExpiresAt, m.State = x.ReplyTo, x.Mentions, fromMicros(x.Expires), x.State.state()
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
