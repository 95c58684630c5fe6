package hermod

import (
	"fmt"
	"log/slog"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/registry"
	"github.com/game-im/hermod/internal/server"
)

func registryWeight(c *conf.Config) int { return int(c.GetRegistry().GetWeight()) }

// listing is what a registration goes through and by, and where it is told how it stands.
type listing struct {
	Doors   *doors
	Ready   *server.Readiness
	Status  *registry.Status
	Metrics *registry.Metrics
}

// newKeeper keeps the node registered at the addresses that its listeners were opened with.
func newKeeper(c *conf.Config, im *server.IM, g *server.Gateway, l listing, log *slog.Logger) (*registry.Keeper, error) {
	r, err := l.Doors.registry(c, c.GetData().GetDir())
	if err != nil {
		return nil, err
	}
	at, err := registry.Advertised(c.GetRegistry(), im.Addr(), g.Addr())
	if err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	at.IM.Secure = c.GetServer().GetIm().GetTls().Enabled()
	at.Gateway.Secure = c.GetServer().GetGateway().GetTls().Enabled()
	return registry.NewKeeper(r, registry.Instances(c.GetRegistry(), at, Version), registry.Options{
		Type: c.GetRegistry().GetType(), TTL: c.GetRegistry().GetTtl().AsDuration(),
		Healthy: l.Ready.Ready, Status: l.Status, Metrics: l.Metrics, Log: log,
	}), nil
}
