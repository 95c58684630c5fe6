package gateway

import (
	"cmp"
	"context"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol/wire"
	"github.com/game-im/hermod/internal/realtime/broker"
	"github.com/game-im/hermod/internal/realtime/node"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/realtime/transport"
)

const (
	// rivalsWithin is how long the other nodes have to say which sessions of a user they have.
	rivalsWithin = 250 * time.Millisecond
	// maxHearing bounds how many questions of other nodes are answered at a time. Beyond it the policy holds
	// once another session of the user opens, or users are looked at again.
	maxHearing = 1024
)

// order puts sessions of a user into the one order that all nodes see, the newest last. A new one is put
// behind all that its node knows of, whatever the clocks say; of two that open at the same moment the clocks
// and then the ids decide.
func order(a, b *wire.Rival) int {
	return cmp.Or(cmp.Compare(a.GetPlace(), b.GetPlace()), cmp.Compare(a.GetSession(), b.GetSession()))
}

// overtaken returns the ids of those sessions of a user whose places newer ones have taken.
func overtaken(policy Devices, most int, all []*wire.Rival) map[string]bool {
	all = slices.Clone(all)
	slices.SortFunc(all, func(a, b *wire.Rival) int { return order(b, a) })
	over := make(map[string]bool)
	var kept []*wire.Rival
	for i, r := range all {
		if i > 0 && r.GetSession() == all[i-1].GetSession() {
			continue // two nodes named it
		}
		taken := policy == Allow && len(kept) >= most
		for _, newer := range kept {
			same := r.GetDevice() != "" && r.GetDevice() == newer.GetDevice()
			taken = taken || same || policy == Replace || policy == Class && r.GetClass() == newer.GetClass()
		}
		if taken {
			over[r.GetSession()] = true
			continue
		}
		kept = append(kept, r)
	}
	return over
}

func rivalOf(s *session.Session) *wire.Rival {
	l := lifeOf(s)
	return &wire.Rival{Session: s.ID, Device: s.Device, Class: l.class, Place: l.place, Detached: s.State() == session.Detached}
}

// rivals returns what is said of the user's sessions on this node.
func (h *Handler) rivals(user biz.UserID) []*wire.Rival {
	var all []*wire.Rival
	for _, s := range h.ofUser(user) {
		all = append(all, rivalOf(s))
	}
	return all
}

// yield ends those of the user's sessions on this node whose places others have taken, with a code that tells
// them to stay away: two devices that took each other's place in turn would do it for ever.
func (h *Handler) yield(user biz.UserID, policy Devices, most int, others []*wire.Rival) {
	here := h.ofUser(user)
	all := slices.Clone(others)
	for _, s := range here {
		all = append(all, rivalOf(s))
	}
	over := overtaken(policy, most, all)
	for _, s := range here {
		if over[s.ID] {
			h.metrics.replaced.Inc()
			h.node.End(s, transport.Superseded)
		}
	}
}

// compete tells the other nodes of the user's sessions here, and hears of theirs; each ends its own. A session
// is known on its node before others are told of it, so that of two that open at the same moment on two nodes
// one at least hears of the other.
func (h *Handler) compete(ctx context.Context, user biz.UserID) {
	cfg := h.cfg.Load()
	here := h.rivals(user)
	if len(here) == 0 {
		return
	}
	others := rivalsIn(h.askRivals(ctx, user, cfg, here))
	if len(others) == 0 {
		return
	}
	h.yield(user, cfg.Devices, cfg.MaxDevices, others)
	// Some are beyond the number that is allowed, which their node could not know alone.
	all := slices.Concat(others, here)
	over := overtaken(cfg.Devices, cfg.MaxDevices, all)
	if slices.ContainsFunc(others, func(r *wire.Rival) bool { return over[r.GetSession()] }) {
		h.askRivals(ctx, user, cfg, all)
	}
}

// askRivals tells the other nodes of sessions, none: it only asks, and returns what they have.
func (h *Handler) askRivals(ctx context.Context, user biz.UserID, cfg *Config, known []*wire.Rival) []broker.Answer {
	if h.node.ID() == "" {
		return nil
	}
	body, err := proto.Marshal(&wire.Supersede{User: string(user), Rivals: known, Policy: string(cfg.Devices), Max: int32(cfg.MaxDevices)})
	if err != nil { // what it names is valid text
		h.log.Error("other nodes cannot be told of a session", "error", err)
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, rivalsWithin)
	defer cancel()
	answers, err := h.node.Gather(ctx, node.UserChannel(string(user)), node.KindSupersede, body)
	if err != nil {
		h.log.Debug("other nodes did not say which sessions a user has", "user", user, "error", err)
	}
	return answers
}

func rivalsIn(answers []broker.Answer) (all []*wire.Rival) {
	for _, a := range answers {
		var w wire.Sessions
		if proto.Unmarshal(a.Body, &w) == nil {
			all = append(all, w.GetRivals()...)
		}
	}
	return all
}

// hearRivals hears of the sessions that another node knows of.
func (h *Handler) hearRivals(r broker.Request) {
	var w wire.Supersede
	if proto.Unmarshal(r.Body, &w) != nil {
		return
	}
	user := biz.UserID(w.GetUser())
	if len(w.GetRivals()) > 0 {
		h.yield(user, Devices(w.GetPolicy()), int(w.GetMax()), w.GetRivals())
	}
	body, err := proto.Marshal(&wire.Sessions{Rivals: h.rivals(user)})
	if err != nil {
		h.log.Error("another node cannot be told of sessions", "error", err)
		return
	}
	r.Answer(body)
}

// recheckRivals is a node.Check: while other nodes were out of reach, each had its own policy.
func (h *Handler) recheckRivals(ctx context.Context, user string, _ []*session.Session) {
	h.compete(ctx, biz.UserID(user))
}
