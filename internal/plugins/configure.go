package plugins

import (
	"fmt"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/plugins/keys"
	"github.com/game-im/hermod/plugin"
)

// given is keys for a plugin, and where they stand.
type given struct {
	keys map[string]any
	at   string
	kind bool // they are the schema's, for plugins of a kind: those that this one has no fields for are not its
}

// configure sets the keys of a plugin, one section after another, and has it check them, which at stands for.
// No text says a value: which of them are secret is not known.
func configure(p plugin.Plugin, at string, sections ...given) (problems conf.Problems) {
	c, ok := plugin.As[plugin.Configurable](p)
	var into any
	if ok {
		into = c.Config()
	}
	for _, g := range sections {
		switch {
		case ok:
			if g.kind {
				g.keys = keys.Known(into, g.keys)
			}
			for _, wrong := range keys.Set(into, g.keys) {
				problems = append(problems, conf.Problem{Path: below(g.at, wrong.Key), Text: wrong.Text})
			}
		case len(g.keys) > 0 && !g.kind:
			problems = append(problems, conf.Problem{Path: g.at, Text: fmt.Sprintf("the plugin %s has no keys", p.Name())})
		}
	}
	if v, ok := plugin.As[plugin.Validator](p); ok && len(problems) == 0 {
		if err := v.Validate(); err != nil {
			problems = append(problems, conf.Problem{Path: at, Text: err.Error()})
		}
	}
	return problems
}

func below(at, key string) string {
	if key == "" {
		return at
	}
	return at + "." + key
}
