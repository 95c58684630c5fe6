package transcriber_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/game-im/hermod/internal/transcriber"
	"github.com/game-im/hermod/plugin"
)

func TestNone(t *testing.T) {
	t.Parallel()
	_, err := transcriber.None{}.Transcribe(t.Context(), plugin.Audio{})
	var refused *plugin.Error
	if !errors.As(err, &refused) || refused.Kind != plugin.KindRefused || !strings.Contains(refused.Reason, transcriber.Key) {
		t.Errorf("got %v", err)
	}
}
