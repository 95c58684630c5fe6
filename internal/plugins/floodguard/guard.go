// Package floodguard is the plugin flood-guard: it refuses what somebody says too fast, or too many in one room.
//
// A Guard is safe for concurrent use. It has no goroutine.
package floodguard

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/game-im/hermod/plugin"
)

// Keys are what the configuration sets.
type Keys struct {
	PerUser   float64  `json:"per_user"` // messages a second, on average; 0: no limit
	UserBurst int      `json:"burst"`    // of them at once
	PerRoom   float64  `json:"per_room"`
	RoomBurst int      `json:"room_burst"`
	Most      int      `json:"remember"` // users, and rooms, that are known at a time
	Reason    string   `json:"reason"`
	RoomSays  string   `json:"room_reason"`
	Exempt    []string `json:"exempt_roles"` // in the room, or of the credentials
}

// Guard is the plugin. The zero Guard is not ready: see New.
type Guard struct {
	keys  Keys
	users *buckets
	rooms *buckets
	now   func() time.Time
}

// New returns the plugin with its defaults.
func New() *Guard {
	return &Guard{now: time.Now, keys: Keys{
		PerUser: 5, UserBurst: 20, RoomBurst: 200, Most: 100_000, Exempt: []string{"service"},
		Reason:   "you are sending too fast; wait a moment",
		RoomSays: "this room is too busy; wait a moment",
	}}
}

// Name implements plugin.Plugin.
func (*Guard) Name() string { return "flood-guard" }

// Renew implements plugin.Renewable. What was counted is forgotten.
func (*Guard) Renew() plugin.Plugin { return New() }

// Config implements plugin.Configurable.
func (g *Guard) Config() any { return &g.keys }

// Validate implements plugin.Validator.
func (g *Guard) Validate() error {
	k := &g.keys
	for name, perSecond := range map[string]float64{"per_user": k.PerUser, "per_room": k.PerRoom} {
		if perSecond < 0 || perSecond > 1e6 || math.IsNaN(perSecond) {
			return fmt.Errorf("%s is %v messages a second; 0 (no limit) to 1000000 is allowed", name, perSecond)
		}
	}
	for name, burst := range map[string]int{"burst": k.UserBurst, "room_burst": k.RoomBurst} {
		if burst < 1 || burst > 1e6 {
			return fmt.Errorf("%s is %d messages; 1 to 1000000 is allowed", name, burst)
		}
	}
	if k.Most < 100 || k.Most > 10e6 {
		return fmt.Errorf("remember is %d; 100 to 10000000 is allowed", k.Most)
	}
	if k.Reason == "" || k.RoomSays == "" {
		return errors.New("reason and room_reason say what a sender is told; they are not empty")
	}
	if k.PerUser == 0 && k.PerRoom == 0 {
		return errors.New("per_user and per_room are both 0, so that nothing is limited")
	}
	return nil
}

// Start implements plugin.Starter.
func (g *Guard) Start(context.Context) (err error) {
	if g.users, err = newBuckets(g.keys.PerUser, g.keys.UserBurst, g.keys.Most); err != nil {
		return err
	}
	g.rooms, err = newBuckets(g.keys.PerRoom, g.keys.RoomBurst, g.keys.Most)
	return err
}

// Authorize implements plugin.Authorizer: it decides about what is said, and allows everything else. What a user's own
// limit refuses does not count against the room.
func (g *Guard) Authorize(_ context.Context, a plugin.Access) error {
	if a.Kind != plugin.Send || g.exempt(&a) {
		return nil
	}
	now := g.now()
	if !g.users.take(a.UserID, now) {
		return plugin.Refused("%s", g.keys.Reason)
	}
	if !g.rooms.take(a.RoomID, now) {
		return plugin.Refused("%s", g.keys.RoomSays)
	}
	return nil
}

func (g *Guard) exempt(a *plugin.Access) bool {
	for _, role := range g.keys.Exempt {
		if role == a.Role {
			return true
		}
		for _, own := range a.Roles {
			if role == own {
				return true
			}
		}
	}
	return false
}
