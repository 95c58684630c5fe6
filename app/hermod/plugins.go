package hermod

import (
	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/transcriber/openai"
	"github.com/game-im/hermod/plugin"
)

// standard is the plugins that every node has. Those that Main is given come on top, and are chosen
// in the same way.
func standard(c *conf.Config) []plugin.Plugin {
	return []plugin.Plugin{
		openai.New(c.GetAudio().GetOpenai()),
	}
}
