package hermod

import (
	"context"
	"fmt"
	"log/slog"
	"slices"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/plugins"
	"github.com/game-im/hermod/internal/plugins/remote"
	"github.com/game-im/hermod/internal/registry"
	"github.com/game-im/hermod/internal/transcriber"
	"github.com/game-im/hermod/plugin"
)

// doors are the plugins that stand for a part of the node each. What is shipped comes in by them as
// everything else does that is linked.
type doors struct {
	Broker        plugin.Broker   // nil: the node is alone
	Registry      plugin.Registry // nil: it is not to be found
	Authenticator plugin.Authenticator
	Transcriber   plugin.Transcriber
	Blobs         plugin.BlobStore

	Linked  []plugin.Plugin // all that there are, those that run outside of the node among them
	Outside *remote.Plugins

	chosen *plugins.Chosen
}

// openDoors chooses among the linked plugins, and gets those ready that the configuration names. What is
// wrong with it is told as conf.Problems. Whom the node finds by a registry comes behind it, and what may
// run outside of the node behind that.
func openDoors(ctx context.Context, c *conf.Config, linked []plugin.Plugin, log *slog.Logger) (*doors, func(), error) {
	d := &doors{Linked: linked, chosen: plugins.NewChosen(linked, c.GetPlugins(), log)}
	err := d.toNeighbours(ctx, c)
	if err == nil {
		err = d.toOutside(ctx, c, log)
	}
	if err == nil {
		err = d.toParts(ctx, c)
	}
	if err != nil {
		d.close()
		return nil, nil, err
	}
	return d, d.close, nil
}

func (d *doors) close() {
	if d.Outside != nil {
		d.Outside.Close()
	}
	d.chosen.Stop()
}

// toNeighbours chooses what connects the node with others.
func (d *doors) toNeighbours(ctx context.Context, c *conf.Config) error {
	ch := d.chosen
	if c.GetCluster().Joined() {
		d.Broker = plugins.Choose[plugin.Broker](ch, plugins.Choice{
			Key: "cluster.type", Name: c.GetCluster().GetType(), What: "brokers",
			Keys: plugins.Section{Keys: conf.Keys(c.GetCluster()), At: "cluster"},
		})
	}
	if name := c.GetRegistry().GetType(); name != conf.RegistryNone {
		d.Registry = plugins.Choose[plugin.Registry](ch, plugins.Choice{
			Key: "registry.type", Name: name, What: "registries",
			Keys: plugins.Section{Keys: conf.Keys(c.GetRegistry()), At: "registry"},
		})
	}
	return ch.Start(ctx, c.GetData().GetDir())
}

// toOutside connects to the plugins that run outside of the node.
func (d *doors) toOutside(ctx context.Context, c *conf.Config, log *slog.Logger) (err error) {
	if d.Outside, err = openOutside(ctx, c, d, log); err != nil {
		return err
	}
	d.Linked = slices.Concat(d.Linked, d.Outside.Linked())
	d.chosen.Link(d.Outside.Linked()...)
	return nil
}

// toParts chooses what the node is made of.
func (d *doors) toParts(ctx context.Context, c *conf.Config) error {
	ch := d.chosen
	blobs := c.GetData().GetBlobs()
	d.Authenticator = plugins.Choose[plugin.Authenticator](ch, plugins.Choice{
		Key: "auth.mode", Name: c.GetAuth().GetMode(), What: "authenticators",
		Keys: plugins.Section{Keys: conf.Keys(c.GetAuth().GetJwt()), At: "auth.jwt", Of: conf.ModeJWT},
	})
	d.Blobs = plugins.Choose[plugin.BlobStore](ch, plugins.Choice{
		Key: "data.blobs.store", Name: blobs.GetStore(), What: "stores of recordings",
		Keys: plugins.Section{Keys: conf.Keys(blobs.GetS3()), At: "data.blobs.s3", Of: conf.BlobsS3},
	})
	d.Transcriber = transcriber.None{}
	if name := c.GetAudio().GetTranscriber(); name != "" {
		d.Transcriber = plugins.Choose[plugin.Transcriber](ch, plugins.Choice{
			Key: transcriber.Key, Name: name, What: "transcribers",
			Keys: plugins.Section{Keys: conf.Keys(c.GetAudio().GetOpenai()), At: "audio.openai", Of: conf.TranscriberOpenAI},
		})
	}
	return ch.Start(ctx, c.GetData().GetDir())
}

// registry returns a connection to the node's registry, whose files are in dir.
func (d *doors) registry(c *conf.Config, dir string) (registry.Registrar, error) {
	if d.Registry == nil {
		return registry.Nowhere{}, nil
	}
	r, err := d.Registry.OpenRegistry(plugin.RegistryUse{Dir: dir, TTL: c.GetRegistry().GetTtl().AsDuration()})
	if err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	return r, nil
}
