package hermod

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/game-im/hermod/internal/conf"
)

var errUsage = errors.New("hermod -h shows what is allowed")

// options is what the command line says.
type options struct {
	conf      []string
	overrides []conf.Override
	version   bool
}

const usage = `hermod runs a node of the Hermod IM and push gateway.

It needs no configuration: without any it keeps its data in ./data and listens on the
loopback. Every key is explained in configs/hermod.yaml.

Flags:
`

func parseFlags(args []string, out io.Writer) (options, error) {
	var o options
	fs := flag.NewFlagSet("hermod", flag.ContinueOnError)
	fs.SetOutput(out)
	fs.Usage = func() {
		fmt.Fprint(out, usage)
		fs.PrintDefaults()
	}
	fs.Func("conf", "`source` whose keys replace the defaults: a file or folder of YAML, or an\naddress in a config centre (etcd://, consul://, nacos://); may be repeated,\nand comes after the sources that $HERMOD_CONF lists", func(s string) error {
		o.conf = append(o.conf, s)
		return nil
	})
	fs.BoolVar(&o.version, "version", false, "print the version and exit")
	for _, f := range conf.Flags {
		fs.Func(f.Name, f.Help, func(s string) error {
			o.overrides = append(o.overrides, f.Override(s))
			return nil
		})
	}
	switch err := fs.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return o, err
	case err != nil:
		return o, errUsage // the flag package has said what was wrong
	case fs.NArg() > 0:
		return o, fmt.Errorf("hermod takes no arguments, only flags; got %q: %w", strings.Join(fs.Args(), " "), errUsage)
	}
	return o, nil
}
