package protocol

import (
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/imcall"
	"github.com/game-im/hermod/internal/protocol/wire"
)

func toWireMessage(m *biz.Message) *wire.Message {
	return &wire.Message{
		Id: m.ID, Room: string(m.Room), Seq: m.Seq, Sender: string(m.Sender), ClientId: m.ClientID, Type: int32(m.Type),
		Content: m.Content, Metadata: m.Metadata, AckRequired: m.AckRequired, Time: nanoseconds(m.Time),
		ReplyTo: m.ReplyTo, Mentions: imcall.Names(m.Mentions), ExpiresAt: nanoseconds(m.ExpiresAt), State: toWireState(m.State),
	}
}

func fromWireMessage(m *wire.Message) *biz.Message {
	return &biz.Message{
		ID: m.GetId(), Room: biz.RoomID(m.GetRoom()), Seq: m.GetSeq(), Sender: biz.UserID(m.GetSender()), ClientID: m.GetClientId(),
		Type: biz.MessageType(m.GetType()), Content: m.GetContent(), Metadata: m.GetMetadata(), AckRequired: m.GetAckRequired(),
		Time: moment(m.GetTime()), ReplyTo: m.GetReplyTo(), Mentions: imcall.Mentions(m.GetMentions()),
		ExpiresAt: moment(m.GetExpiresAt()), State: fromWireState(m.GetState()),
	}
}

func toWireState(s *biz.MessageState) *wire.MessageState {
	if s == nil {
		return nil
	}
	out := &wire.MessageState{
		Version: s.Version, Edits: int64(s.Edits), EditedAt: nanoseconds(s.EditedAt),
		Recalled: s.Recalled, RecalledBy: string(s.RecalledBy), RecalledAt: nanoseconds(s.RecalledAt), RecallSeq: s.RecallSeq,
	}
	for _, r := range s.Reactions {
		out.Reactions = append(out.Reactions, &wire.ReactionCount{Reaction: r.Reaction, Users: int64(r.Users)})
	}
	return out
}

func fromWireState(s *wire.MessageState) *biz.MessageState {
	if s == nil {
		return nil
	}
	out := &biz.MessageState{
		Version: s.GetVersion(), Edits: int(s.GetEdits()), EditedAt: moment(s.GetEditedAt()),
		Recalled: s.GetRecalled(), RecalledBy: biz.UserID(s.GetRecalledBy()), RecalledAt: moment(s.GetRecalledAt()), RecallSeq: s.GetRecallSeq(),
	}
	for _, r := range s.GetReactions() {
		out.Reactions = append(out.Reactions, biz.ReactionCount{Reaction: r.GetReaction(), Users: int(r.GetUsers())})
	}
	return out
}
