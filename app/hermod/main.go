package hermod

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/game-im/hermod/internal/conf"
	"github.com/game-im/hermod/internal/conf/centre"
	"github.com/game-im/hermod/plugin"
)

// Version is the version that the node reports; the build sets it.
var Version = "dev"

// Exit codes of Main.
const (
	exitFailure = 1
	exitUsage   = 2
)

// Main runs a node with plugins, which are all that it has, and the arguments of the process until SIGINT or
// SIGTERM, and exits with 0 after a clean stop, 2 for wrong arguments or configuration, and 1 for any other
// failure, or at once when such a signal comes again while it stops. A configuration that names a plugin which is
// not among them is refused, with those that are: what the defaults name, too, is in Standard.
func Main(plugins ...plugin.Plugin) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	// Whoever reads what a node writes may go away, such as a journal that is restarted. Writing fails then, and unless
	// somebody takes the signal that tells of it, the node would end.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	ctx, stop := context.WithCancel(context.Background())
	stderr := &patient{to: os.Stderr}
	go func() {
		again := heed(signals, stop)
		fmt.Fprintf(stderr, "hermod: the node was stopping and ends at once: %s came again\n", again)
		os.Exit(exitFailure)
	}()
	err := Run(ctx, os.Args[1:], os.Stdout, os.Stderr, plugins...)
	signal.Stop(signals)
	var problems conf.Problems
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
	case errors.As(err, &problems), errors.Is(err, errUsage):
		fmt.Fprintln(stderr, err)
		os.Exit(exitUsage)
	default:
		fmt.Fprintln(stderr, "hermod:", err)
		os.Exit(exitFailure)
	}
}

// Run runs a node with plugins, as Main does, until ctx ends, and returns once it has stopped. What it tells
// people goes to out, its log to logs. A plugin serves one node: another Run is given others.
func Run(ctx context.Context, args []string, out, logs io.Writer, plugins ...plugin.Plugin) error {
	o, err := parseFlags(args, out)
	if err != nil {
		return err
	}
	if o.version {
		_, err := fmt.Fprintln(out, "hermod", Version)
		return err
	}
	// A hang-up asks for the configuration to be read again. Before a node follows it, and once it stops, there is nothing
	// to do for it, and the node would end if nobody took the signal.
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	names := append(centre.Split(os.Getenv(centre.EnvSources)), o.conf...)
	sources, closeSources, err := centre.Sources(names, centre.Options{Dir: centre.DataDir(names, o.overrides)})
	if err != nil {
		return err
	}
	defer closeSources()
	set := conf.Set{Sources: sources, Overrides: o.overrides}
	loaded, err := set.LoadPatiently(ctx, func(err error, again time.Duration) {
		fmt.Fprintf(logs, "hermod: %v; trying again in %s\n", err, again)
	})
	if err != nil {
		return err
	}
	log, level := newLogger(loaded.Config.GetLog(), logs)
	through, closeDoors, err := openDoors(ctx, loaded.Config, plugins, log)
	if err != nil {
		return err
	}
	defer closeDoors()
	node, cleanup, err := assemble(ctx, loaded.Config, conf.NewLive(set, loaded, log), through, log, level)
	if err != nil {
		return err
	}
	defer cleanup()
	return node.run(ctx, out)
}
