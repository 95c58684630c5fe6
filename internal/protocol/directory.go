package protocol

import (
	"context"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/realtime/node"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/realtime/transport"
)

// Directory implements biz.SessionIndex on a node.
type Directory struct{ node *node.Node }

// NewDirectory returns a Directory.
func NewDirectory(n *node.Node) *Directory { return &Directory{node: n} }

// Find implements biz.SessionIndex.
func (d *Directory) Find(q biz.SessionQuery) (ids []biz.SessionID) {
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

// Count implements biz.SessionIndex.
func (d *Directory) Count() int { return d.node.Count() }

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
func (d *Directory) Session(id biz.SessionID) (biz.SessionInfo, bool) {
	s := d.node.Session(string(id))
	if s == nil {
		return biz.SessionInfo{}, false
	}
	i := s.Info()
	info := biz.SessionInfo{
		ID: biz.SessionID(s.ID), User: biz.UserID(s.User), GID: i.GID, Device: biz.DeviceID(s.Device), Protocol: protocolOf(s),
		Transport: i.Peer.Transport, Remote: i.Peer.Remote, State: stateOf(i), Started: s.Started, LastActive: i.LastActive,
		QueueFrames: i.QueueFrames, QueueBytes: i.QueueBytes, Unsent: i.Unsent, LastSent: i.LastSent, LastAcked: i.LastAcked,
	}
	return info, info.State != ""
}

// protocolOf tells the protocols apart by what they keep with a session: im.v1 keeps nothing.
func protocolOf(s *session.Session) string {
	if s.Protocol != nil {
		return "gateway.v1"
	}
	return "im.v1"
}

// Close implements biz.SessionIndex.
func (d *Directory) Close(ctx context.Context, id biz.SessionID, code uint32, reason string) (biz.SessionID, bool) {
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
