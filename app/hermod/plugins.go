package hermod

import (
	"log/slog"

	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/plugins"
	"github.com/game-im/hermod/internal/plugins/wordfilter"
	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/server"
	"github.com/game-im/hermod/internal/transcriber/openai"
	"github.com/game-im/hermod/plugin"
)

// standard is the plugins that every node has. Those that Main is given come on top, and are chosen
// in the same way.
func standard(c *conf.Config) []plugin.Plugin {
	return []plugin.Plugin{
		openai.New(c.GetAudio().GetOpenai()),
		wordfilter.New(),
	}
}

// The functions below put the host of plugins where the parts of a node meet.

func observed(h *plugins.Host, live plugins.Live) biz.Deliverer { return h.Observe(live) }

func intercepted(h *plugins.Host) biz.Interceptor { return h.Interceptor() }

func authorized(h *plugins.Host) biz.Authorizer { return h.Authorizer() }

// newCore returns what sessions share, which tells plugins of what happens to them.
func newCore(cfg session.Config, h *plugins.Host, log *slog.Logger) *session.Core {
	core := session.NewCore(cfg, log)
	protocol.TellSessions(core, h.Sessions())
	return core
}

func answering(h *plugins.Host, services *biz.Services) biz.Upstream { return h.Answer(services) }

func carriers(h *plugins.Host) []server.Carrier {
	var all []server.Carrier
	for _, c := range h.Carriers() {
		all = append(all, c)
	}
	return all
}
