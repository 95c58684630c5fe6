package gateway

import (
	"context"
	"slices"
	"strings"

	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/protocol/wire"
	"github.com/game-im/hermod/internal/realtime/session"
)

// past is what the client had before, and cannot go on with.
type past struct {
	session  *session.Session // on this node; nil: it has ended on another one
	life     *life
	channels []string // that it followed; nil: it followed no rooms
	events   bool     // it wanted events
	names    []string // by which it was known
}

// pastOf is that of a session on this node.
func pastOf(s *session.Session) *past {
	if s == nil {
		return nil
	}
	p := &past{session: s, life: lifeOf(s), events: s.Events()}
	if s.Follows() {
		p.channels = s.Channels()
	}
	return p
}

// pastIn is that of a session of another node.
func pastIn(l *protocol.Legacy) *past {
	if l == nil {
		return nil
	}
	life, err := lifeFrom(l.Part)
	if err != nil {
		return nil
	}
	p := &past{life: life, names: l.Names, events: l.Events}
	if l.Follows {
		p.channels = append([]string{}, l.Channels...)
	}
	return p
}

// ticketMark is between the session and the secret of a ticket. A session's id may have one, too.
const ticketMark = "."

// readTicket returns the session that a ticket names, if it does, and its secret.
func readTicket(ticket string) (id, secret string, named bool) {
	at := strings.LastIndex(ticket, ticketMark)
	if at < 0 {
		return "", "", false
	}
	return ticket[:at], ticket[at+len(ticketMark):], true
}

// resume finds the session that the newcomer had, and continues it if that can be done without a gap;
// otherwise it returns what there was. A ticket names a session, and the client's numbers are of that one: no
// other is continued. START has proven who the client is, so that with a number a used ticket is as good as
// none: the answer that had the next one may have been lost.
func (h *Handler) resume(ctx context.Context, n *newcomer) (s *session.Session, ticket string, former *past) {
	last := n.start.GetLastAckedSeqId()
	id, secret, named := readTicket(n.start.GetResumeTicket())
	back := session.Return{Conn: n.conn, Format: n.format, Ticket: secret, Proven: last > 0, Last: last}
	here := h.formerHere(n, id, named)
	if named && h.node.Session(id) == nil {
		came, legacy := h.moves.Fetch(ctx, protocol.Wanted{
			Session: id, User: string(n.identity.User), Protocol: h, Return: back, Heir: true,
		})
		if gone := pastIn(legacy); gone != nil {
			return nil, "", gone
		}
		if came { // an older node may have given one of another protocol, which waits for its own client
			here = h.formerHere(n, id, named)
		}
	}
	if here == nil {
		if here, former = h.formerElsewhere(ctx, n, back, named); here == nil {
			return nil, "", former
		}
	}
	if named && here.ID != id {
		return nil, "", pastOf(here)
	}
	s, ticket, ok := h.node.Resume(here.ID, here.User, back)
	if !ok {
		return nil, "", pastOf(here)
	}
	return s, ticket, nil
}

// formerHere returns the session on this node that the newcomer had, or nil.
func (h *Handler) formerHere(n *newcomer, id string, named bool) *session.Session {
	var former *session.Session
	if named {
		former = h.node.Session(id)
	}
	if former != nil && former.User == string(n.identity.User) && lifeOf(former) != nil {
		return former
	}
	former = h.formerOf(n.identity.User, string(n.identity.Device))
	if token := n.start.GetAuthToken(); former == nil && n.identity.Device == "" && token != "" {
		// A program of the older numbering, whose token was taken for its id when it began.
		former = h.formerOf(n.identity.User, token)
	}
	return former
}

// formerElsewhere brings the session of the newcomer's device here that is on another node, or what it leaves.
func (h *Handler) formerElsewhere(ctx context.Context, n *newcomer, back session.Return, named bool) (here *session.Session, former *past) {
	if h.moves == nil {
		return nil, nil
	}
	var found *wire.Rival
	for _, r := range rivalsIn(h.askRivals(ctx, n.identity.User, h.cfg.Load(), nil)) {
		if n.had(r) && (found == nil || sooner(found, r)) {
			found = r
		}
	}
	if found == nil {
		return nil, nil
	}
	if named { // and it is not the one
		back = session.Return{}
	}
	came, legacy := h.moves.Fetch(ctx, protocol.Wanted{
		Session: found.GetSession(), User: string(n.identity.User), Protocol: h, Return: back, Heir: true,
	})
	if !came {
		return nil, pastIn(legacy)
	}
	return h.node.Session(found.GetSession()), nil
}

// had tells whether a session on another node may be the newcomer's.
func (n *newcomer) had(r *wire.Rival) bool {
	device := string(n.identity.Device)
	return r.GetDevice() == device || device == "" && r.GetDevice() == n.start.GetAuthToken()
}

// sooner tells whether a client without a ticket means b sooner than a; see formerOf.
func sooner(a, b *wire.Rival) bool {
	if a.GetDetached() != b.GetDetached() {
		return b.GetDetached()
	}
	return slices.MaxFunc([]*wire.Rival{a, b}, order) == b
}
