package plugins

import (
	"fmt"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/plugins/keys"
	"github.com/game-im/hermod/plugin"
)

// configure sets the keys of a plugin and has it check them. No text says a value: which of them are
// secret is not known.
func configure(p plugin.Plugin, given *structpb.Struct, at string) (problems conf.Problems) {
	c, ok := plugin.As[plugin.Configurable](p)
	switch {
	case ok:
		for _, wrong := range keys.Set(c.Config(), given.AsMap()) {
			problems = append(problems, conf.Problem{Path: below(at, wrong.Key), Text: wrong.Text})
		}
	case len(given.GetFields()) > 0:
		problems = append(problems, conf.Problem{Path: at, Text: fmt.Sprintf("the plugin %s has no keys", p.Name())})
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
