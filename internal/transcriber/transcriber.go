// Package transcriber says who writes down what is said in recordings: a plugin, or nobody. The
// ones that are shipped are below it.
package transcriber

import (
	"context"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/linked"
	"github.com/game-im/hermod/plugin"
)

const key = "audio.transcriber"

// New returns the transcriber that audio.transcriber names, of those that were linked, and None
// when it is empty.
func New(c *conf.Audio, plugins []plugin.Plugin) (plugin.Transcriber, error) {
	if c.GetTranscriber() == "" {
		return None{}, nil
	}
	return linked.Choose[plugin.Transcriber](plugins, key, c.GetTranscriber(), "transcribers")
}

// None is the transcriber of a node that has none.
type None struct{}

// Transcribe refuses, and says what is missing.
func (None) Transcribe(context.Context, plugin.Audio) (plugin.Transcript, error) {
	return plugin.Transcript{}, plugin.Refused("this node has no transcriber; the key %s of its configuration sets one", key)
}
