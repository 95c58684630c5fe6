package protocol

import (
	"context"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol/wire"
	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/node"
)

const (
	// maxViews is how many questions of other nodes about sessions are at work at a time, and maxCloses how
	// many sessions are being closed for them, each of which may take a second.
	maxViews  = 16
	maxCloses = 1024
	// closeWithin bounds how long other nodes are waited for with a close.
	closeWithin = 5 * time.Second
	// maxFindBytes bounds an answer.
	maxFindBytes = 512 << 10
)

// findElsewhere asks the other nodes for their parts of a page.
func (d *Directory) findElsewhere(ctx context.Context, q biz.SessionQuery, after biz.SessionID, limit int) (parts []listed, silent int) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	body := marshal(&wire.FindRequest{User: string(q.User), Gid: q.GID, State: q.State, After: string(after), Limit: int32(limit)})
	silent = askEverybody(ctx, d.node, node.KindFind, body, func(a broker.Answer) (ok, more bool) {
		var answer wire.FindAnswer
		if proto.Unmarshal(a.Body, &answer) != nil || answer.GetMore() && len(answer.GetSessions()) == 0 {
			return false, true
		}
		p := listed{more: answer.GetMore(), total: int(answer.GetTotal())}
		for _, s := range answer.GetSessions() {
			p.sessions = append(p.sessions, fromWireSession(s, a.Node))
		}
		parts = append(parts, p)
		return true, true
	})
	return parts, silent
}

func (d *Directory) answerFind(r broker.Request) {
	var q wire.FindRequest
	if proto.Unmarshal(r.Body, &q) != nil {
		return
	}
	query := biz.SessionQuery{User: biz.UserID(q.GetUser()), GID: q.GetGid(), State: q.GetState()}
	p := d.part(query, biz.SessionID(q.GetAfter()), min(max(1, int(q.GetLimit())), biz.MaxSessionPage))
	answer := &wire.FindAnswer{More: p.more, Total: int64(p.total)}
	bytes := 0
	for _, info := range p.sessions {
		s := toWireSession(info)
		if bytes += proto.Size(s); bytes > maxFindBytes {
			answer.More = true
			break
		}
		answer.Sessions = append(answer.Sessions, s)
	}
	r.Answer(marshal(answer))
}

// sessionElsewhere asks the other nodes for a session.
func (d *Directory) sessionElsewhere(ctx context.Context, id biz.SessionID) (info biz.SessionInfo, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	found := false
	silent := d.askFor(ctx, id, node.KindSession, marshal(&wire.SessionRequest{Id: string(id)}), func(a broker.Answer) (ok, there bool) {
		var answer wire.SessionAnswer
		if proto.Unmarshal(a.Body, &answer) != nil {
			return false, false
		}
		if found = answer.GetSession() != nil; found {
			info = fromWireSession(answer.GetSession(), a.Node)
		}
		return true, found
	})
	return info, notFound(id, found, silent)
}

func (d *Directory) answerSession(r broker.Request) {
	var q wire.SessionRequest
	if proto.Unmarshal(r.Body, &q) != nil {
		return
	}
	var answer wire.SessionAnswer
	if info, ok := d.session(biz.SessionID(q.GetId())); ok {
		answer.Session = toWireSession(info)
	}
	r.Answer(marshal(&answer))
}

// closeElsewhere has another node close a session.
func (d *Directory) closeElsewhere(ctx context.Context, id biz.SessionID, code uint32, reason string) (closed biz.SessionID, err error) {
	ctx, cancel := context.WithTimeout(ctx, closeWithin)
	defer cancel()
	body := marshal(&wire.CloseRequest{Id: string(id), Code: code, Reason: reason})
	silent := d.askFor(ctx, id, node.KindClose, body, func(a broker.Answer) (ok, there bool) {
		var answer wire.CloseAnswer
		if proto.Unmarshal(a.Body, &answer) != nil {
			return false, false
		}
		closed = biz.SessionID(answer.GetClosed())
		return true, closed != ""
	})
	return closed, notFound(id, closed != "", silent)
}

func (d *Directory) answerClose(r broker.Request) {
	var q wire.CloseRequest
	if proto.Unmarshal(r.Body, &q) != nil {
		return
	}
	closed, _ := d.close(context.Background(), biz.SessionID(q.GetId()), q.GetCode(), q.GetReason())
	r.Answer(marshal(&wire.CloseAnswer{Closed: string(closed)}))
}

// askFor asks about a session: the node that has made it and, if that has it no more, all. take tells
// whether an answer is one, and whether the session is there.
func (d *Directory) askFor(ctx context.Context, id biz.SessionID, k node.Kind, body []byte, take func(broker.Answer) (ok, there bool)) (silent int) {
	if home := node.HomeOf(string(id)); home != "" && home != d.node.ID() {
		here := slices.Contains(d.node.Others(), home)
		answered, there := false, false
		_ = d.node.Ask(ctx, broker.NodeChannel(home), k, body, func(a broker.Answer) bool {
			answered, there = take(a)
			return false
		})
		switch {
		case there:
			return 0
		case here && !answered: // it had the session, most likely
			return 1
		}
	}
	return askEverybody(ctx, d.node, k, body, func(a broker.Answer) (ok, more bool) {
		ok, there := take(a)
		return ok, !there
	})
}

func notFound(id biz.SessionID, found bool, silent int) error {
	switch {
	case found:
		return nil
	case silent > 0:
		return biz.ErrSessionUnknown(id, silent)
	}
	return biz.ErrNoSession(id)
}

func toWireSession(i biz.SessionInfo) *wire.Session {
	return &wire.Session{
		Id: string(i.ID), User: string(i.User), Gid: i.GID, Device: string(i.Device), Protocol: i.Protocol, Transport: i.Transport,
		Remote: i.Remote, State: i.State, Started: nanoseconds(i.Started), LastActive: nanoseconds(i.LastActive),
		QueueFrames: int64(i.QueueFrames), QueueBytes: int64(i.QueueBytes), Unsent: int64(i.Unsent), LastSent: i.LastSent, LastAcked: i.LastAcked,
	}
}

func fromWireSession(w *wire.Session, at string) biz.SessionInfo {
	return biz.SessionInfo{
		ID: biz.SessionID(w.GetId()), User: biz.UserID(w.GetUser()), GID: w.GetGid(), Device: biz.DeviceID(w.GetDevice()),
		Protocol: w.GetProtocol(), Transport: w.GetTransport(), Remote: w.GetRemote(), State: w.GetState(),
		Started: moment(w.GetStarted()), LastActive: moment(w.GetLastActive()),
		QueueFrames: int(w.GetQueueFrames()), QueueBytes: int(w.GetQueueBytes()), Unsent: int(w.GetUnsent()),
		LastSent: w.GetLastSent(), LastAcked: w.GetLastAcked(), Node: at,
	}
}
