package server

import (
	"context"

	"github.com/game-im/hermod/internal/auth"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/realtime/overload"
)

// gate is what a connection of a client passes, on whatever transport.
type gate struct {
	clients *auth.Verifier
	ready   *Readiness
	load    *overload.Guard
}

// overloaded is the reason of refusals for a limit of the node.
const overloaded = protocol.ReasonOverloaded

// notServing is the reason of refusals while the node is starting or stopping.
const notServing = "NOT_SERVING"

// open is an error while the node is starting or stopping: whoever was just asked to come back elsewhere
// would be back here.
func (g gate) open() error {
	if g.ready.serving.Load() {
		return nil
	}
	return biz.Errorf(biz.KindUnavailable, notServing, "the node is starting or stopping; reconnect").After(g.load.Retry())
}

// enter takes a connection in. Its place is given back when it ends.
func (g gate) enter(remote string) (overload.Place, error) {
	if err := g.open(); err != nil {
		return overload.Place{}, err
	}
	place, refused := g.load.Enter(remote)
	if refused != nil {
		return place, protocol.Overloaded(refused)
	}
	return place, nil
}

// identify finds out who is there, by what header says.
func (g gate) identify(ctx context.Context, header func(string) string) (biz.Identity, error) {
	return identity(ctx, g.clients, header)
}
