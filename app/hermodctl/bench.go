package hermodctl

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/game-im/hermod/app/hermodctl/bench"
)

// benchMode is a mode as a command: what it is for, and how its defaults differ.
type benchMode struct {
	mode                 bench.Mode
	short, long, example string
	defaults             bench.Plan
	rooms, window        bool   // it has these flags
	protocols            string // that may be chosen; empty where there is one
}

const protocolsOfPushes = "im or gateway"

var benchModes = []benchMode{{
	mode: bench.Fanout, short: "One member of each room sends, the others receive",
	long: `fanout has one sender in each room. It is at most --window messages ahead of the
slowest receiver, so that it measures what a node can do and not how it turns
away those who are slow.`,
	example: `  hermodctl bench fanout --connections 1000
  # at a rate, to see how long a message takes
  hermodctl bench fanout --transport websocket --connections 101 --rate 100`,
	defaults: bench.Plan{Protocol: bench.IM, Connections: 101, Rooms: 1, InFlight: 256}, rooms: true, window: true,
}, {
	mode: bench.Rooms, short: "Everybody in many rooms sends",
	long: `rooms spreads its clients over rooms in which they all send, with so many messages
unanswered each. A message is answered when it is stored, in rooms that are.`,
	example: `  hermodctl bench rooms --rooms 100 --connections 1000
  hermodctl bench rooms --rooms 100 --connections 1000 --rate 5000`,
	defaults: bench.Plan{Protocol: bench.IM, Connections: 100, Rooms: 10, InFlight: 1}, rooms: true,
}, {
	mode: bench.Broadcast, short: "A service broadcasts to everybody who is connected",
	long: `broadcast calls BroadcastToClients of the gateway, --in-flight calls at a time.
Whoever else is connected to the node gets the broadcasts too.`,
	example: `  hermodctl bench broadcast --transport websocket --connections 1000
  hermodctl bench broadcast --transport quic --skip-verify --connections 100`,
	defaults: bench.Plan{Protocol: bench.Gateway, Connections: 100, InFlight: 4}, window: true, protocols: protocolsOfPushes,
}, {
	mode: bench.Push, short: "A service pushes to single clients, or to batches",
	long: `push calls PushToClient of the gateway for one client after another, or with
--batch BatchPushToClients for so many, --in-flight calls at a time.`,
	example: `  hermodctl bench push --in-flight 64
  hermodctl bench push --connections 1000 --batch 1000`,
	defaults: bench.Plan{Protocol: bench.Gateway, Connections: 100, InFlight: 64}, window: true, protocols: protocolsOfPushes,
}, {
	mode: bench.Request, short: "Clients ask their service through the gateway",
	long: `request has every client send business requests, --in-flight at a time, and wait
for the answers of the service that the gateway routes --action to. With --protocol
upstream they go to a business service itself, over gRPC: what the gateway adds is
the difference.`,
	example: `  hermodctl bench request --transport websocket
  hermodctl bench request --action echo --connections 200 --rate 5000
  hermodctl bench request --protocol upstream --addr 127.0.0.1:9000 --rate 5000`,
	defaults: bench.Plan{Protocol: bench.Gateway, Connections: 100, InFlight: 1}, protocols: "gateway, or upstream (over grpc)",
}, {
	mode: bench.Idle, short: "Clients are connected, and that is all",
	long: `idle connects its clients and leaves them alone for --duration. What each costs the
node is the growth of its resident memory; garbage that Go has not returned yet counts.`,
	example: `  hermodctl bench idle --transport websocket --connections 2000
  hermodctl bench idle --transport quic --skip-verify --connections 500 --protocol gateway`,
	defaults: bench.Plan{Protocol: bench.Gateway, Connections: 1000, InFlight: 1}, rooms: true, protocols: protocolsOfPushes,
}}

func newBench(s *streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bench MODE",
		Short: "Load a running node and measure it",
		Long: `bench connects clients to a running node, makes them or a service send, and checks
everything that comes: each message once and in its order. It tells deliveries per
second, how long they took, what went wrong, and what that cost the node's process
when it is on this machine.

The limits of the node hold: one that is to be loaded by few clients needs a high
session.sends_per_second and session.send_burst. An interrupt ends the load and
shows the result so far. The exit code is 0 only if nothing went wrong.`,
		Example: `  hermodctl bench fanout --connections 1000
  hermodctl bench push --batch 100 --json`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cmd.Help()
			}
			return usagef("there is no mode %q; allowed are fanout, rooms, broadcast, push, request, idle", args[0])
		},
	}
	for _, m := range benchModes {
		cmd.AddCommand(m.command(s))
	}
	return cmd
}

func (m *benchMode) command(s *streams) *cobra.Command {
	f := &benchFlags{plan: m.defaults}
	f.plan.Mode = m.mode
	cmd := &cobra.Command{
		Use: string(m.mode), Short: m.short, Long: m.long, Example: m.example, Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return runBench(cmd.Context(), f, s) },
	}
	f.register(cmd.Flags(), m)
	return cmd
}

func runBench(ctx context.Context, f *benchFlags, s *streams) error {
	plan, err := f.complete(ctx, s.err)
	if err != nil {
		return err
	}
	bar := &bench.Bar{Out: s.err, Terminal: isTerminal(s.err)}
	result, err := bench.Run(ctx, plan, bar.Show)
	bar.Clear()
	if err != nil {
		return describeLoad(ctx, err, &plan)
	}
	if f.json {
		err = writeJSON(s, result)
	} else {
		err = result.WriteText(s.out)
	}
	if n := result.ErrorTotal(); err == nil && n > 0 {
		return fmt.Errorf("%d %s", n, plural(int(n), "error"))
	}
	return err
}

func isTerminal(w any) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}
