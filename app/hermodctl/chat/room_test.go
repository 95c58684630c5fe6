package chat

import (
	"context"
	"fmt"
	"strings"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/client"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// answers are what a room says to what it is asked; what is nil it does not know, as an older node.
type answers struct {
	history  []*imv1.HistoryResponse // one after another
	found    *imv1.SearchResponse
	readers  *imv1.ListReadersResponse
	presence []*imv1.UserPresence
	refuse   error // of changes
}

var tooOld = status.Error(codes.Unimplemented, "unknown method")

// extras shows what a request says besides.
func extras(req *imv1.MessageRequest) string {
	var s string
	if req.GetToUserId() != "" {
		s += " to=" + req.GetToUserId()
	}
	if req.GetReplyToSeq() != 0 {
		s += fmt.Sprint(" reply=", req.GetReplyToSeq())
	}
	if len(req.GetMentions()) > 0 {
		s += fmt.Sprint(" mentions=", req.GetMentions())
	}
	return s
}

// did notes what was asked for.
func (r *room) did(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done = append(r.done, fmt.Sprintf(format, args...))
}

func (r *room) Typing(_ context.Context, room string) error { r.did("typing %s", room); return nil }

func (r *room) EditMessage(_ context.Context, room string, seq int64, e client.Edit) (*imv1.EditMessageResponse, error) {
	r.did("edit %s %d %s %v", room, seq, e.Content, e.Mentions)
	return nil, r.answers.refuse
}

func (r *room) RecallMessage(_ context.Context, room string, seq int64, reason string) (*imv1.RecallMessageResponse, error) {
	r.did("recall %s %d %s", room, seq, reason)
	return nil, r.answers.refuse
}

func (r *room) React(_ context.Context, room string, seq int64, reaction string) (*imv1.ReactResponse, error) {
	r.did("react %s %d %s", room, seq, reaction)
	return nil, r.answers.refuse
}

func (r *room) Unreact(_ context.Context, room string, seq int64, reaction string) (*imv1.ReactResponse, error) {
	r.did("unreact %s %d %s", room, seq, reaction)
	return nil, r.answers.refuse
}

func (r *room) History(_ context.Context, room string, o client.HistoryOptions) (*imv1.HistoryResponse, error) {
	r.did("history %s before %d limit %d", room, o.Before, o.Limit)
	if len(r.answers.history) == 0 {
		return nil, tooOld
	}
	page := r.answers.history[0]
	r.answers.history = r.answers.history[1:]
	return page, nil
}

func (r *room) SearchPage(_ context.Context, q client.SearchQuery) (*imv1.SearchResponse, error) {
	r.did("search %s limit %d", q.Text, q.Limit)
	if r.answers.found == nil {
		return nil, tooOld
	}
	return r.answers.found, nil
}

func (r *room) MarkRead(_ context.Context, room string, seq int64) (*imv1.RoomState, error) {
	r.did("mark %s %d", room, seq)
	return nil, nil //nolint:nilnil // nobody asks
}

func (r *room) ListReaders(_ context.Context, room string, seq int64, _ client.PageOptions) (*imv1.ListReadersResponse, error) {
	r.did("readers %s %d", room, seq)
	if r.answers.readers == nil {
		return nil, tooOld
	}
	return r.answers.readers, nil
}

func (r *room) Presence(_ context.Context, users ...string) ([]*imv1.UserPresence, error) {
	if r.answers.presence == nil {
		return nil, tooOld
	}
	r.did("presence %s", strings.Join(users, " "))
	return r.answers.presence, nil
}

func (r *room) WatchPresence(_ context.Context, _, rooms []string) error {
	r.did("watch %s", strings.Join(rooms, " "))
	return nil
}

// numbered is a message with a place in the room.
func numbered(seq int64, from, content string) *imv1.MessageResponse {
	msg := said(from, content, noon.Add(time.Minute))
	msg.Seq = seq
	return msg
}

// happened is an event of the room.
func happened(seq int64, by string, c *imv1.SystemContent) *imv1.MessageResponse {
	content, err := proto.Marshal(c)
	if err != nil {
		panic(err) // only invalid UTF-8 would be one
	}
	return &imv1.MessageResponse{
		FromUserId: by, RoomId: "lobby", Seq: seq, Type: imv1.MessageType_MESSAGE_TYPE_SYSTEM, Content: content,
		Metadata: map[string]string{metaEvent: c.GetEventType()}, Timestamp: timestamppb.New(noon.Add(time.Minute)),
	}
}

func (r *room) SetAway(_ context.Context, away bool) error { r.did("away %v", away); return nil }
