package plugintest

import (
	"context"
	"errors"
	"testing"

	"github.com/game-im/hermod/plugin"
)

// gate is a plugin that authorizes, observes sessions and refusals, and notifies.
type gate struct{}

func (gate) Authorize(_ context.Context, a plugin.Access) error {
	if a.Kind == plugin.Push {
		return plugin.PermissionDenied("no pushes here")
	}
	return nil
}

func (gate) ObserveSession(context.Context, plugin.SessionEvent) error {
	return errors.New("disk full")
}

func (gate) ObserveRefusal(_ context.Context, r plugin.Refusal) error {
	clear(r.Message.Content) // its own
	return errors.New("disk full")
}

func (gate) NotifyOffline(_ context.Context, n plugin.Notification) error {
	if n.Message == nil && n.Push == nil {
		return errors.New("nothing")
	}
	return plugin.Unavailable("later", nil)
}

func TestWhatIsRightOfHooksPasses(t *testing.T) {
	t.Parallel()
	Authorizer(t, gate{}, plugin.Access{Kind: plugin.Send})
	SessionObserver(t, gate{})
	RefusalObserver(t, gate{})
	OfflineNotifier(t, gate{}, plugin.Notification{})
}

// TestFaultsOfHooksAreFound: what a caller could not be told, and a panic.
func TestFaultsOfHooksAreFound(t *testing.T) {
	t.Parallel()
	for what, err := range map[string]error{
		"an empty reason": answered(plugin.Refused("")),
		"a panic":         answered(called(func() error { panic("oh") })),
	} {
		if err == nil {
			t.Errorf("%s was not found", what)
		}
	}
}
