package im

import (
	"bytes"
	"context"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/imcall"
	"github.com/game-im/hermod/internal/protocol"
)

// keyPresence, on a heartbeat, says whether the user looks.
const keyPresence = "presence"

// tell handles an EPHEMERAL. Only a refusal is answered: there is nothing to be told of what nobody keeps.
func (r *reader) tell(ctx context.Context, req *imv1.MessageRequest) {
	content := &imv1.EphemeralContent{}
	if err := readContent(req.GetContent(), content); err != nil {
		r.refuse(req, err)
		return
	}
	if refused := r.h.node.Core().Load.Request(); refused != nil {
		r.refuse(req, protocol.Overloaded(refused))
		return
	}
	m := &biz.Ephemeral{
		Room: biz.RoomID(req.GetRoomId()), User: biz.UserID(req.GetUserId()), Kind: content.GetKind(), Data: content.GetData(),
		Origin: biz.SessionID(r.session.ID),
	}
	if m.Room == "" {
		m.Room = r.room
	}
	if err := r.h.tells.Send(ctx, *r.identity, m); err != nil {
		r.refuse(req, biz.AsError(err))
	}
}

// watch handles a PRESENCE: whom the client wants to hear of from now on.
func (r *reader) watch(req *imv1.MessageRequest) {
	content := &imv1.PresenceContent{}
	if err := readContent(req.GetContent(), content); err != nil {
		r.refuse(req, err)
		return
	}
	if refused := r.h.node.Core().Load.Request(); refused != nil {
		r.refuse(req, protocol.Overloaded(refused))
		return
	}
	if user := req.GetUserId(); user != "" && user != r.session.User {
		r.refuse(req, biz.Errorf(biz.KindPermissionDenied, "FOREIGN_USER", "user_id is not the session's own"))
		return
	}
	if err := r.h.watches.Watch(r.session, imcall.WatchingOf(content)); err != nil {
		r.refuse(req, biz.AsError(err))
	}
}

// look notes what a heartbeat says of the user; empty: nothing.
func (r *reader) look(presence string) *biz.Error {
	away, err := protocol.LooksAway(presence)
	if err != nil {
		return err
	}
	if presence != "" {
		r.h.node.SetAway(r.session, away)
	}
	return nil
}

// readContent reads a content in protobuf or, as scripts write it, in JSON, which begins with a brace as none of
// these messages does in protobuf.
func readContent(content []byte, into proto.Message) *biz.Error {
	var err error
	if bytes.HasPrefix(content, []byte{'{'}) {
		err = protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(content, into)
	} else {
		err = proto.Unmarshal(content, into)
	}
	if err != nil {
		return biz.Errorf(biz.KindInvalid, "INVALID_ARGUMENT", "the content is not a %s, in protobuf or JSON", into.ProtoReflect().Descriptor().Name())
	}
	return nil
}

func ephemeral(e *biz.Ephemeral) (*imv1.MessageResponse, error) {
	content, err := proto.MarshalOptions{Deterministic: true}.Marshal(&imv1.EphemeralContent{Kind: e.Kind, Data: e.Data})
	return &imv1.MessageResponse{
		FromUserId: string(e.User), RoomId: string(e.Room), Type: imv1.MessageType_MESSAGE_TYPE_EPHEMERAL,
		Content: content, Timestamp: timestamppb.New(e.Time),
	}, err
}

func news(n *protocol.News) (*imv1.MessageResponse, error) {
	c := &imv1.PresenceContent{Users: imcall.Presences(n.Users)}
	for _, r := range n.Counts {
		c.Rooms = append(c.Rooms, &imv1.RoomPresence{RoomId: string(r.Room), OnlineCount: int32(r.Online)})
	}
	content, err := proto.Marshal(c)
	return &imv1.MessageResponse{
		Type: imv1.MessageType_MESSAGE_TYPE_PRESENCE, Content: content, Timestamp: timestamppb.New(n.Time),
	}, err
}
