package imcall

import (
	"time"

	"google.golang.org/protobuf/proto"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
)

// ExpiresIn is how long a message is to last, of what a sender asks for in seconds. What no duration can hold becomes
// what the rules refuse.
func ExpiresIn(seconds int64) time.Duration {
	const beyond = int64(biz.MaxExpiry/time.Second) + 1
	return time.Duration(max(min(seconds, beyond), -1)) * time.Second
}

// Transcribed is the AudioContent of a recording with what is said in it. changed is false when it is nothing else
// then, or content is no AudioContent of that recording. It is a biz.TranscriptEncoder.
func Transcribed(content []byte, audio biz.AudioID, text string) (with []byte, changed bool) {
	c := &imv1.AudioContent{}
	if proto.Unmarshal(content, c) != nil || c.GetAudioId() != string(audio) || c.GetTranscription() == text {
		return content, false
	}
	c.Transcription = text
	with, err := proto.MarshalOptions{Deterministic: true}.Marshal(c)
	if err != nil { // a text that is not UTF-8
		return content, false
	}
	return with, true
}

// EditOf is what an EditMessage asks for.
func EditOf(req *imv1.EditMessageRequest) biz.EditRequest {
	return biz.EditRequest{
		Room: biz.RoomID(req.GetRoomId()), User: biz.UserID(req.GetUserId()), Seq: req.GetSeq(),
		Content: req.GetContent(), Metadata: req.GetMetadata(), Mentions: Mentions(req.GetMentions()),
		ClientID: req.GetMessageId(), IfVersion: req.GetIfVersion(),
	}
}

// Edited answers an EditMessage.
func Edited(r biz.Revised) *imv1.EditMessageResponse {
	return &imv1.EditMessageResponse{Status: OK(), Seq: r.Seq, State: State(&r.State)}
}

// RecallOf is what a RecallMessage asks for.
func RecallOf(req *imv1.RecallMessageRequest) biz.RecallRequest {
	return biz.RecallRequest{
		Room: biz.RoomID(req.GetRoomId()), User: biz.UserID(req.GetUserId()), Seq: req.GetSeq(), Reason: req.GetReason(),
	}
}

// Recalled answers a RecallMessage.
func Recalled(r biz.Revised) *imv1.RecallMessageResponse {
	return &imv1.RecallMessageResponse{Status: OK(), Seq: r.Seq, State: State(&r.State)}
}

// ReactOf is what a React asks for.
func ReactOf(req *imv1.ReactRequest) biz.ReactRequest {
	return biz.ReactRequest{
		Room: biz.RoomID(req.GetRoomId()), User: biz.UserID(req.GetUserId()), Seq: req.GetSeq(),
		Reaction: req.GetReaction(), Remove: req.GetRemove(),
	}
}

// Reacted answers a React.
func Reacted(r biz.Revised) *imv1.ReactResponse {
	return &imv1.ReactResponse{Status: OK(), Seq: r.Seq, State: State(&r.State)}
}

// ReactionsOf is what a ListReactions asks for.
func ReactionsOf(req *imv1.ListReactionsRequest) biz.ReactionsRequest {
	return biz.ReactionsRequest{
		Room: biz.RoomID(req.GetRoomId()), User: biz.UserID(req.GetUserId()), Seq: req.GetSeq(),
		Limit: int(req.GetLimit()), Token: req.GetPageToken(),
	}
}

// Reactions answers a ListReactions.
func Reactions(p biz.ReactionsPage) *imv1.ListReactionsResponse {
	out := &imv1.ListReactionsResponse{Status: OK(), NextPageToken: p.Next}
	for _, r := range p.Reactions {
		out.Reactions = append(out.Reactions, &imv1.UserReaction{UserId: string(r.User), Reaction: r.Reaction, At: timestamp(r.At)})
	}
	return out
}
