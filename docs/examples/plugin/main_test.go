package main

import (
	"errors"
	"log/slog"
	"testing"

	"github.com/game-im/hermod/plugin"
	"github.com/game-im/hermod/plugin/plugintest"
)

func TestQuiet(t *testing.T) {
	quiet := slog.New(slog.DiscardHandler)
	q := NewQuiet(quiet)
	plugintest.Plugin(t, func() plugin.Plugin { return NewQuiet(quiet) })
	plugintest.MessageInterceptor(t, q)
	plugintest.RoomObserver(t, q)

	for text, fine := range map[string]bool{"Hello NATO": true, "WHERE ARE YOU?": false, "ABCDEFGHIJ": true, "ABCDEFGHIJK": false} {
		_, err := q.InterceptMessage(t.Context(), plugin.Message{Type: plugin.Text, Content: []byte(text)})
		var refused *plugin.Error
		if fine != (err == nil) || !fine && !errors.As(err, &refused) {
			t.Errorf("%s: %v", text, err)
		}
	}
}
