package remote

import (
	"context"
	"fmt"
	"maps"
	"slices"

	pluginv1 "github.com/game-im/hermod/api/plugin/v1"
	"github.com/game-im/hermod/internal/plugins/frames"
	"github.com/game-im/hermod/plugin"
)

// part makes the value that has a capability.
var part = map[pluginv1.Capability]func(*Plugin) any{
	pluginv1.Capability_CAPABILITY_MESSAGE_INTERCEPTOR: func(p *Plugin) any { return interceptor{p} },
	pluginv1.Capability_CAPABILITY_MESSAGE_OBSERVER:    func(p *Plugin) any { return messageObserver{p} },
	pluginv1.Capability_CAPABILITY_ROOM_OBSERVER:       func(p *Plugin) any { return roomObserver{p} },
	pluginv1.Capability_CAPABILITY_ACTION_HANDLER:      func(p *Plugin) any { return actionHandler{p} },
	pluginv1.Capability_CAPABILITY_AUTHENTICATOR:       func(p *Plugin) any { return authenticator{p} },
	pluginv1.Capability_CAPABILITY_TRANSCRIBER:         func(p *Plugin) any { return transcriber{p} },
	pluginv1.Capability_CAPABILITY_AUTHORIZER:          func(p *Plugin) any { return authorizer{p} },
	pluginv1.Capability_CAPABILITY_SESSION_OBSERVER:    func(p *Plugin) any { return sessionObserver{p} },
	pluginv1.Capability_CAPABILITY_OFFLINE_NOTIFIER:    func(p *Plugin) any { return offlineNotifier{p} },
	pluginv1.Capability_CAPABILITY_REFUSAL_OBSERVER:    func(p *Plugin) any { return refusalObserver{p} },
}

// partsOf returns what of the plugin's capabilities this node knows.
func partsOf(p *Plugin) (parts []any) {
	for _, c := range slices.Compact(slices.Sorted(slices.Values(p.can))) {
		if known := part[c]; known != nil {
			parts = append(parts, known(p))
		}
	}
	return parts
}

// tell makes a call whose answer is that all is well, or an error.
func (p *Plugin) tell(ctx context.Context, c *pluginv1.Call) error {
	a, err := p.ask(ctx, c)
	if err != nil {
		return err
	}
	return outcome(a, a.GetOutcome() == nil)
}

// outcome is the error of an answer, which is one if it is not of the kind that was asked for.
func outcome(a *pluginv1.Answer, expected bool) error {
	if a.GetError() != nil {
		return frames.ToError(a.GetError())
	}
	if !expected {
		return fmt.Errorf("it has answered something else than it was asked: %T", a.GetOutcome())
	}
	return nil
}

type interceptor struct{ of *Plugin }

// InterceptMessage implements plugin.MessageInterceptor.
func (i interceptor) InterceptMessage(ctx context.Context, m plugin.Message) (plugin.Message, error) {
	a, err := i.of.ask(ctx, &pluginv1.Call{Request: &pluginv1.Call_InterceptMessage{InterceptMessage: frames.FromMessage(&m)}})
	if err != nil {
		return m, err
	}
	if err := outcome(a, a.GetOutcome() == nil || a.GetPayload() != nil); err != nil {
		return m, err
	}
	if p := a.GetPayload(); p != nil {
		m.Content, m.Metadata = p.GetContent(), p.GetMetadata()
	}
	return m, nil
}

type messageObserver struct{ of *Plugin }

// ObserveMessage implements plugin.MessageObserver.
func (o messageObserver) ObserveMessage(ctx context.Context, m plugin.Message) error {
	return o.of.tell(ctx, &pluginv1.Call{Request: &pluginv1.Call_ObserveMessage{ObserveMessage: frames.FromMessage(&m)}})
}

type roomObserver struct{ of *Plugin }

// ObserveRoom implements plugin.RoomObserver.
func (o roomObserver) ObserveRoom(ctx context.Context, e plugin.RoomEvent) error {
	return o.of.tell(ctx, &pluginv1.Call{Request: &pluginv1.Call_ObserveRoom{ObserveRoom: frames.FromRoomEvent(&e)}})
}

type sessionObserver struct{ of *Plugin }

// ObserveSession implements plugin.SessionObserver.
func (o sessionObserver) ObserveSession(ctx context.Context, e plugin.SessionEvent) error {
	return o.of.tell(ctx, &pluginv1.Call{Request: &pluginv1.Call_ObserveSession{ObserveSession: frames.FromSessionEvent(&e)}})
}

type refusalObserver struct{ of *Plugin }

// ObserveRefusal implements plugin.RefusalObserver.
func (o refusalObserver) ObserveRefusal(ctx context.Context, r plugin.Refusal) error {
	return o.of.tell(ctx, &pluginv1.Call{Request: &pluginv1.Call_ObserveRefusal{ObserveRefusal: frames.FromRefusal(&r)}})
}

type offlineNotifier struct{ of *Plugin }

// NotifyOffline implements plugin.OfflineNotifier.
func (o offlineNotifier) NotifyOffline(ctx context.Context, n plugin.Notification) error {
	return o.of.tell(ctx, &pluginv1.Call{Request: &pluginv1.Call_NotifyOffline{NotifyOffline: frames.FromNotification(&n)}})
}

type authorizer struct{ of *Plugin }

// Authorize implements plugin.Authorizer.
func (a authorizer) Authorize(ctx context.Context, access plugin.Access) error {
	return a.of.tell(ctx, &pluginv1.Call{Request: &pluginv1.Call_Authorize{Authorize: frames.FromAccess(&access)}})
}

type actionHandler struct{ of *Plugin }

// Actions implements plugin.ActionHandler.
func (h actionHandler) Actions() []string { return slices.Clone(h.of.actions) }

// HandleAction implements plugin.ActionHandler.
func (h actionHandler) HandleAction(ctx context.Context, action plugin.Action) (plugin.Answer, error) {
	a, err := h.of.ask(ctx, &pluginv1.Call{Request: &pluginv1.Call_HandleAction{HandleAction: frames.FromAction(&action)}})
	if err != nil {
		return plugin.Answer{}, err
	}
	if err := outcome(a, a.GetAction() != nil); err != nil {
		return plugin.Answer{}, err
	}
	answer := frames.ToAnswer(a.GetAction())
	answer.Headers = maps.Clone(answer.Headers)
	return answer, nil
}

type authenticator struct{ of *Plugin }

// Authenticate implements plugin.Authenticator.
func (a authenticator) Authenticate(ctx context.Context, c plugin.Credentials) (plugin.Identity, error) {
	answer, err := a.of.ask(ctx, &pluginv1.Call{Request: &pluginv1.Call_Authenticate{Authenticate: frames.FromCredentials(&c)}})
	if err != nil {
		return plugin.Identity{}, err
	}
	if err := outcome(answer, answer.GetIdentity() != nil); err != nil {
		return plugin.Identity{}, err
	}
	return frames.ToIdentity(answer.GetIdentity()), nil
}
