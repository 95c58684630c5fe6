package protocol

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/game-im/hermod/internal/protocol/wire"
	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/node"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/realtime/transport"
)

// How long things may take. A client that comes back waits for no longer than fetchWithin and receiveWithin.
const (
	fetchWithin   = time.Second            // for the answer of a node that is asked for a session
	quietWithin   = 500 * time.Millisecond // for the requests of a session that is asked for
	receiveWithin = 2 * time.Second        // for the store, when a session comes
	adoptWithin   = time.Second            // for one node to take a session over
	// maxCarried is how many bytes a session may come to that moves; engines take 1 MiB in one message.
	maxCarried = 768 << 10
	// maxGiving bounds how many sessions a node gives away or takes in at once.
	maxGiving = 256
	// maxAdopters is how many nodes are asked to take a session over, one after another.
	maxAdopters = 3
)

// Movable is a protocol whose sessions move between nodes. Safe for concurrent use.
type Movable interface {
	// Owns tells whether a session is one of the protocol's.
	Owns(s *session.Session) bool
	// Freeze has the session's client ask for nothing more, until thaw is called, and waits for what it has
	// asked for. It is not quiet when that takes too long.
	Freeze(ctx context.Context, s *session.Session) (thaw func(), quiet bool)
	// Part is what the protocol itself knows of the session.
	Part(s *session.Session) []byte
	// Receive lets a session that comes from another node, with its part, go on here, Detached. With an error
	// nothing is left of it.
	Receive(ctx context.Context, c *session.Carried, part []byte) error
	// MoveBy hands over what the protocol asks for sessions of other nodes.
	MoveBy(m *Moves)
}

// Moves takes sessions from node to node: those whose client comes back to another one, and those of a node
// that stops. At any moment a session is on one node, in one message, or nowhere: what is lost on the way is
// lost, and its client starts anew.
type Moves struct {
	node      *node.Node
	protocols map[string]Movable
	log       *slog.Logger
	giving    chan struct{} // a place for each session that comes or goes

	mu      sync.Mutex
	leaving map[string]chan struct{} // sessions that one node is being given; closed when that is over
}

// NewMoves lets the sessions of protocols move, by the names that nodes use. It is called before the node runs.
func NewMoves(n *node.Node, protocols map[string]Movable, log *slog.Logger) *Moves {
	m := &Moves{
		node: n, protocols: protocols, log: log,
		giving: make(chan struct{}, maxGiving), leaving: make(map[string]chan struct{}),
	}
	n.Handle(node.KindResume, func(r broker.Request) { m.aside(r, m.resume) })
	n.Handle(node.KindAdopt, func(r broker.Request) { m.aside(r, m.adopt) })
	n.OnDrain(m.handOver)
	for _, p := range protocols {
		p.MoveBy(m)
	}
	return m
}

// aside answers a request beside the broker. A node with too many says that it has nothing.
func (m *Moves) aside(r broker.Request, answer func(context.Context, broker.Request) proto.Message) {
	select {
	case m.giving <- struct{}{}:
	default:
		r.Answer(nil)
		return
	}
	go func() {
		defer func() { <-m.giving }()
		ctx, cancel := context.WithTimeout(context.Background(), receiveWithin)
		defer cancel()
		body, err := proto.Marshal(answer(ctx, r))
		if err != nil {
			m.log.Error("an answer to another node cannot be written", "error", err)
		}
		r.Answer(body)
	}()
}

// owner returns the protocol of a session, and its name.
func (m *Moves) owner(s *session.Session) (name string, p Movable) {
	for name, p := range m.protocols {
		if p.Owns(s) {
			return name, p
		}
	}
	return "", nil
}

// nameOf returns the name that nodes use for a protocol.
func (m *Moves) nameOf(of Movable) string {
	for name, p := range m.protocols {
		if p == of {
			return name
		}
	}
	return ""
}

// resume gives a session to the node that its client has come to.
func (m *Moves) resume(ctx context.Context, r broker.Request) proto.Message {
	var w wire.Resume
	if err := proto.Unmarshal(r.Body, &w); err != nil {
		return &wire.Resumed{}
	}
	ctx, cancel := context.WithTimeout(ctx, fetchWithin*4/5) // later, nobody waits for it
	defer cancel()
	over, alone := m.leave(ctx, m.present(w.GetSession()))
	if alone {
		defer over()
	}
	s := m.node.Session(w.GetSession())
	if s == nil || !alone {
		return &wire.Resumed{Node: m.node.Moved(w.GetSession())}
	}
	name, p := m.owner(s)
	if p == nil || s.User != w.GetUser() || w.GetProtocol() != "" && w.GetProtocol() != name {
		return &wire.Resumed{}
	}
	back := session.Return{Ticket: w.GetTicket(), Proven: w.GetProven(), Last: w.GetLast()}
	if s.ID == w.GetSession() && s.Admits(back) {
		if c := m.take(ctx, s, &back, transport.Replaced); c != nil {
			m.node.MovedTo(s.ID, r.Node)
			return &wire.Resumed{Carried: c}
		}
	}
	if !w.GetHeir() {
		return &wire.Resumed{}
	}
	legacy := &wire.Legacy{Protocol: name, Part: p.Part(s), Follows: s.Follows(), Events: s.Events(), Channels: s.Channels(), Names: append(m.node.Names(s), s.ID)}
	m.node.End(s, transport.Replaced)
	m.node.MovedTo(s.ID, r.Node)
	return &wire.Resumed{Legacy: legacy}
}

// present returns the id of a session that is named by an older one.
func (m *Moves) present(id string) string {
	if s := m.node.Session(id); s != nil {
		return s.ID
	}
	return id
}

// take makes a message of a session, which is nowhere else from then on. It is nil if the session stays. Whoever calls
// it is alone with the session; see leave.
func (m *Moves) take(ctx context.Context, s *session.Session, back *session.Return, why transport.Disconnect) *wire.Carried {
	name, p := m.owner(s)
	if p == nil {
		return nil
	}
	waiting, cancel := context.WithTimeout(ctx, quietWithin)
	defer cancel()
	thaw, quiet := p.Freeze(waiting, s)
	if !quiet || ctx.Err() != nil {
		thaw()
		return nil
	}
	part := p.Part(s)
	c := m.node.Take(s, back, maxCarried-len(part), why)
	if c == nil {
		thaw()
		return nil
	}
	return toWireCarried(c, name, part)
}

// receive lets a session that came go on here.
func (m *Moves) receive(ctx context.Context, w *wire.Carried) error {
	c, err := fromWireCarried(w)
	if err != nil {
		return err
	}
	p := m.protocols[w.GetProtocol()]
	if p == nil {
		return errPayload
	}
	return p.Receive(ctx, c, w.GetPart())
}

// Wanted is a session whose client has come here.
type Wanted struct {
	Session  string
	User     string
	Protocol Movable // whose session it has to be
	Return   session.Return
	Heir     bool // a new session takes over what it leaves, should it not be able to go on
}

// Legacy is what a session of another node has left that could not go on.
type Legacy struct {
	Part     []byte
	Follows  bool
	Events   bool
	Channels []string
	Names    []string // by which it was known
}

// Fetch brings a session here that is on another node, which ends it there. It is here then, Detached, to be
// resumed. If it is not here afterwards it was not found in time, or could not go on; legacy is what it left,
// if that was asked for.
func (m *Moves) Fetch(ctx context.Context, w Wanted) (here bool, legacy *Legacy) {
	if m == nil || m.node.ID() == "" {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, fetchWithin)
	defer cancel()
	got := m.find(ctx, w)
	if got == nil { // meanwhile a node that stops may have given it to this one
		s := m.node.Session(w.Session)
		return s != nil && s.User == w.User && w.Protocol.Owns(s), nil
	}
	if c := got.GetCarried(); c != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), receiveWithin)
		defer cancel()
		err := m.receive(ctx, c)
		if err == nil {
			return true, nil
		}
		m.log.Warn("a session of another node cannot go on here; its client starts anew", "session", c.GetId(), "error", err)
		return false, &Legacy{Part: c.GetPart(), Follows: c.GetFollows(), Events: c.GetEvents(), Channels: channelsOf(c), Names: append(c.GetNames(), c.GetId())}
	}
	l := got.GetLegacy()
	return false, &Legacy{Part: l.GetPart(), Follows: l.GetFollows(), Events: l.GetEvents(), Channels: l.GetChannels(), Names: l.GetNames()}
}

func channelsOf(c *wire.Carried) (channels []string) {
	for _, p := range c.GetPlaces() {
		channels = append(channels, p.GetChannel())
	}
	return channels
}

// find asks for a session until it has it, or something that it leaves. Whoever has one of the user's is asked
// first: of a node that is gone, engines know at once that nobody listens. The one that has made the session
// knows where it went.
func (m *Moves) find(ctx context.Context, w Wanted) *wire.Resumed {
	body, err := proto.Marshal(&wire.Resume{
		User: w.User, Session: w.Session, Ticket: w.Return.Ticket, Last: w.Return.Last, Proven: w.Return.Proven, Heir: w.Heir,
		Protocol: m.nameOf(w.Protocol),
	})
	if err != nil {
		return nil
	}
	first, cancel := context.WithTimeout(ctx, fetchWithin*2/3) // leaves the node that has made it its time
	defer cancel()
	got, next := m.ask(first, node.UserChannel(w.User), body)
	if home := node.HomeOf(w.Session); got == nil && next == "" && home != m.node.ID() {
		next = home
	}
	for range 2 {
		if got != nil || next == "" || next == m.node.ID() {
			return got
		}
		got, next = m.ask(ctx, broker.NodeChannel(next), body)
	}
	return got
}

// ask returns what one of the nodes on a channel gives, or where it says that the session is.
func (m *Moves) ask(ctx context.Context, channel string, body []byte) (got *wire.Resumed, next string) {
	_ = m.node.Ask(ctx, channel, node.KindResume, body, func(a broker.Answer) bool { // whoever does not answer has nothing
		r := &wire.Resumed{}
		if proto.Unmarshal(a.Body, r) != nil {
			return true
		}
		if r.GetCarried() != nil || r.GetLegacy() != nil {
			got = r
			return false
		}
		if r.GetNode() != "" {
			next = r.GetNode()
		}
		return true
	})
	return got, next
}

// leave lets one after another give a session away, or wait until it is gone: a second one would inherit what goes on
// elsewhere, and let requests in while the first waits for those that are under way. Without ok it took too long;
// otherwise over has to be called.
func (m *Moves) leave(ctx context.Context, id string) (over func(), ok bool) {
	mine := make(chan struct{})
	for {
		m.mu.Lock()
		other := m.leaving[id]
		if other == nil {
			m.leaving[id] = mine
		}
		m.mu.Unlock()
		if other == nil {
			break
		}
		select {
		case <-other:
		case <-ctx.Done():
			return nil, false
		}
	}
	return func() {
		m.mu.Lock()
		delete(m.leaving, id)
		m.mu.Unlock()
		close(mine)
	}, true
}
