package hermod

import (
	"log/slog"
	"slices"

	"github.com/game-im/hermod/internal/auth"
	"github.com/game-im/hermod/internal/biz"
	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/data"
	"github.com/game-im/hermod/internal/data/blob"
	"github.com/game-im/hermod/internal/engines"
	"github.com/game-im/hermod/internal/plugins"
	"github.com/game-im/hermod/internal/plugins/auditlog"
	"github.com/game-im/hermod/internal/plugins/floodguard"
	"github.com/game-im/hermod/internal/plugins/kafkaexport"
	"github.com/game-im/hermod/internal/plugins/mobilepush"
	"github.com/game-im/hermod/internal/plugins/natsexport"
	"github.com/game-im/hermod/internal/plugins/webhook"
	"github.com/game-im/hermod/internal/plugins/wordfilter"
	"github.com/game-im/hermod/internal/protocol"
	"github.com/game-im/hermod/internal/realtime/session"
	"github.com/game-im/hermod/internal/registry"
	"github.com/game-im/hermod/internal/server"
	"github.com/game-im/hermod/internal/transcriber/openai"
	"github.com/game-im/hermod/plugin"
	"github.com/game-im/hermod/plugin/kratosplugin"
)

// Standard returns the plugins that are shipped, fresh ones each time: Main and Run have none but those that
// they are given. Each takes its keys from the configuration if that names it, and is nothing otherwise.
func Standard() []plugin.Plugin {
	return slices.Concat(
		auth.Standard(),
		blob.Standard(),
		engines.Standard(),
		registry.Standard(),
		[]plugin.Plugin{
			openai.New(openai.Keys{BaseURL: "https://api.openai.com/v1", Model: "whisper-1"}),
			auditlog.New(),
			floodguard.New(),
			kafkaexport.New(),
			mobilepush.New(),
			natsexport.New(),
			webhook.New(),
			wordfilter.New(),
		},
	)
}

// The functions below put the host of plugins where the parts of a node meet.

func newHost(configured []*conf.Plugin, linked []plugin.Plugin, d *doors, m *plugins.Metrics, log *slog.Logger) (*plugins.Host, error) {
	return plugins.New(configured, linked, m, log, d.chosen.Names()...)
}

// town is what knows who is in rooms, and who is there.
type town struct {
	biz.RoomRepo
	biz.MemberRepo
	biz.Presence
}

func observed(h *plugins.Host, live *protocol.Deliverer, rooms *data.Rooms, members *data.Members) biz.Deliverer {
	h.Seek(town{rooms, members, live})
	return h.Observe(live)
}

func noticed(h *plugins.Host, inbox *data.Inbox) biz.Inbox { return h.Keep(inbox) }

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

// around returns the middleware of the plugins that have any.
func around(h *plugins.Host) (all server.Around) {
	for _, p := range plugins.With[kratosplugin.UnaryMiddleware](h) {
		all = append(all, p.Middleware())
	}
	return all
}
