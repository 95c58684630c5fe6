// Package transcriber says what a node is without one who writes down what is said in recordings. The ones
// that are shipped are below it.
package transcriber

import (
	"context"

	"github.com/game-im/hermod/plugin"
)

// Key is the key of the configuration that chooses a transcriber.
const Key = "audio.transcriber"

// None is the transcriber of a node that has none.
type None struct{}

// Transcribe refuses, and says what is missing.
func (None) Transcribe(context.Context, plugin.Audio) (plugin.Transcript, error) {
	return plugin.Transcript{}, plugin.Refused("this node has no transcriber; the key %s of its configuration sets one", Key)
}
