package gateway

import (
	"context"
	"slices"
	"strconv"
	"time"

	gatewayv1 "github.com/game-im/hermod/api/gateway/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/realtime/transport"
)

// newcomer is a client that says who it is.
type newcomer struct {
	conn     transport.Conn
	format   *frame.Format
	msgID    uint32
	start    *gatewayv1.StartRequest
	identity biz.Identity
	channels []string // that the former session followed; nil: it followed no rooms
	replay   func()   // begins with what is kept for the user; nil: the session is not logged in
}

// wantsBack tells whether the client had a session before.
func (n *newcomer) wantsBack() bool {
	return n.start.GetLastAckedSeqId() > 0 || n.start.GetResumeTicket() != ""
}

// identify completes the newcomer: what the transport knows goes before what START says.
func (h *Handler) identify(ctx context.Context, n *newcomer, known biz.Identity) error {
	user := biz.UserID(n.start.GetOpenid())
	device := biz.DeviceID(n.start.GetDeviceId())
	if device == "" {
		device = biz.DeviceID(n.start.GetClientId())
	}
	if len(device) > biz.MaxIDBytes || len(n.start.GetDeviceClass()) > biz.MaxIDBytes {
		return biz.Errorf(biz.KindInvalid, "INVALID_ARGUMENT", "device_id, client_id and device_class have at most %d bytes each", biz.MaxIDBytes)
	}
	id := known
	if id.User == "" && !slices.Contains(id.Roles, biz.RoleService) {
		var err error
		if id, err = h.auth.Prove(ctx, n.start.GetAuthToken(), user, device); err != nil {
			return err
		}
	}
	var err error
	if id.User, err = id.ActAs(user); err != nil {
		return err
	}
	if id.Device == "" {
		id.Device = device
	}
	n.identity = id
	return nil
}

// admit resumes the newcomer's session, or opens one. Newcomers of one user come one after another, so
// that two of them cannot end each other.
func (h *Handler) admit(ctx context.Context, n *newcomer) (s *session.Session, result string, err error) {
	defer h.turns.take(n.identity.User)()
	var former *past
	if n.wantsBack() {
		var ticket string
		if s, ticket, former = h.resume(ctx, n); s != nil {
			s.SetExpiry(n.identity.Expiry)
			lifeOf(s).prove(n.identity)
			h.greet(n, s, map[string]string{headerTicket: s.ID + ticketMark + ticket, headerResumed: "true"})
			return s, "resumed", nil
		}
	}
	if s, err = h.open(ctx, n, former); err != nil {
		return nil, "", err
	}
	headers := map[string]string{headerTicket: s.ID + ticketMark + s.Ticket(), headerResumed: "false"}
	result = "new"
	if n.wantsBack() {
		headers[headerResync], result = "true", "resync"
	}
	h.greet(n, s, headers)
	if n.replay != nil {
		n.replay()
	}
	return s, result, nil
}

// open makes a new session. A former one that could not be resumed ends, and hands over its login.
func (h *Handler) open(ctx context.Context, n *newcomer, former *past) (*session.Session, error) {
	id, err := h.node.NewSessionID()
	if err != nil {
		return nil, err
	}
	l := &life{class: n.start.GetDeviceClass(), identity: n.identity, place: h.nextPlace(ctx, n.identity.User)}
	if former != nil {
		l.inherit(former.life)
	}
	who, _ := l.who()
	s := session.New(h.node.Core(), session.Options{
		ID: id, User: string(who.User), GID: who.GID, Device: string(who.Device),
		Format: n.format, Resume: true, Resend: true, Hold: !l.loggedIn(), Protocol: l, Replies: true, Numbered: true, Asked: l.last,
	}, n.conn, who.Expiry)
	if l.loggedIn() {
		n.replay = protocol.AttachInbox(h.node, s, h.pushes) // before anybody can push to it
	}
	h.node.Open(s)
	if former != nil {
		h.succeed(n, former, s)
	}
	cfg := h.cfg.Load()
	h.yield(n.identity.User, cfg.Devices, cfg.MaxDevices, nil)
	if h.node.ID() != "" {
		go h.compete(context.WithoutCancel(ctx), n.identity.User)
	}
	return s, nil
}

// nextPlace returns a place behind all of the user's sessions that are known.
func (h *Handler) nextPlace(ctx context.Context, user biz.UserID) int64 {
	place := time.Now().UnixNano()
	for _, r := range append(h.rivals(user), rivalsIn(h.askRivals(ctx, user, h.cfg.Load(), nil))...) {
		place = max(place, r.GetPlace()+1)
	}
	return place
}

// succeed has a session go on where a former one ends.
func (h *Handler) succeed(n *newcomer, former *past, s *session.Session) {
	n.channels = former.channels
	s.SetEvents(former.events)
	if former.session == nil {
		h.node.Named(s, former.names...)
		return
	}
	h.node.Succeed(former.session, s)
	h.node.End(former.session, transport.Replaced)
}

// inherit lets a session follow the rooms that the former one did. One that could not ends: it would
// be without them unawares.
func (h *Handler) inherit(ctx context.Context, n *newcomer, s *session.Session) {
	if n.channels == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), h.cfg.Load().RequestTimeout)
	defer cancel()
	if err := h.actions.Inherit(ctx, s, n.identity, n.channels); err != nil {
		h.log.Error("a session could not follow its rooms", "session", s.ID, "error", err)
		h.node.End(s, transport.StoreGone)
	}
}

// greet answers START. The answer is a frame of the session like all others: behind what the client
// has missed.
func (h *Handler) greet(n *newcomer, s *session.Session, headers map[string]string) {
	s.Welcome(n.conn, frame.New(&outgoing{
		msgID: n.msgID,
		body: &gatewayv1.StartResponse{
			Success: true, ConnectionId: s.ID,
			HeartbeatInterval: int32(h.cfg.Load().Heartbeat / time.Second),
		},
		headers: headers,
	}))
}

// loginHeaders tell a client what its login has assigned.
func loginHeaders(gid int64, zone string) map[string]string {
	headers := map[string]string{}
	if gid != 0 {
		headers[headerGID] = strconv.FormatInt(gid, 10)
	}
	if zone != "" {
		headers[headerZone] = zone
	}
	return headers
}
