package plugins

import (
	"context"
	"strings"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/plugin"
)

var sessionKinds = map[biz.SessionTurn]plugin.SessionEventKind{
	biz.SessionConnected: plugin.Connected, biz.SessionResumed: plugin.Resumed,
	biz.SessionDetached: plugin.Detached, biz.SessionEnded: plugin.Ended,
}

// Sessions returns what tells plugins of sessions, nil if there are none to tell.
func (h *Host) Sessions() biz.SessionWitness {
	if len(h.sessions) == 0 {
		return nil
	}
	return func(e biz.SessionEvent) {
		told := plugin.SessionEvent{
			Kind: sessionKinds[e.Turn], SessionID: string(e.ID), UserID: string(e.User), GID: e.GID, DeviceID: string(e.Device),
			Transport: e.Transport, Address: e.Remote, Code: int(e.Code), Reason: e.Reason, Time: e.Time,
		}
		told.Protocol, _, _ = strings.Cut(e.Protocol, ".") // without the version of its wire
		for _, to := range h.sessions {
			to.feed.offer(event{hook: to.hook, about: told.SessionID, size: waitingOverhead, tell: func(ctx context.Context, able *abilities) error {
				return able.sessions.ObserveSession(ctx, told)
			}})
		}
	}
}
