package hermod

import (
	"context"
	"log/slog"
	"slices"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/plugins"
	"github.com/game-im/hermod/internal/plugins/remote"
	"github.com/game-im/hermod/internal/transcriber"
	"github.com/game-im/hermod/plugin"
)

// doors are the plugins that stand for a part of the node each. What is shipped comes in by them as
// everything else does that is linked.
type doors struct {
	Authenticator plugin.Authenticator
	Transcriber   plugin.Transcriber
	Blobs         plugin.BlobStore
	Broker        plugin.Broker // nil: the node is alone

	Linked  []plugin.Plugin // all that there are, those that run outside of the node among them
	Outside *remote.Plugins
	chosen  *plugins.Chosen
}

// openDoors chooses among the linked plugins, and gets those ready that the configuration names. What is
// wrong with it is told as conf.Problems.
func openDoors(ctx context.Context, c *conf.Config, linked []plugin.Plugin, log *slog.Logger) (*doors, func(), error) {
	outside, err := openOutside(ctx, c, log)
	if err != nil {
		return nil, nil, err
	}
	linked = slices.Concat(linked, outside.Linked())
	ch := plugins.NewChosen(linked, c.GetPlugins(), log)
	blobs := c.GetData().GetBlobs()
	d := &doors{
		Authenticator: plugins.Choose[plugin.Authenticator](ch, plugins.Choice{
			Key: "auth.mode", Name: c.GetAuth().GetMode(), What: "authenticators",
			Keys: plugins.Section{Keys: conf.Keys(c.GetAuth().GetJwt()), At: "auth.jwt", Of: conf.ModeJWT},
		}),
		Transcriber: transcriber.None{},
		Blobs: plugins.Choose[plugin.BlobStore](ch, plugins.Choice{
			Key: "data.blobs.store", Name: blobs.GetStore(), What: "stores of recordings",
			Keys: plugins.Section{Keys: conf.Keys(blobs.GetS3()), At: "data.blobs.s3", Of: conf.BlobsS3},
		}),
		Linked: linked, Outside: outside, chosen: ch,
	}
	if name := c.GetAudio().GetTranscriber(); name != "" {
		d.Transcriber = plugins.Choose[plugin.Transcriber](ch, plugins.Choice{
			Key: transcriber.Key, Name: name, What: "transcribers",
			Keys: plugins.Section{Keys: conf.Keys(c.GetAudio().GetOpenai()), At: "audio.openai", Of: conf.TranscriberOpenAI},
		})
	}
	if c.GetCluster().Joined() {
		d.Broker = plugins.Choose[plugin.Broker](ch, plugins.Choice{
			Key: "cluster.type", Name: c.GetCluster().GetType(), What: "brokers",
			Keys: plugins.Section{Keys: conf.Keys(c.GetCluster()), At: "cluster"},
		})
	}
	if err := ch.Start(ctx, c.GetData().GetDir()); err != nil {
		outside.Close()
		return nil, nil, err
	}
	return d, func() { ch.Stop(); outside.Close() }, nil
}
