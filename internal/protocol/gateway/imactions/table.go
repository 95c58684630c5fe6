package imactions

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/game-im/hermod/internal/protocol/gateway"
)

// action is one that a session may ask for. It answers the request, unless it returns an error.
type action func(a *Actions, ctx context.Context, r *gateway.Request) error

// table has every action under its name, in lower case.
var table = tableOf(
	map[string]action{
		"im.open":       (*Actions).open,
		"im.join":       (*Actions).join,
		"im.leave":      (*Actions).leave,
		"im.send":       (*Actions).send,
		"im.room":       (*Actions).room,
		"im.users":      (*Actions).users,
		"im.transcript": (*Actions).transcript,
		"im.audio_url":  (*Actions).audioURL,
		"im.history":    (*Actions).history,
		"im.sync":       (*Actions).sync,
		"im.read":       (*Actions).read,
		"im.search":     (*Actions).search,
	},
	messageActions(),
	liveActions(),
	roomActions(),
	memberActions(),
)

// known names them all, for who asks for another.
var known = strings.Join(slices.Sorted(maps.Keys(table)), ", ")

func tableOf(parts ...map[string]action) map[string]action {
	all := make(map[string]action)
	for _, part := range parts {
		maps.Copy(all, part)
	}
	return all
}
