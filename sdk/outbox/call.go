package outbox

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/sdk/upstream"
)

// verdict is what an attempt means for its item.
type verdict struct {
	fate   fate
	reason string
	detail string
	seq    int64
	// definite is set when a repetition under the same key would get the same answer.
	definite bool
	advice   time.Duration // when Hermod says to come again; 0: it does not say
	unasked  bool          // Hermod was not called
}

type fate int

const (
	sent    fate = iota
	missed       // the push has ended otherwise
	refused      // for good
	failed       // by a fault that may be the item's
	silent       // no answer, which may be the item's fault as well
	away         // Hermod is unavailable, or does not know the service: no item's fault
)

// The pushes that have ended, though nobody has them. Unknown is one: to push again might be twice.
var ends = []error{upstream.ErrTargetOffline, upstream.ErrTargetNotFound, upstream.ErrExpired, upstream.ErrUnknown}

// attempt calls Hermod for an entry, and takes no longer than the timeout.
func (r *Relay) attempt(ctx context.Context, e entry, item Item) verdict {
	switch item := item.(type) {
	case Message:
		ctx, cancel := context.WithTimeout(ctx, r.opts.CallTimeout)
		defer cancel()
		return r.send(ctx, item)
	case Push:
		ctx, cancel := context.WithTimeout(ctx, r.opts.CallTimeout+item.WaitForAck)
		defer cancel()
		return r.push(ctx, e, item)
	}
	return verdict{fate: refused, reason: ReasonUnreadable}
}

func (r *Relay) send(ctx context.Context, m Message) verdict {
	if r.opts.TokenSource != nil {
		token, err := r.opts.TokenSource(ctx)
		if err != nil {
			return verdict{fate: away, reason: "NO_TOKEN", detail: err.Error()}
		}
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
	}
	resp, err := r.clients.IM.SendMessage(ctx, m.request())
	if err != nil {
		return judge(err)
	}
	return verdict{fate: sent, seq: resp.GetSeq()}
}

func (m Message) request() *imv1.SendMessageRequest {
	kind := m.Type
	if kind == imv1.MessageType_MESSAGE_TYPE_UNSPECIFIED {
		kind = imv1.MessageType_MESSAGE_TYPE_TEXT
	}
	return &imv1.SendMessageRequest{
		MessageId: m.ID, UserId: m.UserID, RoomId: m.RoomID, ToUserId: m.ToUserID, Type: kind, Content: m.Content, Metadata: m.Metadata,
		AckRequired: m.AckRequired, ReplyToSeq: m.ReplyToSeq, Mentions: m.Mentions,
		ExpiresInSeconds: int64((m.ExpireAfter + time.Second - 1) / time.Second),
	}
}

func (r *Relay) push(ctx context.Context, e entry, p Push) verdict {
	options, alive := p.options(e)
	if !alive {
		return verdict{fate: missed, unasked: true, reason: upstream.ErrExpired.Code, detail: "its TTL was over before it was sent"}
	}
	if p.TTL > 0 && time.Since(time.UnixMilli(e.AddedAt)) >= p.TTL { // Hermod would count from the first attempt it hears of
		return verdict{fate: missed, unasked: true, reason: upstream.ErrUnknown.Code, detail: "its TTL was over before there was an answer"}
	}
	_, err := r.clients.Gateway.Push(ctx, p.To, p.Notification, options...)
	var refusal *upstream.PushError
	switch {
	case err == nil:
		return verdict{fate: sent}
	case errors.Is(err, upstream.ErrNotConnected):
		return verdict{fate: away, reason: "NOT_CONNECTED", detail: err.Error()}
	case errors.Is(err, upstream.ErrNoToken):
		return verdict{fate: away, reason: "NO_TOKEN", detail: err.Error()}
	case !errors.As(err, &refusal) || errors.Unwrap(refusal) != nil:
		return judge(err)
	case slices.ContainsFunc(ends, func(end error) bool { return errors.Is(err, end) }):
		return verdict{fate: missed, reason: refusal.Code, detail: refusal.Message}
	case errors.Is(err, upstream.ErrTargetSlow), refusal.Code == "PUSH_FAILED":
		return verdict{fate: failed, reason: refusal.Code, detail: refusal.Message, definite: true}
	}
	return verdict{fate: refused, reason: refusal.Code, detail: refusal.Message, definite: true}
}

// options are the same at every attempt under one key, or Hermod would take it for another push: the rest of the TTL is that of
// the first attempt. alive is false when there was none left.
func (p Push) options(e entry) (options []upstream.CallOption, alive bool) {
	key := p.ID
	if e.Round > 0 {
		key += "#" + strconv.Itoa(e.Round+1)
	}
	options = []upstream.CallOption{upstream.IdempotencyKey(key)}
	if p.To.Type == "openid" && !p.OnlineOnly {
		options = append(options, upstream.StoreOffline())
	}
	if p.WaitForAck > 0 {
		options = append(options, upstream.WaitForAck(p.WaitForAck))
	}
	if p.TTL > 0 {
		left := p.TTL - time.Duration(max(0, e.TriedAt-e.AddedAt))*time.Millisecond
		options, alive = append(options, upstream.TTL(left)), left > 0
		return options, alive
	}
	return options, true
}

// judge tells what the error of a call means.
func judge(err error) verdict {
	s, ok := status.FromError(err)
	v := verdict{reason: s.Code().String(), detail: s.Message()}
	for _, d := range s.Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			v.reason = d.GetReason()
		case *errdetails.RetryInfo:
			v.advice = d.GetRetryDelay().AsDuration()
		}
	}
	v.fate = refused
	switch {
	case errors.Is(err, context.DeadlineExceeded) || s.Code() == codes.DeadlineExceeded:
		v.fate = silent
	case !ok: // it has not left this process
		v.fate, v.detail = away, err.Error()
	default:
		if fate, known := fates[s.Code()]; known {
			v.fate = fate
		}
	}
	return v
}

// fates are the codes that do not find fault with the call for good.
var fates = map[codes.Code]fate{
	codes.Unavailable:       away,
	codes.Canceled:          away,
	codes.Unauthenticated:   away,
	codes.Unimplemented:     away,
	codes.ResourceExhausted: failed,
	codes.Internal:          failed,
	codes.Unknown:           failed,
	codes.DataLoss:          failed,
}
