package pluginserver

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"

	pluginv1 "github.com/game-im/hermod/api/plugin/v1"
	"github.com/game-im/hermod/internal/plugins/frames"
	"github.com/game-im/hermod/plugin"
)

// handle makes a call of the plugin, and puts what it says into a.
func (s *server) handle(ctx context.Context, call *pluginv1.Call, a *pluginv1.Answer) error {
	switch r := call.GetRequest().(type) {
	case *pluginv1.Call_InterceptMessage:
		return with(s, func(p plugin.MessageInterceptor) error { return intercept(ctx, p, r.InterceptMessage, a) })
	case *pluginv1.Call_ObserveMessage:
		return with(s, func(p plugin.MessageObserver) error {
			return p.ObserveMessage(ctx, frames.ToMessage(r.ObserveMessage))
		})
	case *pluginv1.Call_ObserveRoom:
		return with(s, func(p plugin.RoomObserver) error { return p.ObserveRoom(ctx, frames.ToRoomEvent(r.ObserveRoom)) })
	case *pluginv1.Call_ObserveSession:
		return with(s, func(p plugin.SessionObserver) error {
			return p.ObserveSession(ctx, frames.ToSessionEvent(r.ObserveSession))
		})
	case *pluginv1.Call_ObserveRefusal:
		return with(s, func(p plugin.RefusalObserver) error {
			return p.ObserveRefusal(ctx, frames.ToRefusal(r.ObserveRefusal))
		})
	case *pluginv1.Call_NotifyOffline:
		return with(s, func(p plugin.OfflineNotifier) error {
			return p.NotifyOffline(ctx, frames.ToNotification(r.NotifyOffline))
		})
	case *pluginv1.Call_Authorize:
		return with(s, func(p plugin.Authorizer) error { return p.Authorize(ctx, frames.ToAccess(r.Authorize)) })
	case *pluginv1.Call_HandleAction:
		return with(s, func(p plugin.ActionHandler) error {
			answer, err := p.HandleAction(ctx, frames.ToAction(r.HandleAction))
			a.Outcome = &pluginv1.Answer_Action{Action: frames.FromAnswer(&answer)}
			return err
		})
	case *pluginv1.Call_Authenticate:
		return with(s, func(p plugin.Authenticator) error {
			who, err := p.Authenticate(ctx, frames.ToCredentials(r.Authenticate))
			a.Outcome = &pluginv1.Answer_Identity{Identity: frames.FromIdentity(&who)}
			return err
		})
	}
	return errors.New("the plugin does not know what it is asked for")
}

// with calls f with the plugin's capability C.
func with[C any](s *server, f func(C) error) error {
	c, ok := plugin.As[C](s.plugin)
	if !ok {
		return errors.New("the plugin cannot do what it is asked for")
	}
	return f(c)
}

// intercept answers with what the plugin has changed, and with nothing if that is nothing.
func intercept(ctx context.Context, p plugin.MessageInterceptor, asked *pluginv1.Message, a *pluginv1.Answer) error {
	given := frames.ToMessage(asked)
	m := given
	m.Content, m.Metadata = slices.Clone(given.Content), maps.Clone(given.Metadata)
	got, err := p.InterceptMessage(ctx, m)
	if err != nil {
		return err
	}
	if got.ID != given.ID || got.RoomID != given.RoomID || got.Seq != given.Seq || got.UserID != given.UserID ||
		got.ClientID != given.ClientID || got.Type != given.Type || !got.Time.Equal(given.Time) {
		return errors.New("it has changed more than content and metadata")
	}
	if !bytes.Equal(got.Content, given.Content) || !maps.Equal(got.Metadata, given.Metadata) {
		a.Outcome = &pluginv1.Answer_Payload{Payload: &pluginv1.Payload{Content: got.Content, Metadata: got.Metadata}}
	}
	return nil
}
