package im

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"golang.org/x/time/rate"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/imcall"
	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/session"
)

// maxInFlight bounds the sends of one connection that have no outcome yet; a client that has more
// is not read from until some have.
const maxInFlight = 256

// reader handles what one connection's client writes. All but settled sends happen in the goroutine
// that reads.
type reader struct {
	h        *Handler
	session  *session.Session
	identity *biz.Identity // not changed, but replaced
	room     biz.RoomID    // for messages that name none
	format   *frame.Format

	// Made when the client sends something for the first time: many only read.
	limit    *rate.Limiter
	limited  *Config       // what limit was set to
	inFlight chan struct{} // a place for each send without an outcome
}

func readerOf(h *Handler, s *session.Session, o Opening) reader {
	return reader{h: h, session: s, identity: o.holder, room: o.Room, format: o.Format}
}

// admit waits until the client may have another send in flight. It is an error when the client sends
// more than it may, or the node gets more than it takes.
func (r *reader) admit() *biz.Error {
	if r.inFlight == nil {
		r.inFlight = make(chan struct{}, maxInFlight)
	}
	if cfg := r.h.cfg.Load(); cfg != r.limited {
		r.setLimit(cfg)
	}
	if !r.limit.Allow() {
		return biz.Errorf(biz.KindResourceLimit, "RATE_LIMITED", "more than %g messages per second; slow down and send it again", r.limited.SendsPerSecond)
	}
	if refused := r.h.node.Core().Load.Request(); refused != nil {
		return protocol.Overloaded(refused)
	}
	r.inFlight <- struct{}{}
	return nil
}

// setLimit starts the limit, or changes it: what the client has saved up stays, up to the new burst.
func (r *reader) setLimit(cfg *Config) {
	limit := rate.Limit(cfg.SendsPerSecond)
	if limit <= 0 {
		limit = rate.Inf
	}
	if r.limit == nil {
		r.limit = rate.NewLimiter(limit, cfg.SendBurst)
	} else {
		r.limit.SetLimit(limit)
		r.limit.SetBurst(cfg.SendBurst)
	}
	r.limited = cfg
}

func (r *reader) take(ctx context.Context, data []byte) {
	req, err := request(r.format, data)
	if err != nil {
		r.refuse(req, biz.AsError(err))
		return
	}
	r.handle(ctx, req)
}

func (r *reader) handle(ctx context.Context, req *imv1.MessageRequest) {
	r.session.Heard()
	switch req.GetType() {
	case imv1.MessageType_MESSAGE_TYPE_HEARTBEAT:
		r.h.metrics.heartbeats.Inc()
		r.heartbeat(ctx, req)
	case imv1.MessageType_MESSAGE_TYPE_ACK:
		r.h.metrics.acks.Inc()
		r.ack(req)
	case imv1.MessageType_MESSAGE_TYPE_EPHEMERAL:
		r.h.metrics.ephemerals.Inc()
		r.tell(ctx, req)
	case imv1.MessageType_MESSAGE_TYPE_PRESENCE:
		r.h.metrics.presences.Inc()
		r.watch(req)
	default:
		r.h.metrics.sends.Inc()
		r.send(ctx, req)
	}
}

func (r *reader) heartbeat(ctx context.Context, req *imv1.MessageRequest) {
	if token := req.GetMetadata()["authorization"]; token != "" {
		id, err := r.h.auth.Refresh(ctx, *r.identity, strings.TrimPrefix(token, "Bearer "))
		if err != nil {
			r.refuse(req, biz.AsError(err))
			return
		}
		r.identity = &id
		r.session.SetExpiry(id.Expiry)
	}
	if err := r.look(req.GetMetadata()[keyPresence]); err != nil {
		r.refuse(req, err)
		return
	}
	r.session.Reply(frame.New(&protocol.Heartbeat{Content: req.GetContent(), Time: time.Now()}))
}

// ack notes what the client has received: every frame up to a number, or a message with all before
// it in its room.
func (r *reader) ack(req *imv1.MessageRequest) {
	if s, ok := req.GetMetadata()["link-seq"]; ok {
		link, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			r.refuse(req, biz.Errorf(biz.KindInvalid, "INVALID_ARGUMENT", "metadata link-seq: %q is not a number", s))
			return
		}
		r.session.AckLink(link)
		return
	}
	content, err := ackContent(req.GetContent())
	if err != nil {
		r.refuse(req, err)
		return
	}
	for _, channel := range r.session.Channels() {
		room, ok := protocol.RoomOf(channel)
		if !ok || req.GetRoomId() != "" && req.GetRoomId() != string(room) {
			continue
		}
		if seq, ok := biz.SeqOfMessageID(content.GetOriginalMessageId(), room); ok {
			r.session.Ack(channel, seq)
			return
		}
	}
	// An id of a room that the session does not follow, or of something without a place in a log:
	// there is nothing to move, and the client did nothing wrong.
}

// ackContent reads an AckContent in protobuf or, as scripts write it, in JSON.
func ackContent(content []byte) (*imv1.AckContent, *biz.Error) {
	c := &imv1.AckContent{}
	var err error
	if json.Valid(content) { // which no AckContent in protobuf is, whatever its first bytes look like
		err = protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(content, c)
	} else {
		err = proto.Unmarshal(content, c)
	}
	if err != nil || c.GetOriginalMessageId() == "" {
		return nil, biz.Errorf(biz.KindInvalid, "INVALID_ARGUMENT", "an ACK needs metadata link-seq, or an AckContent with original_message_id as its content")
	}
	return c, nil
}

// send hands a message on. Its outcome reaches the client as an ACK: a refusal always, anything
// else if the client asked for it.
func (r *reader) send(ctx context.Context, req *imv1.MessageRequest) {
	if err := r.admit(); err != nil {
		r.refuse(req, err)
		return
	}
	d := &biz.Draft{
		Message: biz.Message{
			Room:     biz.RoomID(req.GetRoomId()),
			Sender:   biz.UserID(req.GetUserId()),
			ClientID: req.GetMessageId(),
			Type:     biz.MessageType(req.GetType()),
			Content:  req.GetContent(),
			Metadata: req.GetMetadata(),
			ReplyTo:  req.GetReplyToSeq(),
			Mentions: imcall.Mentions(req.GetMentions()),
		},
		Origin:    biz.SessionID(r.session.ID),
		ExpiresIn: imcall.ExpiresIn(req.GetExpiresInSeconds()),
	}
	switch to := biz.UserID(req.GetToUserId()); {
	case to != "":
		if err := r.h.rooms.Address(ctx, *r.identity, d, to); err != nil {
			r.refuse(req, biz.AsError(err))
			<-r.inFlight
			return
		}
	case d.Room == "":
		d.Room = r.room
	}
	r.h.messages.Send(ctx, *r.identity, d, func(receipt biz.Receipt, err error) {
		switch {
		case err != nil:
			r.refuse(req, biz.AsError(err))
		case receipt.Duplicate && r.session.Replies:
			r.session.Reply(frame.New(&protocol.Ack{Room: d.Room, ClientID: d.ClientID, Receipt: receipt}))
		}
		<-r.inFlight
	})
}

func (r *reader) refuse(req *imv1.MessageRequest, err *biz.Error) {
	r.h.metrics.refusals.WithLabelValues(err.Reason).Inc()
	if err.Kind == biz.KindInternal {
		r.h.log.Error("a message could not be handled", "session", r.session.ID, "user", r.session.User, "error", err)
	}
	r.session.Reply(frame.New(&protocol.Ack{Room: biz.RoomID(req.GetRoomId()), ClientID: req.GetMessageId(), Err: err}))
}

// settle waits until every send has its outcome, and tells whether that came in time.
func (r *reader) settle(timeout <-chan time.Time) bool {
	for range cap(r.inFlight) {
		select {
		case r.inFlight <- struct{}{}:
		case <-timeout:
			return false
		}
	}
	return true
}

// finish lets the last answers reach a client that has ended its half of the stream.
func (r *reader) finish() {
	timeout := time.NewTimer(flushWindow)
	defer timeout.Stop()
	if r.settle(timeout.C) {
		select {
		case <-r.session.Drained():
		case <-timeout.C:
		}
	}
	r.session.Heard() // the end of its half is the last thing heard from the client
}
