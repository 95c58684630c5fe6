package hermod

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/data"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/registry"
	"github.com/game-im/hermod/internal/server"
	"github.com/game-im/hermod/plugin"
)

// tunable is what takes new settings while the node runs. The keys behind them are those that
// internal/conf calls live.
type tunable struct {
	Level       *slog.LevelVar
	Rooms       *biz.Rooms
	Messages    *biz.Messages
	Ephemerals  *biz.Ephemerals
	Watermarks  *biz.Watermarks
	Pushes      *biz.Pushes
	Audios      *biz.Audios
	URLKey      urlKey
	Transcripts *biz.Transcripts
	Services    *biz.Services
	Janitor     *data.Janitor
	Streams     server.Streams
	Sessions    *session.Core
	Registry    *registry.Keeper
	Log         *slog.Logger
}

func (t *tunable) apply(c *conf.Config) {
	t.Level.Set(logLevel(c.GetLog()))
	t.Rooms.SetRules(roomRules(c))
	t.Messages.SetRules(messageRules(c))
	t.Ephemerals.SetRules(ephemeralRules(c))
	t.Watermarks.SetRules(watermarkRules(c))
	t.Pushes.SetRules(pushRules(c))
	t.Audios.SetRules(audioRules(c, t.URLKey))
	t.Transcripts.SetRules(transcriptRules(c))
	t.Services.SetRules(upstreamRules(c))
	t.Janitor.SetRetention(retention(c))
	t.Streams.IM.SetConfig(imConfig(c))
	t.Streams.Gateway.SetConfig(gatewayConfig(c))
	t.Sessions.SetConfig(sessionConfig(c))
	if err := t.Registry.SetWeight(registryWeight(c)); err != nil {
		t.Log.Error("the node keeps its weight in the registry", "error", err) // the configuration was checked
	}
}

// followConfiguration applies what changes in the configuration, and reads it again on SIGHUP.
func (a *app) followConfiguration(ctx context.Context) error {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	var wg sync.WaitGroup
	wg.Go(func() {
		for range hup {
			a.Live.Reload()
		}
	})
	defer wg.Wait()
	defer close(hup)
	defer signal.Stop(hup)
	started := plugin.WithDataDir(ctx, a.Conf.GetData().GetDir())
	return a.Live.Run(ctx, func(c *conf.Config) {
		a.Tunable.apply(c)
		a.Plugins.Reconfigure(started, c.GetPlugins())
	}, a.Plugins.Swaps)
}
