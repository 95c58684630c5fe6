package imcall

import (
	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
)

// Event is an event as the content of a SYSTEM message.
func Event(e *biz.Event) *imv1.SystemContent {
	c := &imv1.SystemContent{
		EventType: string(e.Type), EventData: e.Data, TargetSeq: e.Target,
		Content: e.Content, Metadata: e.Metadata, Reaction: e.Reaction,
	}
	if e.Target > 0 {
		c.State = State(&e.State)
	}
	if e.Member != nil {
		c.Member = roomUser(e.Member)
	}
	if e.Room != nil {
		c.Room = roomInfo(*e.Room)
	}
	return c
}

// State is what has become of a message, nil for nothing.
func State(s *biz.MessageState) *imv1.MessageState {
	if s == nil || s.Version == 0 {
		return nil
	}
	out := &imv1.MessageState{
		Version: s.Version, Edits: int32(s.Edits), EditedAt: timestamp(s.EditedAt),
		Recalled: s.Recalled, RecalledBy: string(s.RecalledBy), RecalledAt: timestamp(s.RecalledAt),
	}
	for _, r := range s.Reactions {
		out.Reactions = append(out.Reactions, &imv1.ReactionCount{Reaction: r.Reaction, Users: int32(r.Users)})
	}
	return out
}
