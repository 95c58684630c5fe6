package im

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	imv1 "github.com/game-im/hermod/api/im/v1"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/realtime/frame"
	"github.com/game-im/hermod/internal/realtime/node"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/realtime/transport"
)

// flushWindow is how long a client that has ended its half of the stream may take to read what is
// still on its way to it: the answers to what it sent last.
const flushWindow = 2 * time.Second

// Config is the node's settings for im.v1 sessions.
type Config struct {
	Heartbeat      time.Duration // advertised to clients
	StartTimeout   time.Duration // for the first message of a client that has not said who it is
	SendsPerSecond float64       // per session; 0: no limit
	SendBurst      int
}

// Refresher checks a new token of a session that lives on.
type Refresher interface {
	// Refresh returns the identity that the token proves. It is an error if that is somebody else
	// than the session's.
	Refresh(ctx context.Context, held biz.Identity, token string) (biz.Identity, error)
}

// Handler serves im.v1 sessions on connections of any transport.
type Handler struct {
	node     *node.Node
	rooms    *biz.Rooms
	messages *biz.Messages
	follower *protocol.Follower
	pushes   *biz.Pushes
	tells    *biz.Ephemerals
	watches  *protocol.Watches
	moves    *protocol.Moves // nil: sessions stay on this node
	auth     Refresher
	cfg      atomic.Pointer[Config]
	metrics  metrics
	log      *slog.Logger
	opening  chan struct{} // a place for each session that is being opened
}

// Rules are the use cases that a Handler calls.
type Rules struct {
	Rooms    *biz.Rooms
	Messages *biz.Messages
	Backlog  *biz.Backlog
	Pushes   *biz.Pushes

	Ephemerals *biz.Ephemerals
	Watches    *protocol.Watches
}

// NewHandler returns a Handler.
func NewHandler(n *node.Node, rules Rules, auth Refresher, cfg Config, log *slog.Logger) *Handler {
	h := &Handler{
		node: n, rooms: rules.Rooms, messages: rules.Messages, pushes: rules.Pushes, tells: rules.Ephemerals, watches: rules.Watches,
		follower: protocol.NewFollower(n, rules.Backlog, sentByHim, log),
		auth:     auth, metrics: newMetrics(), log: log,
		opening: make(chan struct{}, maxOpening),
	}
	h.SetConfig(cfg)
	protocol.RecheckJoins(n, rules.Backlog, log) // for sessions of whichever protocol
	return h
}

// sentByHim is a protocol.Known: whoever sent a message knows it.
func sentByHim(*session.Session, *biz.Message) bool { return true }

// SetConfig replaces the settings: the rate for every session, what clients are told for those that
// open from then on.
func (h *Handler) SetConfig(cfg Config) { h.cfg.Store(&cfg) }

// Serve runs a client's connection until it ends and returns why: nil after a clean end by the
// client. greet answers the client once its session exists; nothing is written before.
func (h *Handler) Serve(ctx context.Context, conn transport.Conn, o Opening, greet func(Welcome) error) error {
	l, err := h.Open(ctx, conn, o, greet)
	if err != nil {
		return err
	}
	return l.Serve(ctx)
}

// Live is a session on one of its connections. It belongs to the goroutine that reads the connection,
// which calls Take with each thing that it read, and in the end End.
type Live struct {
	reader reader
	conn   transport.Conn
}

// Open is the first part of Serve, for those who read the connection themselves.
func (h *Handler) Open(ctx context.Context, conn transport.Conn, o Opening, greet func(Welcome) error) (*Live, error) {
	if o.Format == nil {
		o.Format = Proto
	}
	first, err := h.identify(conn, &o)
	if err != nil {
		return nil, err
	}
	if refused := h.node.Core().Load.Request(); refused != nil {
		return nil, protocol.Overloaded(refused)
	}
	who := o.Identity
	o.holder = &who
	var s *session.Session
	err = h.aside(ctx, func() (err error) {
		s, err = h.open(ctx, conn, o, greet)
		return err
	})
	if err != nil {
		return nil, err
	}
	l := &Live{reader: readerOf(h, s, o), conn: conn}
	if first != nil {
		defer l.endOnPanic()
		l.reader.handle(ctx, first)
	}
	return l, nil
}

func (l *Live) endOnPanic() {
	if p := recover(); p != nil {
		l.Lost()
		panic(p)
	}
}

// Serve reads the connection until it ends and returns why: nil after a clean end by the client.
func (l *Live) Serve(ctx context.Context) error {
	defer l.endOnPanic()
	for {
		data, err := l.conn.Read()
		if err != nil {
			return l.End(err)
		}
		l.Take(ctx, data)
	}
}

// Take handles what the client has sent. It is never over before the connection is.
func (l *Live) Take(ctx context.Context, data []byte) (over bool) {
	l.reader.take(ctx, data)
	return false
}

// End follows the last Take, with the error of the read after it, and returns why the connection has
// ended: nil for a clean end by the client.
func (l *Live) End(err error) error {
	if !errors.Is(err, io.EOF) {
		l.Lost()
		return err
	}
	l.reader.finish()
	l.done(transport.Ended)
	return nil
}

// Lost gives the connection up. The session waits for its client if it can resume.
func (l *Live) Lost() { l.done(transport.ConnLost) }

func (l *Live) done(why transport.Disconnect) {
	l.reader.h.node.Done(l.reader.session, l.conn, why)
}

// maxOpening bounds how many sessions a node opens at once. When thousands of clients come back in
// the same moment, the rest waits, at the price of a goroutine each, and not of a query each.
const maxOpening = 128

// aside runs f in a goroutine of its own and waits for it. Looking up a session's rooms needs a deep
// stack for a moment; the goroutine that then waits for the client, for hours maybe, keeps its small
// one. A panic of f is one of the caller.
func (h *Handler) aside(ctx context.Context, f func() error) error {
	select {
	case h.opening <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	var (
		err      error
		panicked any
		done     = make(chan struct{})
	)
	go func() {
		defer close(done)
		defer func() { <-h.opening }()
		defer func() { panicked = recover() }()
		err = f()
	}()
	<-done
	if panicked != nil {
		panic(panicked)
	}
	return err
}

// identify completes who opens the session from its first message, if nothing else said it. That
// message is returned, to be handled like any other.
func (h *Handler) identify(conn transport.Conn, o *Opening) (first *imv1.MessageRequest, err error) {
	if o.Identity.User != "" {
		return nil, nil
	}
	timeout := time.AfterFunc(h.cfg.Load().StartTimeout, func() { conn.Close(transport.NotStarted) })
	defer timeout.Stop()
	data, err := conn.Read()
	if err != nil {
		return nil, err
	}
	if first, err = request(o.Format, data); err != nil {
		return nil, err
	}
	if o.Identity.User, err = o.Identity.ActAs(biz.UserID(first.GetUserId())); err != nil {
		return nil, err
	}
	if o.Room == "" {
		o.Room = biz.RoomID(first.GetRoomId())
	}
	return first, nil
}

// open resumes the session that the client names, or makes one.
func (h *Handler) open(ctx context.Context, conn transport.Conn, o Opening, greet func(Welcome) error) (*session.Session, error) {
	cfg := h.cfg.Load()
	welcome := Welcome{
		Heartbeat:      int(cfg.Heartbeat / time.Second),
		SendsPerSecond: cfg.SendsPerSecond,
		SendBurst:      cfg.SendBurst,
	}
	if o.Resume && o.Session != "" {
		s, ticket, ok := h.resume(ctx, o, session.Return{Conn: conn, Format: o.Format, Ticket: o.Ticket, Last: o.LastLink})
		if ok {
			s.SetExpiry(o.Identity.Expiry)
			welcome.Session, welcome.Ticket, welcome.Resumed = s.ID, ticket, true
			return s, h.greet(s, conn, o, welcome, greet)
		}
	}
	return h.start(ctx, conn, o, welcome, greet)
}

func (h *Handler) start(ctx context.Context, conn transport.Conn, o Opening, welcome Welcome, greet func(Welcome) error) (*session.Session, error) {
	if o.Room != "" {
		if _, err := h.rooms.Join(ctx, o.Identity, biz.JoinRequest{Room: o.Room, User: o.Identity.User, Opening: true}); err != nil {
			return nil, err
		}
	}
	id, err := h.node.NewSessionID()
	if err != nil {
		return nil, err
	}
	s := session.New(h.node.Core(), session.Options{
		ID: id, User: string(o.Identity.User), GID: o.Identity.GID, Device: string(o.Identity.Device),
		Format: o.Format, Resume: o.Resume, Replies: o.Ack, Events: o.Events, Protocol: stream{}, Follow: h.follower.Later(o.holder),
	}, conn, o.Identity.Expiry)
	// The session is whole before the client hears of it: from then on it may send, be pushed to, or
	// lose its connection and resume on another one.
	replay := protocol.AttachInbox(h.node, s, h.pushes) // before anybody can push to it
	h.node.Open(s)
	whole := false
	defer func() {
		if !whole {
			h.node.End(s, transport.InternalError) // a panic: nobody else knows of it
		}
	}()
	if err := h.followAll(s, o); err != nil {
		h.node.End(s, transport.StoreGone.Because("%s", biz.AsError(err).Text))
		return nil, err
	}
	replay()
	whole = true
	welcome.Session, welcome.Ticket = s.ID, s.Ticket()
	return s, h.greet(s, conn, o, welcome, greet)
}

func (h *Handler) greet(s *session.Session, conn transport.Conn, o Opening, w Welcome, greet func(Welcome) error) error {
	greeted := false
	defer func() { // after a panic as well
		if !greeted {
			h.node.Done(s, conn, transport.ConnLost)
		}
	}()
	if err := greet(w); err != nil {
		return err
	}
	if o.Greeting {
		if err := writeGreeting(conn, o.Format, w); err != nil {
			return err
		}
	}
	greeted = true
	s.Continue(conn)
	return nil
}

// writeGreeting writes what the headers say as a frame. It has no number: it is no part of the session.
func writeGreeting(conn transport.Conn, format *frame.Format, w Welcome) error {
	f, err := frame.New(&protocol.Greeting{Headers: w.Headers(), Time: time.Now()}).In(format)
	if err != nil {
		return err
	}
	return conn.Write([]transport.Outgoing{{Frame: f}})
}

func malformed(err error) *biz.Error {
	return biz.Errorf(biz.KindInvalid, "MALFORMED", "not an im.v1 MessageRequest: %v", err)
}
