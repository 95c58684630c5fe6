package protocol

import (
	"cmp"
	"context"
	"slices"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/realtime/node"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/realtime/transport"
)

// Directory implements biz.SessionIndex on a node and those that it knows.
type Directory struct{ node *node.Node }

// NewDirectory returns a Directory, which also answers other nodes. It is called before the node runs.
func NewDirectory(n *node.Node) *Directory {
	d := &Directory{node: n}
	n.HandleApart(node.KindFind, maxViews, d.answerFind)
	n.HandleApart(node.KindSession, maxViews, d.answerSession)
	n.HandleApart(node.KindClose, maxCloses, d.answerClose)
	return d
}

// Count implements biz.SessionIndex.
func (d *Directory) Count() int { return d.node.Count() }

// Page implements biz.SessionIndex.
func (d *Directory) Page(ctx context.Context, q biz.SessionQuery, after biz.SessionID, limit int) biz.SessionPage {
	parts := []listed{d.part(q, after, limit)}
	silent := 0
	if !q.Here {
		var others []listed
		others, silent = d.findElsewhere(ctx, q, after, limit)
		parts = append(parts, others...)
	}
	page := merge(parts, limit)
	page.Silent = silent
	return page
}

// listed is what one node has of a page.
type listed struct {
	sessions []biz.SessionInfo // in the order of their ids
	more     bool              // there are others behind them
	total    int
}

// merge makes a page of the parts of all nodes. It ends where a node has more that it has not told. A
// session that is about to move may be on two nodes; it is there once.
func merge(parts []listed, limit int) (page biz.SessionPage) {
	var last biz.SessionID // of what can be told; empty: all
	more := false
	for _, p := range parts {
		page.Total += p.total
		page.Sessions = append(page.Sessions, p.sessions...)
		if p.more {
			if end := p.sessions[len(p.sessions)-1].ID; !more || end < last {
				last = end
			}
			more = true
		}
	}
	slices.SortStableFunc(page.Sessions, func(a, b biz.SessionInfo) int { return cmp.Compare(a.ID, b.ID) })
	found := len(page.Sessions)
	page.Sessions = slices.CompactFunc(page.Sessions, func(a, b biz.SessionInfo) bool { return a.ID == b.ID })
	page.Total -= found - len(page.Sessions)
	if more {
		end, _ := slices.BinarySearchFunc(page.Sessions, last+"\x00", func(s biz.SessionInfo, id biz.SessionID) int { return cmp.Compare(s.ID, id) })
		page.Sessions = page.Sessions[:end]
	}
	if len(page.Sessions) > limit {
		page.Sessions, more = page.Sessions[:limit], true
	}
	if more {
		page.Next = page.Sessions[len(page.Sessions)-1].ID
	}
	return page
}

// part returns what this node has.
func (d *Directory) part(q biz.SessionQuery, after biz.SessionID, limit int) (p listed) {
	ids := d.find(q)
	slices.Sort(ids)
	p.total = len(ids)
	from, found := slices.BinarySearch(ids, after)
	if found {
		from++
	}
	for _, id := range ids[from:] {
		if len(p.sessions) == limit {
			p.more = true
			break
		}
		if info, ok := d.session(id); ok && info.ID == id {
			p.sessions = append(p.sessions, info)
		}
	}
	return p
}

// find returns the ids of what the query selects here, in any order.
func (d *Directory) find(q biz.SessionQuery) (ids []biz.SessionID) {
	var from []*session.Session
	switch {
	case q.User != "":
		from = d.node.OfUser(string(q.User))
	case q.GID != 0:
		from = d.node.OfGID(q.GID)
	default:
		from = d.node.Sessions()
	}
	ids = make([]biz.SessionID, 0, len(from))
	for _, s := range from {
		info := s.Info()
		state := stateOf(info)
		if state == "" || q.State != "" && q.State != state || q.GID != 0 && q.GID != info.GID {
			continue
		}
		ids = append(ids, biz.SessionID(s.ID))
	}
	return ids
}

// stateOf names a session's state; empty: it has ended.
func stateOf(i session.Info) string {
	switch {
	case i.State == session.Closed:
		return ""
	case i.State == session.Detached:
		return biz.StateDetached
	case i.Held:
		return biz.StateInited
	}
	return biz.StateActive
}

// Session implements biz.SessionIndex.
func (d *Directory) Session(ctx context.Context, id biz.SessionID) (biz.SessionInfo, error) {
	if info, ok := d.session(id); ok {
		return info, nil
	}
	return d.sessionElsewhere(ctx, id)
}

// session returns a session of this node.
func (d *Directory) session(id biz.SessionID) (biz.SessionInfo, bool) {
	s := d.node.Session(string(id))
	if s == nil {
		return biz.SessionInfo{}, false
	}
	i := s.Info()
	info := biz.SessionInfo{
		ID: biz.SessionID(s.ID), User: biz.UserID(s.User), GID: i.GID, Device: biz.DeviceID(s.Device), Protocol: protocolOf(s),
		Transport: i.Peer.Transport, Remote: i.Peer.Remote, State: stateOf(i), Started: s.Started, LastActive: i.LastActive,
		QueueFrames: i.QueueFrames, QueueBytes: i.QueueBytes, Unsent: i.Unsent, LastSent: i.LastSent, LastAcked: i.LastAcked,
		Node: d.node.ID(),
	}
	return info, info.State != ""
}

// Spoken is the protocol's part of a session that says which protocol it is.
type Spoken interface{ ProtocolName() string }

// protocolOf returns the protocol of a session, such as im.v1; empty: it does not say.
func protocolOf(s *session.Session) string {
	if p, ok := s.Protocol.(Spoken); ok {
		return p.ProtocolName()
	}
	return ""
}

// Close implements biz.SessionIndex.
func (d *Directory) Close(ctx context.Context, id biz.SessionID, code uint32, reason string) (biz.SessionID, error) {
	if closed, ok := d.close(ctx, id, code, reason); ok {
		return closed, nil
	}
	return d.closeElsewhere(ctx, id, code, reason)
}

// close closes a session of this node.
func (d *Directory) close(ctx context.Context, id biz.SessionID, code uint32, reason string) (biz.SessionID, bool) {
	s := d.node.Session(string(id))
	if s == nil {
		return "", false
	}
	why := transport.Kicked
	why.Code = code
	if reason != "" {
		why.Reason = reason
	}
	d.node.Kick(ctx, s, why)
	return biz.SessionID(s.ID), true
}
