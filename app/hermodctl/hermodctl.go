package hermodctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes.
const (
	exitOK = iota
	exitFailed
	exitUsage
)

// streams are where a command reads and writes.
type streams struct {
	in  io.Reader
	out io.Writer
	err io.Writer
}

// Main runs the command that args name and returns the process's exit code. SIGINT and SIGTERM
// end it in an orderly way, a second one at once.
func Main(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return run(ctx, args, &streams{in: os.Stdin, out: os.Stdout, err: os.Stderr})
}

func run(ctx context.Context, args []string, s *streams) int {
	root := newRoot(s)
	root.SetArgs(append([]string{}, args...)) // with nil cobra takes those of the process
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	if errors.Is(err, errWrong) {
		return exitUsage // the command has said what
	}
	fmt.Fprintf(s.err, "%s: %v\n", cmd.CommandPath(), err)
	if _, wrong := errors.AsType[*usageError](err); !wrong {
		return exitFailed
	}
	fmt.Fprintf(s.err, "Run '%s --help' to see how it is used.\n", cmd.CommandPath())
	return exitUsage
}

func newRoot(s *streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "hermodctl",
		Short: "Talk to a Hermod node",
		Long: `hermodctl talks to a Hermod node: it chats as a user and pushes as a service. It
also checks the configuration of one, and the machine that it runs on.

A node that was started with its defaults trusts everybody on this machine, so
nothing but the commands below is needed to try it.`,
		Example: `  # in one terminal
  hermodctl chat --user alice --room lobby
  # in another one
  hermodctl chat --user bob --room lobby
  # and as a service
  hermodctl push --openid alice --title "Hello" --content "from a service"`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,

		SuggestionsMinimumDistance: 2,
		RunE:                       runRoot,
	}
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err.Error()} })
	root.CompletionOptions.HiddenDefaultCmd = true
	for _, command := range commands {
		cmd := command(s)
		if cmd.Args == nil {
			cmd.Args = noArguments
		}
		root.AddCommand(cmd)
	}
	return root
}

// runRoot gets here only when no command was named, or none that exists.
func runRoot(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	text := fmt.Sprintf("there is no command %q", args[0])
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		text += fmt.Sprintf("; did you mean %q?", near[0])
	}
	return &usageError{text}
}
