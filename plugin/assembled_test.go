package plugin_test

import (
	"context"
	"testing"

	"github.com/game-im/hermod/plugin"
)

type part string

func (part) ObserveRoom(context.Context, plugin.RoomEvent) error { return nil }

type whole struct{ parts []any }

func (whole) Name() string { return "whole" }

func (w whole) Parts() []any { return w.parts }

func TestAs(t *testing.T) {
	t.Parallel()
	w := whole{[]any{5, part("a"), part("b"), tickets{}}}
	if got, ok := plugin.As[plugin.RoomObserver](w); !ok || got != part("a") {
		t.Errorf("got %v, %v", got, ok)
	}
	if _, ok := plugin.As[plugin.Authenticator](w); !ok {
		t.Error("a part is not found")
	}
	if got, ok := plugin.As[plugin.Transcriber](w); ok || got != nil {
		t.Errorf("got %v", got)
	}
	if _, ok := plugin.As[plugin.Authenticator](tickets{}); !ok {
		t.Error("a plugin of one piece is not found")
	}
	if _, ok := plugin.As[plugin.RoomObserver](tickets{}); ok {
		t.Error("a capability is found that is not there")
	}
}
