package protocol

import (
	"context"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/realtime/presence"
)

// Online implements biz.Presence.
func (d *Deliverer) Online(ctx context.Context, users []biz.UserID) []biz.UserID {
	states := d.whereabouts(ctx, users, presence.Away)
	online := make([]biz.UserID, 0, len(users))
	for i, u := range users {
		if states[i] != presence.Offline {
			online = append(online, u)
		}
	}
	return online
}

// States implements biz.Whereabouts.
func (d *Deliverer) States(ctx context.Context, users []biz.UserID) []biz.PresenceState {
	found := make([]biz.PresenceState, len(users))
	for i, state := range d.whereabouts(ctx, users, presence.Online) {
		found[i] = stateFor(state)
	}
	return found
}

// whereabouts returns where users are, as far as that is enough: other nodes are asked for those who are less here.
func (d *Deliverer) whereabouts(ctx context.Context, users []biz.UserID, enough presence.State) []presence.State {
	states := make([]presence.State, len(users))
	var unsure []biz.UserID
	for i, u := range users {
		if states[i] = d.node.Presence().State(string(u)); states[i] < enough {
			unsure = append(unsure, u)
		}
	}
	if len(unsure) == 0 || d.node.Alone() {
		return states
	}
	elsewhere := d.online.among(ctx, unsure)
	for i, u := range users {
		states[i] = max(states[i], elsewhere[u])
	}
	return states
}

// stateFor is a state as clients are told.
func stateFor(s presence.State) biz.PresenceState {
	switch s {
	case presence.Online:
		return biz.PresenceOnline
	case presence.Away:
		return biz.PresenceAway
	}
	return biz.PresenceOffline
}
