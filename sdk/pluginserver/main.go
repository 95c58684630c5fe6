package pluginserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/game-im/hermod/plugin"
)

const (
	// EnvListen is the environment variable that says where to listen: unix:/path, or host:port.
	EnvListen = "HERMOD_PLUGIN_LISTEN"
	// EnvSupervised is set when a node has started the process, whose standard input then ends with the
	// node.
	EnvSupervised = "HERMOD_PLUGIN_SUPERVISED"
)

// Main serves a plugin where HERMOD_PLUGIN_LISTEN says until SIGTERM or SIGINT, or until the node ends that
// has started the process. It then exits, with 0 if all went well, and 1 otherwise.
func Main(p plugin.Plugin) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	if os.Getenv(EnvSupervised) != "" {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin) // however it ends, nobody is there any more
			stop()
		}()
	}
	err := listenAndServe(ctx, os.Getenv(EnvListen), p)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func listenAndServe(ctx context.Context, address string, p plugin.Plugin) error {
	if address == "" {
		return errors.New(EnvListen + " is empty; unix:/path or host:port is expected, and a node sets it for the plugins that it starts")
	}
	network := "tcp"
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		network, address = "unix", path
	}
	lis, err := (&net.ListenConfig{}).Listen(ctx, network, address)
	if err != nil {
		return err
	}
	return Serve(ctx, lis, p)
}
