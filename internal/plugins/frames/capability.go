package frames

import (
	pluginv1 "github.com/game-im/hermod/api/plugin/v1"
	"github.com/game-im/hermod/plugin"
)

// Capabilities returns what a plugin can do.
func Capabilities(p plugin.Plugin) (all []pluginv1.Capability) {
	note := func(c pluginv1.Capability, ok bool) {
		if ok {
			all = append(all, c)
		}
	}
	note(pluginv1.Capability_CAPABILITY_MESSAGE_INTERCEPTOR, has[plugin.MessageInterceptor](p))
	note(pluginv1.Capability_CAPABILITY_MESSAGE_OBSERVER, has[plugin.MessageObserver](p))
	note(pluginv1.Capability_CAPABILITY_ROOM_OBSERVER, has[plugin.RoomObserver](p))
	note(pluginv1.Capability_CAPABILITY_ACTION_HANDLER, has[plugin.ActionHandler](p))
	note(pluginv1.Capability_CAPABILITY_AUTHENTICATOR, has[plugin.Authenticator](p))
	note(pluginv1.Capability_CAPABILITY_TRANSCRIBER, has[plugin.Transcriber](p))
	note(pluginv1.Capability_CAPABILITY_AUTHORIZER, has[plugin.Authorizer](p))
	note(pluginv1.Capability_CAPABILITY_SESSION_OBSERVER, has[plugin.SessionObserver](p))
	note(pluginv1.Capability_CAPABILITY_OFFLINE_NOTIFIER, has[plugin.OfflineNotifier](p))
	note(pluginv1.Capability_CAPABILITY_REFUSAL_OBSERVER, has[plugin.RefusalObserver](p))
	return all
}

func has[C any](p plugin.Plugin) bool {
	_, ok := plugin.As[C](p)
	return ok
}
