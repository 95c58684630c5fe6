package gateway

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/node"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/realtime/transport"
)

const (
	// flushWindow is how long a client that has ended its half of a connection may take to read what
	// is still on its way to it.
	flushWindow = 2 * time.Second
	// maxBeforeStart bounds how many frames a client may send before a session exists.
	maxBeforeStart = 16
)

// Config is the node's settings for gateway sessions.
type Config struct {
	Heartbeat      time.Duration // advertised to clients
	StartTimeout   time.Duration // from the connection to a START that is accepted
	RequestTimeout time.Duration // for the services to answer one request
	MaxRequests    int           // of one session that wait for their turn
	SendsPerSecond float64       // business requests of one session; 0: no limit
	SendBurst      int
	Devices        Devices
	MaxDevices     int // with Allow
}

// Authenticator tells who clients are.
type Authenticator interface {
	// Prove returns who is behind a token that START brought with an openid and a device.
	Prove(ctx context.Context, token string, user biz.UserID, device biz.DeviceID) (biz.Identity, error)
	// Refresh returns the identity that a new token of a live session proves. It is an error if that is
	// somebody else than the session's.
	Refresh(ctx context.Context, held biz.Identity, token string) (biz.Identity, error)
}

// Handler serves gateway sessions on connections of any transport.
type Handler struct {
	node     *node.Node
	pushes   *biz.Pushes
	upstream biz.Upstream
	actions  Actions // nil: none
	auth     Authenticator
	cfg      atomic.Pointer[Config]
	metrics  metrics
	log      *slog.Logger
	moves    *protocol.Moves // nil: sessions stay on this node
	turns    turns           // held while a session of the user opens
}

// NewHandler returns a Handler. The node need not have actions of its own.
func NewHandler(n *node.Node, pushes *biz.Pushes, up biz.Upstream, own Actions, auth Authenticator, cfg Config, log *slog.Logger) *Handler {
	h := &Handler{
		node: n, pushes: pushes, upstream: up, actions: own, auth: auth, metrics: newMetrics(), log: log,
	}
	h.SetConfig(cfg)
	n.HandleApart(node.KindSupersede, maxHearing, h.hearRivals) // ending a session may wait for the broker
	n.Recheck(h.recheckRivals)
	return h
}

// SetConfig replaces the settings: those of devices, and what clients are told, for sessions that open
// from then on, the others for all.
func (h *Handler) SetConfig(cfg Config) { h.cfg.Store(&cfg) }

// StartTimeout is how long a client may take to say who it is, as SetConfig was last told.
func (h *Handler) StartTimeout() time.Duration { return h.cfg.Load().StartTimeout }

// Serve runs a client's connection until it ends and returns why: nil after a clean end by the
// client. It writes ServerPush frames of o.Format, each with its number, and reads one ClientRequest
// of that format from each frame that conn.Read returns. The caller closes the connection. A session
// ends with STOP; when its connection ends in any other way, it waits for its client.
func (h *Handler) Serve(ctx context.Context, conn transport.Conn, o Opening) error {
	l, err := h.Open(ctx, conn, o)
	if l == nil {
		return err
	}
	return l.Serve(ctx)
}

// Live is a session on one of its connections. It belongs to the goroutine that reads the connection,
// which calls Take with each thing that it read, and in the end End.
type Live struct {
	reader  reader
	conn    transport.Conn
	stopped bool
}

// Open is the first part of Serve, for those who read the connection themselves; nil means that this
// was all.
func (h *Handler) Open(ctx context.Context, conn transport.Conn, o Opening) (*Live, error) {
	s, err := h.await(ctx, conn, o)
	switch {
	case errors.Is(err, io.EOF):
		return nil, nil //nolint:nilnil // the client came and went: neither a session nor a failure
	case err != nil:
		return nil, err
	}
	r := reader{h: h, session: s, life: lifeOf(s), codec: codecOf(o.Format), transport: o.Transport}
	return &Live{reader: r, conn: conn}, nil
}

// Serve reads the connection until it ends, or the session, and returns why: nil after a clean end by
// the client.
func (l *Live) Serve(ctx context.Context) error {
	whole := false
	defer func() {
		if !whole { // a panic
			l.Lost()
		}
	}()
	var err error
	for {
		var data []byte
		if data, err = l.conn.Read(); err != nil || l.Take(ctx, data) {
			break
		}
	}
	err = l.End(err)
	whole = true
	return err
}

// Take handles what the client has sent, and tells whether the client has ended its session.
func (l *Live) Take(ctx context.Context, data []byte) (over bool) {
	l.stopped = l.reader.take(ctx, data)
	return l.stopped
}

// End follows the last Take, with the error of the read after it, and returns why the connection has
// ended: nil for a clean end by the client.
func (l *Live) End(err error) error {
	defer l.Lost()
	switch {
	case l.stopped:
		l.reader.h.node.End(l.reader.session, transport.Ended)
		return nil
	case errors.Is(err, io.EOF):
		l.reader.finish()
		return nil
	}
	return err
}

// Lost gives the connection up. The session waits for its client.
func (l *Live) Lost() { l.reader.h.node.Done(l.reader.session, l.conn, transport.ConnLost) }

// await reads from a new connection until its client has said who it is. What is refused meanwhile is
// numbered from 1, and is no part of a session.
func (h *Handler) await(ctx context.Context, conn transport.Conn, o Opening) (*session.Session, error) {
	timeout := time.AfterFunc(h.cfg.Load().StartTimeout, func() { conn.Close(transport.NotStarted) })
	defer timeout.Stop()
	number := uint64(0)
	for range maxBeforeStart {
		data, err := conn.Read()
		if err != nil {
			return nil, err
		}
		s, refusal := h.first(ctx, conn, o, data)
		if s != nil {
			return s, nil
		}
		if refusal == nil {
			continue
		}
		number++
		h.metrics.starts.WithLabelValues(o.Transport, "refused").Inc()
		enc, err := frame.New(refusal).In(o.Format)
		if err != nil {
			return nil, err
		}
		if err := conn.Write([]transport.Outgoing{{Frame: enc, Link: number}}); err != nil {
			return nil, err
		}
	}
	why := transport.BadRequest.Because("%d frames, and none of them started a session", maxBeforeStart)
	conn.Close(why)
	return nil, why
}

// first handles a frame of a connection that has no session yet. What is never answered, such as the
// acknowledgment of a refusal, gives neither a session nor a refusal.
func (h *Handler) first(ctx context.Context, conn transport.Conn, o Opening, data []byte) (*session.Session, *outgoing) {
	c := codecOf(o.Format)
	req, wrong := c.request(data)
	if wrong != nil {
		return nil, h.refusal(0, wrong)
	}
	switch req.GetType() {
	case gatewayv1.RequestType_REQUEST_ACK, gatewayv1.RequestType_REQUEST_STOP:
		return nil, nil
	}
	start, wrong := h.startOf(c, req)
	if wrong != nil {
		return nil, h.refusal(req.GetMsgId(), wrong)
	}
	n := &newcomer{conn: conn, format: o.Format, msgID: req.GetMsgId(), start: start}
	err := h.bearable()
	if err == nil {
		err = h.identify(ctx, n, o.Identity)
	}
	var s *session.Session
	var result string
	if err == nil {
		s, result, err = h.admit(ctx, n)
	}
	if err != nil {
		refused := biz.AsError(err)
		if refused.Kind == biz.KindInternal {
			h.log.Error("a session could not be opened", "remote", o.Remote, "error", err)
		}
		return nil, &outgoing{msgID: req.GetMsgId(), body: &gatewayv1.StartResponse{Error: errorMessage(refused)}, headers: advice(refused)}
	}
	h.metrics.starts.WithLabelValues(o.Transport, result).Inc()
	h.inherit(ctx, n, s)
	return s, nil
}

// bearable is an error when the node gets more requests than it takes.
func (h *Handler) bearable() error {
	if refused := h.node.Core().Load.Request(); refused != nil {
		return protocol.Overloaded(refused)
	}
	return nil
}

// startOf returns the StartRequest that every connection begins with.
func (h *Handler) startOf(c codec, req *gatewayv1.ClientRequest) (*gatewayv1.StartRequest, *biz.Error) {
	if req.GetType() != gatewayv1.RequestType_REQUEST_START {
		return nil, biz.Errorf(biz.KindPermissionDenied, "NOT_STARTED", "the first request of a connection must be START")
	}
	if req.GetSeqId() != 0 {
		return nil, biz.Errorf(biz.KindInvalid, "INVALID_SEQUENCE", "seq_id of START is %d; it must be 0", req.GetSeqId())
	}
	start, err := c.start(req)
	if err == nil && start.GetOpenid() == "" {
		err = biz.Errorf(biz.KindInvalid, "INVALID_ARGUMENT", "openid is empty")
	}
	return start, err
}

// refusal counts a failure and makes the ERROR frame that tells of it.
func (h *Handler) refusal(msgID uint32, err *biz.Error) *outgoing {
	m := errorMessage(err)
	h.metrics.refused(m.GetErrorCode())
	return &outgoing{msgID: msgID, body: m, headers: advice(err)}
}

// refuse tells the client of a session that something was refused.
func (h *Handler) refuse(s *session.Session, msgID uint32, err *biz.Error) {
	h.logFault(s, err)
	s.Reply(frame.New(h.refusal(msgID, err)))
}

// refuseRequest does so with a business request whose number is used up.
func (h *Handler) refuseRequest(s *session.Session, req *gatewayv1.ClientRequest, err *biz.Error) {
	h.logFault(s, err)
	s.Answer(req.GetSeqId(), frame.New(h.refusal(req.GetMsgId(), err)))
}

// logFault logs what is a fault of the node. That services fail is counted, and the breakers tell of it.
func (h *Handler) logFault(s *session.Session, err *biz.Error) {
	if err.Kind == biz.KindInternal && err.Reason != biz.ReasonUpstreamFailed {
		h.log.Error("a request could not be handled", "session", s.ID, "user", s.User, "error", err)
	}
}
