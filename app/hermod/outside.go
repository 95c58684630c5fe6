package hermod

import (
	"context"
	"log/slog"
	"path/filepath"
	"slices"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/plugins/remote"
	"github.com/game-im/hermod/internal/registry"
)

// openOutside starts and finds the plugins that run outside of the node.
func openOutside(ctx context.Context, c *conf.Config, d *doors, log *slog.Logger) (*remote.Plugins, error) {
	return remote.Open(ctx, c.GetPlugins(), remote.Options{
		Version: Version, Log: log,
		Find: func(names []string, found func(string, []remote.Address)) (func(context.Context), error) {
			r, err := d.registry(c, filepath.Join(c.GetData().GetDir(), "discovery-plugins"))
			if err != nil {
				return nil, err
			}
			always := func() ([]string, <-chan struct{}) { return slices.Clone(names), nil }
			f := registry.NewFinder(r, always, func(name string, at []registry.Found) {
				addrs := make([]remote.Address, len(at))
				for i, a := range at {
					addrs[i] = remote.Address{Address: a.Address, Secure: a.Secure}
				}
				found(name, addrs)
			}, log)
			return func(ctx context.Context) { _ = f.Run(ctx) }, nil // it returns none
		},
	})
}
