package hermodctl

import (
	"context"
	"os"

	"github.com/spf13/pflag"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/conf/centre"
)

// overrideFlags are the flags that a node has for single keys. They are given to see what it would
// make of them.
type overrideFlags struct {
	flags  *pflag.FlagSet
	values map[string]*string
}

func newOverrideFlags(flags *pflag.FlagSet) overrideFlags {
	given := overrideFlags{flags, map[string]*string{}}
	for _, f := range conf.Flags {
		given.values[f.Name] = flags.String(f.Name, "", "as the node is started with: "+f.Help)
	}
	return given
}

func (o overrideFlags) overrides() []conf.Override {
	var all []conf.Override
	for _, f := range conf.Flags {
		if o.flags.Changed(f.Name) { // also to nothing, which turns QUIC off
			all = append(all, f.Override(*o.values[f.Name]))
		}
	}
	return all
}

// load loads what a node would load that is started with these sources and flags in this
// environment.
func (o overrideFlags) load(ctx context.Context, names []string) (*conf.Merged, error) {
	dir, err := os.MkdirTemp("", "hermodctl-") // for the client of Nacos: not the node's own directory
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	names = append(centre.Split(os.Getenv(centre.EnvSources)), names...)
	sources, cleanup, err := centre.Sources(names, centre.Options{Dir: dir})
	if err != nil {
		return nil, err
	}
	defer cleanup()
	return conf.Set{Sources: sources, Overrides: o.overrides()}.Load(ctx)
}
