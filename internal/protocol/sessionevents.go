package protocol

import (
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/realtime/session"
)

var turns = map[session.Turn]biz.SessionTurn{
	session.Opened: biz.SessionConnected, session.Resumed: biz.SessionResumed,
	session.Lost: biz.SessionDetached, session.Over: biz.SessionEnded,
}

// TellSessions has told called for what happens to the sessions of a node; nil: nobody wants to know. It is called
// before the node runs.
func TellSessions(core *session.Core, told biz.SessionWitness) {
	if told == nil {
		return
	}
	core.OnEvent(func(e session.Event) {
		s := e.Session
		told(biz.SessionEvent{
			Turn: turns[e.Turn], ID: biz.SessionID(s.ID), User: biz.UserID(s.User), GID: e.GID, Device: biz.DeviceID(s.Device),
			Protocol: protocolOf(s), Transport: e.Peer.Transport, Remote: e.Peer.Remote,
			Code: e.Why.Code, Reason: e.Why.Reason, Time: e.At,
		})
	})
}
